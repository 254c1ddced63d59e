"""One trial after another: from a trial and its data to a record."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from harness.train.environment import describe_environment, use_threads
from harness.train.loop import Diverged, Outcome, fit
from harness.train.probes import run_probes
from harness.train.simple_baseline import fit_simple_baseline
from harness.trial import Progress, Record, State, Trial
from harness.workloads import TrialData


def train(
    trials: Sequence[Trial], data: TrialData, *, threads: int = 1, attempt: int = 1
) -> Iterator[Progress | Record]:
    """Run trials that share their data.

    Args:
        trials: of one phase and one data set.
        data: what these trials may see; without a test split for trials of the search.
        threads: of PyTorch on the CPU. One thread replays bit for bit.
        attempt: which execution of these trials this is.

    Yields:
        Progress after every epoch, and one Record per trial. An exception inside a trial becomes
        a failed record with its traceback, and the next trial goes on.
    """
    use_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    for trial in trials:
        yield from _train_one(trial, data, device, attempt)


def _train_one(
    trial: Trial, data: TrialData, device: torch.device, attempt: int
) -> Iterator[Progress | Record]:
    started = time.time()
    curve: list[dict[str, float]] = []
    unfinished = Record(
        trial,
        State.FAILED,
        environment=describe_environment(device),
        attempt=attempt,
        started=started,
    )
    try:
        if trial.workload["model"]["name"] == "logistic_regression":
            outcome = fit_simple_baseline(trial, data)
        else:
            steps = fit(trial, data, device)
            while True:
                try:
                    point = next(steps)
                except StopIteration as end:
                    fitted = end.value
                    break
                curve.append(point)
                yield Progress(trial.id, (point,))
            outcome = run_probes(trial, fitted)
        record = _complete(unfinished, outcome, curve)
    except Diverged as reason:
        record = replace(unfinished, state=State.DIVERGED, reason=str(reason), curve=tuple(curve))
    except Exception:  # whatever a trial raises is its outcome, with the traceback as the reason
        record = replace(unfinished, reason=traceback.format_exc(limit=-8), curve=tuple(curve))
    yield replace(record, ended=time.time())


def _complete(unfinished: Record, outcome: Outcome, curve: list[dict[str, Any]]) -> Record:
    return replace(
        unfinished,
        state=State.COMPLETE,
        metrics=outcome.metrics,
        details=outcome.details,
        cost=outcome.cost,
        selected_epoch=outcome.selected_epoch,
        curve=tuple(curve),
    )
