"""The mean squared error of outputs against classes as vectors of 0 and 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.data_spec import Kind
from harness.lazy import functional, torch
from harness.losses._of_classes import OfClasses

if TYPE_CHECKING:
    from torch import Tensor


class OneHotSquaredError(OfClasses):
    """The mean squared error of the outputs against one-hot classes, over examples and classes.

    Hui and Belkin 2021, ICLR. It is on another scale than cross entropy: compare arms of both by
    `test.accuracy`. With `softmax` it is the Brier score (Brier 1950), divided by the classes.
    """

    name: Literal["one_hot_squared_error"]
    softmax: bool = Field(False, description="compare probabilities; else the outputs themselves")

    targets: ClassVar[tuple[Kind, ...]] = ("class",)

    def mean(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Loss`; in double precision."""
        if not (targets.is_floating_point() or self.label_smoothing):
            return self._errors(outputs, targets).square().mean(dtype=torch.float64)
        soft = (
            targets
            if targets.is_floating_point()
            else functional.one_hot(targets, outputs.shape[-1]).float()
        )
        soft, said = self.smoothed(soft), self._said(outputs)
        # the mean over classes c, by their shares, of the squared distance from class c
        whole = soft.sum(-1, keepdim=True)
        errors = whole * said.square() - 2 * said * soft + soft
        return errors.mean(dtype=torch.float64)

    def totals(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """See `Loss`; without smoothing or weights."""
        errors = self._errors(outputs, targets).double()
        count = torch.tensor(float(errors.numel()), dtype=torch.float64, device=outputs.device)
        return errors.square().sum(), count

    def _said(self, outputs: Tensor) -> Tensor:
        return functional.softmax(outputs, dim=-1) if self.softmax else outputs

    def _errors(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self._said(outputs) - _one_hot(targets, outputs)


def _one_hot(targets: Tensor, outputs: Tensor) -> Tensor:
    return functional.one_hot(targets, outputs.shape[-1]).float()
