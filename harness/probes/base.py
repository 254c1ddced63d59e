"""What a probe is: settings, what it measures of a trained network, and the picture that shows it.

A probe is one class in one module of this package. What it measures besides metrics is its
artifact: named arrays and texts, kept as lists in a trial's record, from which reports draw
without PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self, get_args

from pydantic import Field, PrivateAttr

from harness.components.base import Component
from harness.lazy import numpy
from harness.metrics import Metric
from harness.models import is_simple, network_class

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from harness.data_spec import Form
    from harness.evidence import Evidence
    from harness.figures.base import Picture
    from harness.tasks import Objective, Stage, Task
    from harness.workloads.settings import TrialSettings

Curve = Sequence[Mapping[str, float]]
"""The metrics of each epoch, by name."""

Parts = Mapping[str, "NDArray[Any] | Sequence[str]"]
"""An artifact by the names of its parts: arrays of finite numbers, of any shape, and texts."""

POSITIVE = (0.0, math.inf)
"""Bounds of a metric that is never negative."""


class Fitted(Protocol):
    """A trained trial, as a probe sees it."""

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """The task's networks with the weights of the selected epoch, by part."""

    @property
    def network(self) -> nn.Module:
        """The main one."""

    @property
    def initial(self) -> nn.Module | None:
        """The main one before the first step, if the probe's class `needs_initial`."""

    @property
    def splits(self) -> Any:
        """`train`, `validation` and `test` (None in a search), each `inputs` and `targets`."""

    @property
    def task(self) -> Task:
        """What was learned."""

    @property
    def objective(self) -> Objective | None:
        """Loss and metrics of a supervised task."""

    @property
    def given(self) -> Mapping[str, Stage]:
        """The stages that the trial uses, by role, but for the one it starts from."""

    @property
    def form(self) -> Form:
        """Of the data."""

    @property
    def tokens(self) -> Sequence[str]:
        """The text of each token id, where it is known."""

    @property
    def columns(self) -> Sequence[str]:
        """The column of a table that each input was made of, where it is known."""

    @property
    def workload(self) -> Mapping[str, Any]:
        """Of the trial, resolved."""

    @property
    def settings(self) -> TrialSettings:
        """The same as typed objects: `settings.batch_size`, `settings.model.width`."""

    @property
    def seed(self) -> int:
        """Of the trial."""

    @property
    def curve(self) -> Curve:
        """What was measured after each epoch."""

    def test_inputs(self, index: NDArray[Any]) -> NDArray[Any]:
        """Return inputs of the test split as the data hold them, not normalized."""

    def normalized(self, inputs: Tensor) -> Tensor:
        """Return numbers (n, ...), on the scale of `test_inputs`, as the network reads them."""

    def denormalized(self, inputs: Tensor) -> Tensor:
        """Return inputs (n, ...) that are normalized on the scale of `test_inputs`."""

    def timed_step(self, workload: Mapping[str, Any]) -> Callable[[], float]:
        """Return a function that takes one training step of a fresh network and times it.

        Each call takes one step more, and returns seconds. The workload may be another than the
        trial's, on the same data.
        """


