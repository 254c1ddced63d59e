"""A loss of a user's own."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.components.base import FUNCTION
from harness.data_spec import Kind
from harness.lazy import torch
from harness.losses.base import Loss
from harness.own.imports import own_function

if TYPE_CHECKING:
    from torch import Tensor


class OwnLoss(Loss):
    """Your own function, `package.module:function`, of (outputs, targets): a batch's mean loss.

    Networks are trained one by one unless it has the attribute `packable = True`.
    """

    name: str = Field(pattern=FUNCTION)

    targets: ClassVar[tuple[Kind, ...]] = ("class", "sequence", "numbers")

    @cached_property
    def function(self) -> Any:
        """The function itself."""
        return own_function(self.name)

    @property
    def packable(self) -> bool:
        """See `Loss`."""
        return bool(getattr(self.function, "packable", False))

    def mean(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Loss`.

        Raises:
            TypeError: if the function returns something else.
        """
        loss = self.function(outputs, targets)
        if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
            tensor = isinstance(loss, torch.Tensor)
            found = f"shape {tuple(loss.shape)}" if tensor else type(loss).__name__
            raise TypeError(f"{self.name} returned {found}; expected a tensor of one mean loss")
        mean: Tensor = loss.reshape(())
        return mean
