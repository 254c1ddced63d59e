"""Numbers for each input, learned as classes: the bin that a number falls into.

Stewart, Bach, Berthet and Vert, Regression as classification, AISTATS 2023.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from harness.data_spec import Form
from harness.lazy import functional, torch
from harness.tasks.base import Batch, Builder, State
from harness.tasks.regression import Regression

if TYPE_CHECKING:
    from torch import Tensor, nn

    from harness.workloads.settings import TrialSettings


class BinnedRegression(Regression):
    """Learn numbers by cross entropy: in which of equally wide bins each lies.

    The network gives a probability for each bin, and answers by the mean of the bins' middles under
    them. All metrics are those of that number, as for the task `regression`, so that arms of both
    can be compared; the curve shows what is minimized as `cross_entropy`. A number beyond the ends
    belongs to the outermost bin. Probes see the network that answers numbers.
    """

    name: Literal["binned_regression"]  # type: ignore[assignment]
    bins: int = Field(20, ge=2, le=10_000, description="how many, for each number")
    low: float = Field(
        -3.0,
        description="where the first bin begins; numbers of tables are in standard deviations",
    )
    high: float = Field(3.0, description="where the last bin ends")

    takes: ClassVar[Mapping[str, str]] = {}
    gives: ClassVar[tuple[str, ...]] = ()
    packable: ClassVar[bool] = False

    @model_validator(mode="after")
    def _ends_in_order(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"`low` ({self.low:g}) has to be below `high` ({self.high:g})")
        return self

    def refusal(self, workload: Any) -> str | None:
        """See `Task`; weights from elsewhere know no bins, and its loss is cross entropy."""
        if workload.loss.name != "auto":
            return f"`loss: {workload.loss.name}` is not for binned_regression, which has its own"
        if workload.transfer is not None:
            return "`transfer` is of no use with the task binned_regression"
        return super().refusal(workload)

    def build(
        self, settings: TrialSettings, form: Form, network: Builder
    ) -> Mapping[str, nn.Module]:
        """Return a network with an output for each bin, and behind it what makes them numbers."""
        from harness.layers.bins import MeanOfBins

        bins = network(
            settings.model, Form(form.shape, form.outputs * self.bins, "numbers"), self.main
        )
        return {self.main: torch.nn.Sequential(bins, MeanOfBins(self.bins, self.low, self.high))}

    def step(self, state: State, batch: Batch) -> Mapping[str, Tensor]:
        """Take one step down the cross entropy; the curve's `loss` is the squared error."""
        seen: list[Tensor] = []
        answers = state.networks[self.main].get_submodule("1")
        handle = answers.register_forward_pre_hook(lambda _module, given: seen.append(given[0]))
        told = state.outputs(self.main, batch.inputs)
        handle.remove()
        scores = seen[0].float().unflatten(1, (-1, self.bins)).movedim(-1, 1)
        loss = functional.cross_entropy(scores, self.bin_of(batch.targets))
        state.update(self.main, loss)
        squared = functional.mse_loss(told.detach(), batch.targets)
        return {"loss": squared, "cross_entropy": loss.detach()}

    def bin_of(self, targets: Tensor) -> Tensor:
        """Return in which bin each number lies, from 0: (batch, outputs), likewise."""
        share = (targets - self.low) / (self.high - self.low)
        return (share * self.bins).floor().long().clamp(0, self.bins - 1)
