"""A trial's run in MLflow: name, tags, params and metrics, and what of them is not sent yet."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from harness.levels import flat
from harness.track.messages import ExecutionInfo, TrialInfo
from harness.trial import Record, State, Trial

PARENT_TAG = "mlflow.parentRunId"
DATA_SOURCE = ("local", '{"uri": "harness"}')
"""Kind and place of every data set, as MLflow wants to know them."""
DATA_CONTEXT = ("mlflow.data.context", "training")
LOST = "lost"
"""State of a run whose trial never finished while this mirror could see it."""
SHORT = 0.5
"""Seconds below which a trial is written at once when it ends, which costs half as much."""
BETWEEN = 1.0
"""Seconds between two batches of live metrics of one run."""
DRAWN = 320
"""Points of a line that a chart of MLflow draws at most."""
LONGEST_TAG = 8000

RUN_STATUS = {
    State.COMPLETE: "FINISHED",
    State.PRUNED: "KILLED",
    State.DIVERGED: "FAILED",
    State.FAILED: "FAILED",
}
SETTLED = {State.COMPLETE.value, State.PRUNED.value, State.DIVERGED.value}
"""What a trial yields is determined by its identity; only a failure may be cured."""

_NOT_ALLOWED = re.compile(r"[^\w\-. :/]")
_LONGEST_KEY = 250
_LONGEST_PARAM = 6000


class Point(NamedTuple):
    """One value of a metric; `time` in milliseconds since 1970."""

    name: str
    value: float
    time: int
    step: int


class DataSet(NamedTuple):
    """What a trial trains on, as the UI's panel of data sets reads it."""

    name: str
    digest: str
    schema: str = ""
    profile: str = ""


@dataclass
class Update:
    """What is written about one trial at a time; times in milliseconds since 1970.

    Without a `run_id` it opens a run, whose id the store fills in; `tags`, `params` and `data` are
    what the run does not have yet. `ended` is 0 for a run that goes on.
    """

    run_id: str
    name: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    data: DataSet | None
    points: Sequence[Point]
    started: int
    ended: int
    status: str


@dataclass
class TrialRun:
    """A trial whose run is not finished in MLflow yet.

    `described` says that its run has params and data set. `together` says that it may be written
    in one transaction with others; never again after that failed, because calls of its own can be
    repeated and tell what of it is refused.
    """

    name: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    data: DataSet
    began: float
    seen: float = field(default_factory=time.monotonic)
    record: Record | None = None
    points: list[Point] = field(default_factory=list)
    steps: set[int] = field(default_factory=set)
    run_id: str = ""
    described: bool = False
    sent: float = 0.0
    refused: int = 0
    together: bool = True

    @classmethod
    def of(cls, trial: Trial, info: TrialInfo, execution: ExecutionInfo, began: float) -> TrialRun:
        """Say what the run of a trial is called and tagged with, apart from its parent."""
        tags: dict[str, object] = {
            "trial_id": trial.id,
            "study": execution.study,
            "profile": execution.profile,
            "execution_id": execution.execution_id,
            "mirror": execution.mirror,
            "owner": execution.owner,
            "arm": info.arm,
            "phase": trial.phase.value,
            "seed": trial.seed,
            "role": "trial",
        }
        candidate = ""
        if info.candidate is not None:
            tags["candidate"] = info.candidate
            candidate = f" candidate {info.candidate}"
        params = {**flat(trial.workload), **info.hyperparameters, **info.levels}
        params["seed"] = trial.seed
        name = f"{info.arm} {trial.phase.value}{candidate} seed {trial.seed}"
        return cls(
            name[:_LONGEST_KEY],
            tags_of(tags),
            {key(name): str(value)[:_LONGEST_PARAM] for name, value in params.items()},
            _data_set(trial, execution),
            began,
        )

    def progress(self, curve: Iterable[Mapping[str, float]], when: float) -> None:
        """Add epochs; those of a repeated attempt are known already."""
        points = curve_points(curve, milliseconds(when))
        self.points += [point for point in points if point.step not in self.steps]
        self.steps.update(point.step for point in points)

    def is_due(self, now: float) -> bool:
        """Whether there is something to say and its time has come."""
        news = bool(self.points) or not self.run_id
        waited = now - self.seen >= SHORT and now - self.sent >= BETWEEN
        return self.record is not None or (news and waited)

    @property
    def fits_a_batch(self) -> bool:
        """Whether it may be written together with others."""
        return self.together and self.described == bool(self.run_id)

    def update(self, parent: str) -> Update:
        """Return all there is to say now, to its end when there is a record."""
        tags = {} if self.run_id else {**self.tags, PARENT_TAG: parent}
        points, status, ended, began = self.points, "RUNNING", 0, self.began
        if self.record is not None:
            tags.update(record_tags(self.record))
            points = points + record_points(self.record, self.steps)
            status = RUN_STATUS[self.record.state]
            ended = milliseconds(self.record.ended or time.time())
            began = self.record.started or began
        params, data = ({}, None) if self.described else (self.params, self.data)
        return Update(
            self.run_id, self.name, tags, params, data, points, milliseconds(began), ended, status
        )

    def written(self, update: Update) -> None:
        """Note that the store has an update."""
        self.run_id, self.described, self.together = update.run_id, True, True
        self.points = []
        self.sent = time.monotonic()


