"""What the losses of classes have in common: label smoothing, class weights, soft targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.components.base import unsaid
from harness.data_spec import Kind
from harness.losses.base import Loss

if TYPE_CHECKING:
    from torch import Tensor


class OfClasses(Loss):
    """A loss of classes. Both options change what is learned, never the `loss` that is reported.

    It also takes soft targets, (batch, classes): how much each class counts for an example, and is
    linear in them. Mixed examples and class weights are given so.
    """

    label_smoothing: float = Field(
        0.0,
        ge=0,
        lt=1,
        exclude_if=unsaid,
        description="share of each target that is spread over all classes (Szegedy et al. 2016)",
    )
    class_weights: Literal["balanced"] | None = Field(
        None,
        exclude_if=unsaid,
        description="balanced: an example of class c counts n/(k*n_c), for n examples of k classes "
        "in the training part, n_c of them of class c",
    )

    only_in_training: ClassVar[tuple[str, ...]] = ("label_smoothing", "class_weights")
    soft: ClassVar[bool] = True

    @property
    def weighs(self) -> bool:
        """See `Loss`."""
        return self.class_weights is not None

    def refusal(self, kind: Kind) -> str | None:
        """See `Loss`."""
        if self.weighs and kind != "class":
            return "with `class_weights` is for one class for each input, not for sequences"
        return super().refusal(kind)

    def smoothed(self, targets: Tensor) -> Tensor:
        """Return soft targets (batch, classes) with the share of `label_smoothing` spread."""
        if not self.label_smoothing:
            return targets
        evenly = targets.sum(-1, keepdim=True) / targets.shape[-1]
        return (1 - self.label_smoothing) * targets + self.label_smoothing * evenly
