"""One class for each input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from harness.components.base import unsaid
from harness.data_spec import Form, Kind
from harness.lazy import torch
from harness.losses.cross_entropy import likelihood
from harness.metrics import Metric
from harness.tasks._class_metrics import COUNTED, ClassCounts, Counted
from harness.tasks._ranked_metrics import RANKED, Ranked, ranked_metrics
from harness.tasks.base import Reduction, Scores, Supervised

if TYPE_CHECKING:
    from torch import Tensor

Also = Counted | Ranked
METRICS: Mapping[str, Metric] = dict([*COUNTED.items(), *RANKED.items()])


class Classification(Supervised):
    """Learn the class of each input, by cross entropy."""

    name: Literal["classification"] = "classification"
    also: list[Also] = Field(
        default_factory=list,
        exclude_if=unsaid,
        description="what is measured beside loss and accuracy, such as [recall, f1]",
    )

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("loss", "minimize", "nats", "mean cross entropy of the true class"),
        Metric(
            "accuracy",
            "maximize",
            "",
            "share of examples whose most likely class is true",
            (0.0, 1.0),
        ),
    )
    selects: ClassVar[str] = "accuracy"
    targets: ClassVar[tuple[Kind, ...]] = ("class",)
    usual_loss: ClassVar[str] = "cross_entropy"
    per_example: ClassVar[tuple[str, ...]] = ("accuracy", "loss")
    only_measures: ClassVar[tuple[str, ...]] = ("also",)

    @field_validator("also")
    @classmethod
    def _one_order(cls, also: list[Also]) -> list[Also]:
        """Names in one order, each once, so that two spellings are one trial."""
        return sorted(set(also), key=list(METRICS).index)

    def refusal(self, workload: Any) -> str | None:
        """See `Task`."""
        thinned = getattr(workload.data, "imbalance", None)
        if "minority_recall" in self.also and thinned is not None and not thinned.test:
            return (
                "`minority_recall` is of the class with the fewest examples in each split, and"
                " `data.imbalance` leaves the test split as it is, where that may be another class;"
                " ask for balanced_accuracy, or recall (of two classes: of the second), or write"
                " `data.imbalance.test: true`"
            )
        return super().refusal(workload)

    @property
    def measures(self) -> Mapping[str, Metric]:
        """See `Task`."""
        return {**super().measures, **{name: METRICS[name] for name in self.also}}

    def scores(self, form: Form) -> Scores:
        """See `Supervised`."""
        return Classes(form.outputs, self.also)

    def outcomes(self, outputs: Tensor, targets: Tensor) -> Mapping[str, Tensor]:
        """See `Task`."""
        return Classes().outcomes(outputs, targets)


class Classes:
    """Cross entropy (in nats) and accuracy, for one class each, and what else is asked for."""

    def __init__(self, classes: int = 2, also: Sequence[Also] = ()):
        counted = [name for name in COUNTED if name in also]
        ranked = [name for name in RANKED if name in also]
        self.counts = ClassCounts(classes, counted) if counted else None
        self.of_whole = partial(ranked_metrics, ranked) if ranked else None
        every: Reduction = "sum"
        more = self.counts.size if self.counts else 0
        self.reductions: tuple[Reduction, ...] = (every,) * (2 + more)

    def scores(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """Return the sum of the losses and the number of right answers, and further sums."""
        found = likelihood(outputs, targets)
        both = -found.sum(dtype=torch.float64), (outputs.argmax(dim=-1) == targets).sum()
        return both if self.counts is None else (*both, *self.counts.totals(outputs, targets))

    def outcomes(self, outputs: Tensor, targets: Tensor) -> Mapping[str, Tensor]:
        """Return whether each answer is right, and its loss; see `Task`."""
        return {
            "accuracy": outputs.argmax(dim=-1) == targets,
            "loss": -likelihood(outputs, targets),
        }

    def metrics(self, totals: Tensor, count: int) -> dict[str, Tensor]:
        """See `Scores`."""
        more = {} if self.counts is None else self.counts.metrics(totals[2:])
        loss = (totals[0] / count).float().double()
        return {"loss": loss, "accuracy": totals[1] / count, **more}
