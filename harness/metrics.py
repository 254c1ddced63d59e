"""What a metric is: its name, which way is better, its unit and its meaning. Nothing is guessed.

What the harness measures itself stands in a table here; of a metric of your own, the workload says
it (`harness.components.measured`). Every other part asks `metric_of`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from harness.data_spec import RANGES, Kind
from harness.registry import DATA, PROBES, TASKS
from harness.trial import ELSEWHERE, TRAINED_PARAMETERS

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Goal = Literal["minimize", "maximize"]
SPLITS = ("train", "validation", "test")
GAPS = (("gap", "train", "validation"), ("optimism", "validation", "test"))
"""Names of how much better a network does on one split than on another, with the two."""
_ANY = (-math.inf, math.inf)
_OF_ONE = "0 to 1"
_ROUNDING = 1e-5
_Key = TypeVar("_Key")


def gaps_of(names: Iterable[str]) -> list[str]:
    """Return what is computed of the metrics of two splits, of those that are known."""
    known = set(names)
    return [
        f"{gap}.{name}"
        for gap, *splits in GAPS
        for name in ("accuracy", "loss")
        if {f"{split}.{name}" for split in splits} <= known
    ]


@dataclass(frozen=True)
class Metric:
    """A metric and what is known of it.

    Attributes:
        name: such as `validation.loss`.
        goal: which way is better; None where neither way is, or nobody said.
        unit: such as "nats"; empty where it has none, or none is known.
        meaning: in a few words; empty where the name says it.
        bounds: the smallest and the largest value that it can have.
        deterministic: whether it is the same whatever the seed, so that equal values prove it.
        root: whether it is the square root of a mean over examples.
        binary: whether it is 0 or 1 for each seed, so that its mean is a share of the seeds.
        lifted: whether luck alone lifts it above its lower bound, as the largest of differences.
    """

    name: str
    goal: Goal | None = None
    unit: str = ""
    meaning: str = ""
    bounds: tuple[float, float] = (-math.inf, math.inf)
    deterministic: bool = False
    root: bool = False
    binary: bool = False
    lifted: bool = False

    @property
    def sign(self) -> int:
        """1 where high is better, -1 where low is.

        Raises:
            ValueError: if it is not known which.
        """
        if self.goal is None:
            raise ValueError(f"nothing says whether a low or a high {self.name} is better")
        return 1 if self.goal == "maximize" else -1

    @property
    def is_share(self) -> bool:
        """Whether it is a share, from 0 to 1, as far as its unit or its meaning says."""
        told = self.unit or self.meaning
        return told.partition(" ")[0] == "share" or self.unit == _OF_ONE or self.binary

    def wrong_unit(self, value: float) -> str:
        """Say why a value cannot be meant in this unit; empty if it can.

        A percentage that is taken for a share makes every margin a hundred times too small. What
        the harness measures itself is within its bounds.
        """
        if not self.is_share or self.bounds[1] <= 1 or not 1.0 + _ROUNDING < value < math.inf:
            return ""
        unit = f"`{self.name.rpartition('.')[2]}: {{unit: percent}}`"
        return (
            f"{self.name} is {value:g}, but a share is at most 1: divide it by 100, or say its unit"
            f" where the study names its metrics, {unit}"
        )

    def best(self, values: Mapping[_Key, float]) -> _Key | None:
        """Return the key of the best finite value, the first of equals.

        None where there is no value, or where it is not known which way is better.
        """
        if self.goal is None:
            return None
        finite = {key: value for key, value in values.items() if math.isfinite(value)}
        return max(finite, key=lambda key: self.sign * finite[key], default=None)

    def interval(self, values: ArrayLike) -> tuple[float, float]:
        """Return the 95 % t interval of the mean of values of shape (n,), within the bounds.

        It is unbounded for a single value. A mean beyond the bounds belongs to its interval.
        """
        import numpy as np

        from harness.stats.intervals import t_interval

        return within(
            self.bounds, t_interval(values), float(np.mean(np.asarray(values, dtype=float)))
        )

    def is_worse(self, value: float, other: float) -> bool:
        """Whether a value is worse than another one; raises as `sign` does."""
        return self.sign * value < self.sign * other

    def best_so_far(self, curve: Sequence[Mapping[str, float]]) -> list[float]:
        """Return the best value up to each epoch; infinitely bad before there is one.

        Raises:
            ValueError: if no epoch has the metric, or it is not known which way is better.
        """
        if not any(self.name in point for point in curve):
            known = ", ".join(name for name in curve[0] if name != "epoch") if curve else "nothing"
            raise ValueError(f"an epoch has no {self.name}; it has {known}")
        best, values = -self.sign * math.inf, []
        for point in curve:
            value = point.get(self.name, math.nan)
            if math.isfinite(value) and not self.is_worse(value, best):
                best = value
            values.append(best)
        return values


def within(
    bounds: tuple[float, float], interval: tuple[float, float], value: float
) -> tuple[float, float]:
    """Cut an interval off at the bounds of what it is about; its estimate stays in it.

    What cannot be is no part of an interval, whose coverage does not change by that.
    """
    low, high = interval
    if not (math.isfinite(low) and math.isfinite(high)):
        return interval
    return max(low, min(bounds[0], value)), min(high, max(bounds[1], value))


DIVERGED = "outcome.diverged"
"""1 for a trial that diverged, 0 for one that ended with numbers; of no other is it known."""

BUILT_IN: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        # of every split, by the last part of their names
        Metric("loss", "minimize", "nats"),
        Metric("accuracy", "maximize", "share correct"),
        Metric("bits", "minimize"),
        Metric("mean_absolute_error", "minimize"),
        Metric("root_mean_squared_error", "minimize", root=True),
        Metric("max_error", "minimize"),
        # of two splits
        Metric("gap.accuracy", None, "", "training accuracy minus validation accuracy"),
        Metric("gap.loss", None, "", "validation loss minus training loss"),
        Metric("optimism.accuracy", "minimize", "", "validation accuracy minus test accuracy"),
        Metric("optimism.loss", "minimize", "", "test loss minus validation loss"),
        # costs
        Metric("cost.seconds", "minimize", "s", "training time"),
        Metric("cost.step_seconds", "minimize", "s", "time of a training step"),
        Metric("cost.steps", "minimize", "", "training steps"),
        Metric("cost.examples", None, "", "training examples"),
        Metric("cost.parameters", "minimize", "", "parameters", deterministic=True),
        Metric(
            TRAINED_PARAMETERS, "minimize", "", "parameters that are trained", deterministic=True
        ),
        # of timing blocks
        Metric("timing.step_seconds", "minimize", "s", "time of a training step"),
        Metric("timing.example_seconds", "minimize", "s", "time of a training step per example"),
        Metric("timing.inference_seconds", "minimize", "s", "time of the outputs for a batch"),
        Metric("timing.training_seconds", "minimize", "s", "time of a whole training"),
        # how a training ended
        Metric(
            DIVERGED, "minimize", "share of seeds", "trainings that diverged", (0, 1), binary=True
        ),
        # of all candidates of a search; the best is better as the metric is that chooses it
        Metric("search.best", None, "", "best validation score that a search found"),
        Metric("search.optimism", "minimize", "", "score that chose the winner minus a fresh one"),
        Metric(
            "search.optimism_per_doubling", "minimize", "", "optimism per doubling of candidates"
        ),
    )
}
"""What the harness measures itself."""


def metric_of(name: str, *workloads: Mapping[str, Any]) -> Metric:
    """Return what is known of a metric.

    Args:
        name: such as `validation.loss`.
        workloads: resolved settings that may declare it; the first that does counts.
    """
    if name in BUILT_IN and "." in name:
        return BUILT_IN[name]
    split, _, last = name.partition(".")
    if split == "probe":
        return _of_probe(last) or Metric(name)
    if split not in SPLITS:
        return Metric(name)
    said: Mapping[str, Any] = next(
        (found[last] for w in workloads if last in (found := declared(w))), {}
    )
    known = BUILT_IN.get(last, Metric(name))
    in_nats = last != "loss" or all(_has_loss_in_nats(workload) for workload in workloads)
    return Metric(
        name,
        known.goal or said.get("goal"),
        said.get("unit") or (known.unit if in_nats else "") or _unit_of_targets(last, workloads),
        said.get("meaning") or known.meaning,
        root=known.root or bool(said.get("root")),
        bounds=_bounds(last, workloads),
        binary=bool(said.get("binary")),
        lifted=bool(said.get("lifted")),
    )


def _has_loss_in_nats(workload: Mapping[str, Any]) -> bool:
    """Whether a workload's loss is a cross entropy, as far as it is known."""
    loss = workload.get("loss") or "auto"
    named = loss if isinstance(loss, str) else loss["name"]
    if workload.get("training") or named not in ("auto", "cross_entropy"):
        return False  # in any unit
    if (task := workload.get("task")) is not None:
        said = TASKS.read(task).measures.get("loss")
        return said is None or said.unit == "nats"
    data = workload.get("data")
    if named != "auto" or data is None or ":" in data["name"]:  # of your own: its kind is not known
        return True
    return _kind_of_targets(json.dumps(data)) != "numbers"