@dataclass(frozen=True)
class Measured:
    """What a probe found of one network.

    Attributes:
        metrics: by the names that the probe's `metrics` have; one that does not exist is left out.
        artifact: what its picture is drawn from, by the names of its `parts`.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    artifact: Parts = field(default_factory=dict)


@dataclass(frozen=True)
class Shown:
    """The artifact that a probe left of one trial, for its picture."""

    arm: str
    seed: int
    parts: Mapping[str, NDArray[Any]]
    class_names: tuple[str, ...] = ()

    def class_name(self, index: int) -> str:
        """Return what the data call a class, or its number."""
        return self.class_names[index] if 0 <= index < len(self.class_names) else str(index)


@dataclass(frozen=True)
class Sample:
    """A text that one network wrote: whose, on from what, and at which temperature."""

    heading: str
    temperature: str
    prompt: str
    text: str


class Probe(Component):
    """A measurement of a trained network. A subclass has a `name` of one value."""

    name: str
    on: dict[str, Any] = Field(default_factory=dict, description="only arms with these levels")

    metrics: ClassVar[tuple[Metric, ...]] = ()
    """What it gives, each as `probe.NAME`."""
    parts: ClassVar[tuple[str, ...]] = ()
    """The names of all parts of its artifact, if it keeps one."""
    texts: ClassVar[tuple[str, ...]] = ()
    """Those of them that are texts; all others are numbers."""
    any_task: ClassVar[bool] = False
    """Whether it can look at networks of every task; else of supervised ones."""
    of_simple: ClassVar[bool] = False
    """Whether it looks at simple models that restore inputs, such as `pca`, as at networks; simple
    models are passed over otherwise."""
    needs_initial: ClassVar[bool] = False
    """Whether it looks at the network before its first step as well."""
    in_search: ClassVar[bool] = False
    """Whether it looks at the candidates of a search, which never see the test split, instead of
    what is confirmed. Claims name what is made of all candidates of a search (`search.NAME`)."""
    of_loss: ClassVar[tuple[str, ...]] = ()
    """Those of its metrics that are in the unit of the training loss, at fixed weights: arms that
    learn by other losses are not compared by them."""
    one_worker: ClassVar[bool] = False
    """Whether it means nothing where several workers train a trial together."""
    reads_data: ClassVar[bool] = False
    """Whether only the data show that its settings are right, so that it is tried once before
    anything is trained."""

    @classmethod
    def metric_called(cls, name: str) -> Metric | None:
        """Return the metric of a name that probes of this class can give, if there is one."""
        return next((metric for metric in cls.metrics if metric.name == name), None)

    @property
    def measures(self) -> Mapping[str, Metric]:
        """The metrics that it gives with its settings, by name."""
        return {metric.name: metric for metric in self.metrics}

    @property
    def gives(self) -> set[str]:
        """What it adds to a record; two probes of one trial must not give the same."""
        return {f"probe.{name}" for name in self.measures} | {self.key(part) for part in self.parts}

    @classmethod
    def key(cls, part: str) -> str:
        """Return where a record's details hold a part of the artifact; "inside" is history."""
        (name,) = get_args(cls.model_fields["name"].annotation)
        return f"inside.{name}.{part}"

    def passes_over(self, model: Mapping[str, Any]) -> bool:
        """Tell whether it has nothing to do with a resolved workload's `model`."""
        return is_simple(model) and not (
            self.of_simple and getattr(network_class(model["name"]), "reconstructs", False)
        )

    def refusal(self, workload: Any) -> str | None:
        """Say of which checked workloads it can show nothing, and why."""
        del workload
        return None

    def for_trial(self, resolved: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Any:
        """Return what a trial keeps of it, which is a part of the trial's identity.

        Args:
            resolved: returns the trial's workload with some dotted paths changed.
        """
        del resolved
        return self.model_dump(mode="json", exclude={"on"})

    @classmethod
    def of_trial(cls, kept: Mapping[str, Any]) -> Self:
        """Return the probe that a trial keeps; see `for_trial`."""
        return cls.model_validate(kept)

    def measure(self, fitted: Fitted) -> Measured:
        """Return its metrics, and the artifact of trials that are shown."""
        raise NotImplementedError

    def draw(self, shown: Sequence[Shown], evidence: Evidence) -> Picture | None:
        """Draw the artifacts of a study's confirmation trials; None where there is nothing to see.

        The report names the file. Import what draws in here, so that a study is checked without it.

        Args:
            shown: the trials with an artifact, in the order of arms and seeds. Records may come
                from elsewhere: parts have the shapes that they say, and these may be any.
            evidence: of the whole study.
        """
        del shown, evidence
        return None

    def excerpts(self, shown: Sequence[Shown], evidence: Evidence) -> Sequence[Sample]:
        """Return the texts among the artifacts that a report shows."""
        del shown, evidence
        return ()


class Showing(Probe):
    """A probe that keeps an artifact of the first `seeds` confirmation seeds of each arm alone."""

    seeds: int = Field(1, ge=1, le=8, description="show so many confirmation seeds of an arm")

    _first_seed: int = PrivateAttr(0)

    @classmethod
    def of_trial(cls, kept: Mapping[str, Any]) -> Self:
        """See `Probe`; a trial keeps the study's `first_seed` too, where it is not 0."""
        found = cls.model_validate({k: v for k, v in kept.items() if k != "first_seed"})
        found._first_seed = kept.get("first_seed", 0)
        return found

    def shows(self, fitted: Fitted) -> bool:
        """Tell whether an artifact of this trial is kept."""
        return fitted.seed < self._first_seed + self.seeds


class CurveProbe(Probe):
    """A probe of how a metric went over the epochs: it needs no network, and suits any training."""

    metric: str | None = Field(
        None,
        pattern=r"^(validation|train)\.[a-z0-9_]+$",
        description="of an epoch; without one, the validation metric that selects the epoch",
    )

    any_task: ClassVar[bool] = True

    def follow(self, curve: Curve, metric: Metric) -> Mapping[str, float]:
        """Return its metrics; one that does not exist is left out.

        Args:
            curve: of the trial.
            metric: that it follows, with its goal.
        """
        raise NotImplementedError


# --- refusals that several share ------------------------------------------------------------------
def other_targets(workload: Any, wanted: Literal["class"]) -> str | None:
    """Say that a probe needs another kind of targets than a workload has; None where it has it."""
    kind = workload.data.kind
    if kind == wanted:
        return None
    said = {"class": "a class for each input"}[wanted]
    return f"needs {said}; the targets of {workload.data.name} are of kind {kind}"


def no_images(workload: Any) -> str | None:
    """Say that a probe needs images; None where the workload has them."""
    return None if workload.data.images else f"needs images; {workload.data.name} has none"


# --- artifacts in records -------------------------------------------------------------------------
def as_details(probe: type[Probe], artifact: Parts) -> dict[str, Any]:
    """Return an artifact as lists: arrays are flattened, with their shapes beside them."""
    details: dict[str, Any] = {}
    for name, part in artifact.items():
        key = probe.key(name)
        if name in probe.texts:
            details[key] = list(part)
            continue
        array = numpy.asarray(part)
        details[key] = array.ravel().tolist()
        if array.ndim != 1:
            details[f"{key}.shape"] = list(array.shape)
    return details


def artifact(
    probe: type[Probe], details: Mapping[str, Sequence[Any]]
) -> dict[str, NDArray[Any]] | None:
    """Return the parts of an artifact in a record's details, each an array of its shape.

    None if any is missing, has not as many values as its shape says, or is text where it should be
    numbers: records may come from elsewhere.
    """
    found = {}
    for name in probe.parts:
        key = probe.key(name)
        if key not in details:
            return None
        values = numpy.asarray(details[key])
        shape = details.get(f"{key}.shape", values.shape)
        kinds = "U" if name in probe.texts else "biuf"
        if values.size != numpy.prod(shape, dtype=numpy.int64) or values.dtype.kind not in kinds:
            return None
        found[name] = values.reshape(tuple(int(side) for side in shape))
    return found or None
