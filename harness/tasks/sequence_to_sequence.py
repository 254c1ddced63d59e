"""Writing a target after a source, with less than full help of the true target in training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.data_spec import FIRST_SYMBOL
from harness.lazy import torch
from harness.tasks.base import Batch, State
from harness.tasks.token_classification import TokenClassification

if TYPE_CHECKING:
    from torch import Tensor


class SequenceToSequence(TokenClassification):
    """Learn to write the target of `data: pairs`, where some of what is read is self-written.

    With full teacher forcing it is `token_classification`. Otherwise each symbol of the target that
    is read is replaced, with the rest of the probability, by the network's own answer of a first
    pass without gradients (Bengio et al. 2015, in parallel as Mihaylova and Martins 2019).
    """

    name: Literal["sequence_to_sequence"]  # type: ignore[assignment]
    teacher_forcing: float = Field(
        1.0, ge=0, le=1, description="probability that a true symbol is read in training"
    )

    packable: ClassVar[bool] = False

    def refusal(self, workload: Any) -> str | None:
        """See `Task`."""
        if workload.data.name != "pairs":
            return f"sequence_to_sequence learns pairs of sequences; {workload.data.name} has none"
        return super().refusal(workload)

    def step(self, state: State, batch: Batch) -> Mapping[str, Tensor]:
        """See `Task`: a second pass first, if anything is to be replaced."""
        if self.teacher_forcing == 1.0:
            return super().step(state, batch)
        return super().step(state, Batch(self._read(state, batch.inputs), batch.targets))

    def _read(self, state: State, inputs: Tensor) -> Tensor:
        """Return the inputs (batch, steps) with some symbols of the target self-written."""
        with torch.no_grad():
            answers = state.outputs(self.main, inputs).argmax(dim=-1) + FIRST_SYMBOL
        start = inputs.shape[1] // 2 + 1  # after the source and the token that says go
        shape = len(inputs), inputs.shape[1] - start
        forced = torch.rand(shape, generator=state.generator) < self.teacher_forcing
        read = torch.where(forced.to(inputs.device), inputs[:, start:], answers[:, start - 1 : -1])
        return torch.cat([inputs[:, :start], read], dim=1)
