"""What becomes of a stage without products, and of the trials that wait for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from harness.plan import Plan
from harness.store import Store
from harness.trial import Given, Phase, Record, State, Trial
from harness.workloads import summary


def with_products(record: Record) -> Record:
    """Return the record, as a failure if it completed a stage that gave nothing, or too little."""
    if record.trial.phase is not Phase.PRETRAINING or record.state is not State.COMPLETE:
        return record
    training = record.trial.workload.get("training")
    promised = ["weights"] if training is None else training.get("products", [])
    lacking = [product for product in promised if not record.products.get(product)]
    if promised and not lacking:
        return record
    if not promised:
        lacking = ["products: say `training.products`, and return them"]
    reason = f"the training gave no {' and no '.join(lacking)}"
    return replace(record, state=State.FAILED, reason=reason)


def given_of(
    trial: Trial, store: Store | None = None, products: Collection[str] | None = None
) -> Given:
    """Return what others are given of a stage.

    Args:
        trial: of the stage.
        store: that holds its products; without it none are given.
        products: that they use; None for all.
    """
    data = trial.workload["data"]
    form = None if data["name"] == "none" else summary(data).form
    return Given(trial, form, store.products(trial.id, products) if store else {})


def why_hopeless(trial: Trial, plan: Plan, states: Mapping[str, State]) -> str:
    """Say why a trial cannot be run; nothing if it can.

    Args:
        trial: whose stages, if it uses any, have ended.
        plan: that knows the stages by name.
        states: of all recorded trials, by id.
    """
    for role, id_ in trial.sources.items():
        state = states.get(id_)
        if state is State.COMPLETE:
            continue
        names = ", ".join(name for name, stage in plan.stages.items() if stage.trial.id == id_)
        ended = f"is {state}" if state is not None else "has no record"
        if role == "initial":
            return f"no weights to start from: the pretraining {names} {ended}"
        return f"nothing to use as {role}: the stage {names} {ended}"
    return ""
