"""What a loss is: one number for the outputs of a network and their targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harness.components.base import Component
from harness.data_spec import Kind
from harness.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


class Loss(Component):
    """A loss. A subclass has a `name` of one value, which is also its module's name.

    Outputs and targets are those of one network, with the batch in front: outputs
    (batch, classes), (batch, steps, classes) or (batch, numbers), targets (batch,), (batch, steps)
    or (batch, numbers). Outputs are those of the last layer, before any softmax.
    """

    name: str

    targets: ClassVar[tuple[Kind, ...]]
    """The kinds of targets that it is for."""
    only_in_training: ClassVar[tuple[str, ...]] = ()
    """Settings that change what is minimized, never the `loss` that is reported of a split."""
    soft: ClassVar[bool] = False
    """Whether `mean` also takes soft targets: (batch, classes), how much each class counts."""

    @property
    def weighs(self) -> bool:
        """Whether classes count by weights of the training part, which come in soft targets."""
        return False

    def refusal(self, kind: Kind) -> str | None:
        """Say why it is not for targets of a kind; None if it is."""
        return None if kind in self.targets else f"does not suit targets of the kind {kind}"

    @property
    def packable(self) -> bool:
        """Whether `torch.vmap` can compute it for several networks at once."""
        return True

    def meant(self, usual: str) -> Loss:
        """Return the loss itself, or the one that it stands for; `usual` is the task's."""
        del usual
        return self

    def mean(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of a batch, of shape (), by operations that vmap knows."""
        raise NotImplementedError

    def alone(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the same mean for a network that is trained alone, perhaps by a quicker way."""
        return self.mean(outputs, targets)

    def totals(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sum of the losses of a batch in double precision, and of how many it is."""
        count = torch.tensor(float(len(targets)), dtype=torch.float64, device=outputs.device)
        return self.mean(outputs, targets).double() * count, count
