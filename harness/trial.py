"""A trial, its identity, and the record of its outcome: types that all packages share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.data_spec import Form

TIMED = ("probe.step_time", "probe.tokens_per_second", "timing.")
"""Prefixes of the names of metrics that are measured with a clock."""


class Phase(StrEnum):
    """Why a trial runs. Only confirmation trials are evidence, and of claims on seconds the timing.

    The trial of a stage (called `pretraining`) is trained once, before all that use its products. A
    trial of `timing` is one arm in one block; its seed is the number of the block.
    """

    PRETRAINING = "pretraining"
    SEARCH = "search"
    CONFIRMATION = "confirmation"
    TIMING = "timing"


EVIDENCE = (Phase.CONFIRMATION, Phase.TIMING)
"""The phases whose trials claims rest on."""


class State(StrEnum):
    """How a trial ended."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    DIVERGED = "diverged"
    FAILED = "failed"


def canonical_json(value: object) -> str:
    """Serialize to JSON; equal values have equal texts, whatever the order of their keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: object) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a JSON-able value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:16]


SOURCES = {
    "initialization": "initial weights",
    "order": "order of the examples, augmentation, dropout and other draws of training",
    "split": "division into training and validation",
}
"""What a trial draws at random, as far as a pilot can vary each alone (see `Trial.seed_of`)."""

OWN_SEEDS = "seeds"
"""The part of a trial's workload that gives some sources of randomness another seed than the
trial's own. No study file can say it."""

WORKERS = "workers"
"""The part of the workload of a trial that a training of the user's own runs on several workers:
how many. Nobody knows what such a function makes of them, so that it is another trial with others.
No study file can say it."""

TIMED_BY = "timing"
"""The part of the workload of a trial of `Phase.TIMING` that says how it is timed: what, how often,
beside which other arms, with how many threads, on which machine."""

PRODUCTS = ("weights", "samples", "embeddings", "predictions")
"""What one stage can give another."""

Products = Mapping[str, Mapping[str, "NDArray[Any]"]]
"""Named arrays by product. `normalization` comes with the `weights` of a network that the harness
trained: the mean and scale of its inputs."""


Outcomes = Mapping[str, "NDArray[Any]"]
"""Each test example's own number by the name of the metric that is made of their mean, (examples,).
Beside these, of each example, where there is such a thing: its class (`LABEL`); `CLUSTER`, which of
them depend on each other; `WEIGHT`, what it counts in that mean."""
CLUSTER, LABEL, WEIGHT = "cluster", "label", "weight"


def sources_of(workload: Mapping[str, Any]) -> dict[str, str]:
    """Return the stages whose products a workload uses, by their role in it.

    They are names in a study's workload, and the ids of the stages' trials in a trial's. The role
    of what the network takes its initial weights from is `initial`.
    """
    initial = (workload.get("transfer") or {}).get("from")
    first = {} if initial is None else {"initial": initial}
    return first | dict(workload.get("uses") or {})


def with_sources(workload: Mapping[str, Any], of: Callable[[str], Any]) -> dict[str, Any]:
    """Return a workload with something else in place of each stage that it names."""
    changed = dict(workload)
    if (workload.get("transfer") or {}).get("from") is not None:
        changed["transfer"] = {**workload["transfer"], "from": of(workload["transfer"]["from"])}
    if workload.get("uses"):
        changed["uses"] = {role: of(name) for role, name in workload["uses"].items()}
    return changed


ELSEWHERE = ("mlflow", "logged")
"""Names of a `training` that are runs of other code."""


def trained_elsewhere(workload: Mapping[str, Any]) -> bool:
    """Tell whether a workload's trials are runs that other code trained and logged."""
    return (workload.get("training") or {}).get("name") in ELSEWHERE