DEVIATIONS = "standard deviations"
"""The unit of errors in targets that were scaled."""
OF_TARGETS = ("mean_absolute_error", "root_mean_squared_error", "max_error")
"""Metrics in the unit of the targets."""


def _unit_of_targets(name: str, workloads: Sequence[Mapping[str, Any]]) -> str:
    """Return the unit of an error, if it is known and the same in all workloads."""
    return DEVIATIONS if name in OF_TARGETS and _are_targets_scaled(workloads) else ""


def _are_targets_scaled(workloads: Sequence[Mapping[str, Any]]) -> bool:
    """Whether all targets are numbers that were scaled, as far as it is known."""
    learned = [one for one in workloads if not one.get("training") and one.get("data")]
    known = bool(learned) and not any(":" in one["data"]["name"] for one in learned)
    return known and all(DATA.read(one["data"]).scaled_targets for one in learned)


def is_squared(name: str, workloads: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a metric is a loss that is the squared error of targets that were scaled."""
    losses = [one.get("loss") or "auto" for one in workloads]
    names = {one if isinstance(one, str) else one["name"] for one in losses}
    return (
        name.rpartition(".")[2] == "loss"
        and names <= {"auto", "mean_squared_error"}
        and _are_targets_scaled(workloads)
    )


@cache
def _kind_of_targets(data: str) -> Kind:
    """Return the kind of a data set's targets, from its settings as JSON, which many arms share."""
    kind: Kind = DATA.read(json.loads(data)).kind
    return kind


def _bounds(name: str, workloads: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Return between which values a metric lies in all of some workloads, as far as it is known."""
    ends = [_bounds_in(workload, name) for workload in workloads] or [_ANY]
    return min(low for low, _ in ends), max(high for _, high in ends)


def _bounds_in(workload: Mapping[str, Any], name: str) -> tuple[float, float]:
    if workload.get("training") or name in (workload.get("metrics") or {}):
        return _ANY  # the user's own, on whatever scale
    task = workload.get("task")
    if task is None:
        return RANGES.get(name, _ANY)
    said: Metric | None = TASKS.read(task).measures.get(name)
    return said.bounds if said is not None else _ANY


@cache
def _of_probe(name: str) -> Metric | None:
    """Return the metric of a name that a built-in probe gives, if one does."""
    found = (PROBES.find(probe).metric_called(name) for probe in PROBES.own())
    known = next((metric for metric in found if metric is not None), None)
    return None if known is None else replace(known, name=f"probe.{name}")


def declared(workload: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return what a workload and its task say of metrics, by the last part of their names."""
    training, task = workload.get("training") or {}, workload.get("task")
    found: dict[str, Mapping[str, Any]] = {}
    if task is not None:
        for metric in TASKS.read(task).measures.values():
            found[metric.name] = {
                "goal": metric.goal, "unit": metric.unit, "meaning": metric.meaning,
                "root": metric.root, "binary": metric.binary, "lifted": metric.lifted,
            }  # fmt: skip
    for said in (workload.get("metrics") or {}, training.get("metrics") or {}):
        for name, about in said.items():
            if isinstance(about, Mapping):  # else it is only named
                found.setdefault(name.rpartition(".")[2], about)
    if training.get("goal"):
        last = training["metric"].rpartition(".")[2]
        found[last] = {**found.get(last, {}), "goal": training["goal"]}
    return found


def functions(workload: Mapping[str, Any]) -> dict[str, str]:
    """Return the functions of a workload's own metrics, by their names."""
    metrics = workload.get("metrics") or {}
    return {n: f if isinstance(f, str) else f["function"] for n, f in metrics.items()}


def logged_names(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Return what metrics are called in runs that other code logged, by their names here."""
    return {ours: m if isinstance(m, str) else m["name"] for ours, m in metrics.items()}


def deciding(workload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a workload without what it says of metrics for readers only: units, meanings.

    A goal that is known without being said is left out as well, so that a trial keeps its identity
    when it is written down.
    """
    metrics, training = workload.get("metrics"), workload.get("training")
    found = dict(workload)
    if metrics:
        found["metrics"] = {
            name: _only(about, "function") if isinstance(about, Mapping) else about
            for name, about in metrics.items()
        }
    if training and training["name"] not in ELSEWHERE:
        goals = {n: _only(a, "") for n, a in (training.get("metrics") or {}).items()}
        kept = {k: v for k, v in training.items() if k not in ("metrics", "goal")}
        last = training["metric"].rpartition(".")[2]
        goal = None if last in BUILT_IN else declared(workload).get(last, {}).get("goal")
        others = {name: about for name, about in goals.items() if about and name != last}
        found["training"] = (
            kept | ({"goal": goal} if goal else {}) | ({"metrics": others} if others else {})
        )
    return found


def _only(about: Mapping[str, Any], name: str) -> Any:
    """Keep a function and a goal; a function alone is as good as its name."""
    kept = {k: v for k, v in about.items() if k in (name, "goal")}
    return kept[name] if list(kept) == [name] else kept