def _data_set(trial: Trial, execution: ExecutionInfo) -> DataSet:
    data = trial.workload.get("data")
    name = data.get("name", "data") if isinstance(data, Mapping) else data
    name, digest = str(name or "data")[:_LONGEST_KEY], trial.data_fingerprint[:36]
    info = execution.data.get(trial.data_fingerprint)
    if info is None:
        return DataSet(name, digest)
    spec = {"type": "tensor", "tensor-spec": {"dtype": info.dtype, "shape": [-1, *info.shape]}}
    schema = {"mlflow_tensorspec": {"features": json.dumps([spec])}}
    return DataSet(name, digest, json.dumps(schema), json.dumps({"num_rows": info.examples}))


def milliseconds(seconds: float) -> int:
    """Return MLflow's clock: whole milliseconds since 1970."""
    return int(seconds * 1000)


def key(name: str) -> str:
    """Return a name that MLflow accepts for a metric, param or tag."""
    return _NOT_ALLOWED.sub("_", name)[:_LONGEST_KEY]


def metric_key(name: str) -> str:
    """Return the name of a metric in MLflow, which makes a section of charts of what stands before
    a slash: `validation.loss` is `validation/loss` there."""
    return key(name.replace(".", "/", 1))


def tags_of(values: Mapping[str, object]) -> dict[str, str]:
    """Return tags that MLflow accepts."""
    return {key(name): str(value)[:LONGEST_TAG] for name, value in values.items()}


def metric_points(values: Mapping[str, float], when: int, step: int = 0) -> list[Point]:
    """Return metrics of one moment; a value that is not a finite number is absent."""
    return [
        Point(metric_key(name), float(value), when, step)
        for name, value in values.items()
        if isinstance(value, int | float) and math.isfinite(value)
    ]


def curve_points(
    curve: Iterable[Mapping[str, float]], time_of: Mapping[int, int] | int
) -> list[Point]:
    """Return the metrics of the epochs that MLflow gets; see `shown`."""
    points = []
    for position, values in enumerate(curve, start=1):
        step = int(values.get("epoch", position))
        if not shown(step):
            continue
        when = time_of if isinstance(time_of, int) else time_of[step]
        measured = {name: value for name, value in values.items() if name != "epoch"}
        points += metric_points(measured, when, step)
    return points


def shown(step: int) -> bool:
    """Whether MLflow gets this epoch: the first 320, then every 2nd, from 641 every 4th, and so on.

    A chart of MLflow draws 320 points of a line at most; the record keeps all epochs.
    """
    return step % (1 << max(((step - 1) // (DRAWN // 2)).bit_length() - 1, 0)) == 0


def record_points(record: Record, steps_present: Iterable[int] = ()) -> list[Point]:
    """Return what a finished run must hold and does not yet: missing epochs, results, costs.

    A result that is also measured every epoch is called `selected/<name>`, so that MLflow's
    newest-value columns mean one thing. Results stand at step 0, of which MLflow makes bars where
    it makes lines of later ones. Epochs are spread evenly over the time of the trial.
    """
    present = set(steps_present)
    begin, end = milliseconds(record.started), milliseconds(record.ended)
    steps = [int(values.get("epoch", n)) for n, values in enumerate(record.curve, start=1)]
    times = {step: begin + (end - begin) * (n + 1) // len(steps) for n, step in enumerate(steps)}
    measured = {name for values in record.curve for name in values}
    results = {
        **{f"selected.{k}" if k in measured else k: v for k, v in record.metrics.items()},
        **{f"cost.{k}": v for k, v in record.cost.items()},
    }
    epochs = curve_points(record.curve, times)
    if steps and not shown(steps[-1]):  # a line goes to the end of the training
        last = {name: value for name, value in record.curve[-1].items() if name != "epoch"}
        epochs += metric_points(last, end, steps[-1])
    epochs = [point for point in epochs if point.step not in present]
    return epochs + metric_points(results, end)


def record_tags(record: Record) -> dict[str, str]:
    """Return how a trial ended; an exception's traceback keeps its end, which says most."""
    tags: dict[str, object] = {"state": record.state.value, "attempt": record.attempt}
    if record.reason:
        tags["reason"] = record.reason[-5000:]
    if record.selected_epoch is not None:
        tags["selected_epoch"] = record.selected_epoch
    return tags_of(tags)


def stands_for(found_state: str, record: Record) -> bool:
    """Whether a run that ended in this state already stands for the record.

    A run that was complete, pruned or diverged stays; a failure gives way to another outcome.
    """
    return found_state in SETTLED or found_state == record.state.value