@dataclass(frozen=True)
class Trial:
    """One arm, one candidate, one seed, one budget.

    `workload` is the resolved configuration (data, model, optimizer, epochs, ...) with the arm's
    levels and the candidate's hyperparameters already in place, so that equal trials of different
    studies are one trial.
    """

    workload: Mapping[str, Any]
    seed: int
    phase: Phase
    data_fingerprint: str
    code_version: str
    probes: tuple[Mapping[str, Any], ...] = ()
    own_code: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    """What identified each of the user's own functions when the trial was planned. It is a part of
    `code_version`, and is neither hashed nor stored again."""

    @cached_property
    def id(self) -> str:
        """Hash of everything that determines the outcome, and of nothing else."""
        return digest(self.to_dict())

    @cached_property
    def sources(self) -> Mapping[str, str]:
        """The trials of the stages whose products this one uses, by role."""
        return sources_of(self.workload)

    def seed_of(self, source: str) -> int:
        """Return the seed of one of `SOURCES`: the trial's own, unless its workload says else."""
        own: Mapping[str, int] = self.workload.get(OWN_SEEDS) or {}
        return own.get(source, self.seed)

    @property
    def has_own_training(self) -> bool:
        """Whether other code than the harness trains it: a function of the user's own."""
        return bool(self.workload.get("training"))

    @property
    def workers(self) -> int:
        """How many workers a training of the user's own has to be run by together."""
        return int(self.workload.get(WORKERS, 1))

    @property
    def source(self) -> str | None:
        """The trial whose weights this one starts from, if any."""
        return self.sources.get("initial")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON-able values."""
        return {
            "workload": self.workload,
            "seed": self.seed,
            "phase": self.phase.value,
            "data_fingerprint": self.data_fingerprint,
            "code_version": self.code_version,
            "probes": list(self.probes),
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Trial:
        """Rebuild a trial from `to_dict`."""
        return cls(
            workload=fields["workload"],
            seed=fields["seed"],
            phase=Phase(fields["phase"]),
            data_fingerprint=fields["data_fingerprint"],
            code_version=fields["code_version"],
            probes=tuple(fields["probes"]),
        )


@dataclass(frozen=True)
class Given:
    """What a trial is given of a stage: the stage's trial, the form of its data, its products.

    Only products that the trial makes use of are here; none in a dry run.
    """

    trial: Trial
    form: Form | None
    products: Products = field(default_factory=dict, compare=False, repr=False)


NOT_FINITE = "not_finite"
"""The detail of a record that lists what was left out because it was infinite or NaN."""


LARGEST = 1e100
"""Numbers from here on count as infinite: their squares soon overflow."""


def is_finite(value: float) -> bool:
    """Whether a number can be evidence: it is not infinite, NaN, or so large that sums overflow."""
    return abs(value) < LARGEST


def finite(values: Mapping[str, float]) -> dict[str, float]:
    """Return the values that can be evidence; see `is_finite`."""
    return {name: value for name, value in values.items() if is_finite(value)}


@dataclass(frozen=True)
class Record:
    """The immutable outcome of a trial.

    `metrics` holds scalars of the selected epoch (`test.accuracy`, `probe.dead_units`, ...);
    `curve` one mapping per epoch; `details` lists of numbers or texts, such as gradient norms by
    layer; `cost` seconds, steps and parameter counts. What was not measured is absent, never a
    number; nor is what came out infinite or NaN, wherever the record comes from:
    `details["not_finite"]` says what that was. `products` are what a stage gives others; its
    weights are those of the selected epoch. `outcomes` are what each test example came out as in a
    confirmation trial. Both are kept beside the record, not in it.
    """

    trial: Trial
    state: State
    reason: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    curve: tuple[Mapping[str, float], ...] = ()
    details: Mapping[str, list[Any]] = field(default_factory=dict)
    cost: Mapping[str, float] = field(default_factory=dict)
    selected_epoch: int | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 1
    started: float = 0.0
    ended: float = 0.0
    products: Products = field(default_factory=dict, compare=False, repr=False)
    outcomes: Outcomes = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Leave out what is not finite, and list it in the details."""
        points = chain.from_iterable(point.values() for point in self.curve)
        numbers = chain(self.metrics.values(), self.cost.values(), points)
        lists = [name for name, values in self.details.items() if _has_not_finite(values)]
        if not lists and _all_finite(numbers):
            return
        told = [f"{k}: {v}" for part in (self.metrics, self.cost) for k, v in _not_finite(part)]
        told += [
            f"{name}: {value} in epoch {point.get('epoch', number)}"
            for number, point in enumerate(self.curve, 1)
            for name, value in _not_finite(point)
        ]
        told += [f"{name}: holds numbers that are not finite" for name in lists]
        if not told:
            return
        details = {name: v for name, v in self.details.items() if name not in lists}
        details[NOT_FINITE] = list(dict.fromkeys([*details.get(NOT_FINITE, []), *told]))
        for name, value in (
            ("metrics", finite(self.metrics)),
            ("cost", finite(self.cost)),
            ("curve", tuple(finite(point) for point in self.curve)),
            ("details", details),
        ):
            object.__setattr__(self, name, value)

    @property
    def trial_id(self) -> str:
        """The identity of the trial that this record answers."""
        return self.trial.id

    @property
    def weights(self) -> Mapping[str, NDArray[Any]] | None:
        """Parameters and buffers of the network, by name, if they are among the products."""
        return self.products.get("weights")

    def deterministic_part(self) -> dict[str, Any]:
        """Return what must be equal whenever the trial is run again on the same kind of machine."""
        return {
            "trial_id": self.trial_id,
            "state": self.state.value,
            "metrics": {k: v for k, v in self.metrics.items() if not k.startswith(TIMED)},
            "curve": [dict(point) for point in self.curve],
            "details": {k: v for k, v in self.details.items() if not k.startswith(TIMED)},
            "selected_epoch": self.selected_epoch,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, but for what is kept beside them, as plain JSON-able values."""
        names = [n for n in self.__dataclass_fields__ if n not in ("products", "outcomes")]
        fields = {name: getattr(self, name) for name in names}
        return fields | {
            "trial": self.trial.to_dict(),
            "state": self.state.value,
            "curve": [dict(point) for point in self.curve],
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Record:
        """Rebuild a record from `to_dict`, without what is kept beside it."""
        return cls(
            **{
                **fields,
                "trial": Trial.from_dict(fields["trial"]),
                "state": State(fields["state"]),
                "curve": tuple(fields["curve"]),
            }
        )


def _all_finite(values: Iterable[float]) -> bool:
    """Whether all numbers can be evidence, told sooner than by looking at each of them."""
    try:
        return sum(map(abs, values)) < LARGEST  # then each of them is, too
    except OverflowError:  # a whole number that no float holds
        return False


def _not_finite(values: Mapping[str, float]) -> list[tuple[str, float]]:
    return [(name, value) for name, value in values.items() if not is_finite(value)]


def _has_not_finite(values: list[Any]) -> bool:
    return any(isinstance(value, float) and not is_finite(value) for value in values)


SECONDS = "worker_seconds"
PARAMETERS, TRAINED_PARAMETERS = "cost.parameters", "cost.trained_parameters"
"""Sizes of a network; of those that are trained a record says nothing where all are."""

COSTS = (SECONDS, "gpu_seconds", "joules")
"""What a trial may cost; one that is not known, as without a sensor, is absent."""


def cost_of(record: Record) -> dict[str, float]:
    """Return what one trial cost; records of older versions know the time of their whole pack."""
    known = {unit: record.cost[unit] for unit in COSTS if unit in record.cost}
    return {SECONDS: record.ended - record.started} | known


@dataclass(frozen=True)
class Progress:
    """Epochs that a running trial has finished since it last reported."""

    trial_id: str
    points: tuple[Mapping[str, float], ...]


@dataclass(frozen=True)
class Mistake:
    """What is wrong with a workload, and at which path in it: `model.settings.widht`.

    `raised` says that code raised an exception, which may not happen again.
    """

    path: str
    message: str
    raised: bool = False


@dataclass(frozen=True)
class Checked:
    """What a dry run of a trial found: nothing, if it can be trained."""

    trial_id: str
    mistakes: tuple[Mistake, ...]
