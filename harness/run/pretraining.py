"""What becomes of a pretraining stage without weights, and of the trials that wait for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.plan import Plan
from harness.trial import Phase, Record, State, Trial


def with_weights(record: Record) -> Record:
    """Return the record, as a failure if it completed a pretraining that gave no weights."""
    done = record.trial.phase is Phase.PRETRAINING and record.state is State.COMPLETE
    if done and not record.weights:
        return replace(record, state=State.FAILED, reason="the training gave no weights")
    return record


def why_hopeless(trial: Trial, plan: Plan, states: Mapping[str, State]) -> str:
    """Say why a trial cannot be run; nothing if it can.

    Args:
        trial: whose source, if it has one, has ended.
        plan: that knows the stages by name.
        states: of all recorded trials, by id.
    """
    state = None if trial.source is None else states.get(trial.source)
    if trial.source is None or state is State.COMPLETE:
        return ""
    names = [name for name, stage in plan.stages.items() if stage.trial.id == trial.source]
    ended = f"is {state}" if state is not None else "has no record"
    return f"no weights to start from: the pretraining {', '.join(names)} {ended}"
