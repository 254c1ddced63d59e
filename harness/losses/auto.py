"""The loss that suits the targets."""

from __future__ import annotations

from typing import ClassVar, Literal

from harness.data_spec import Kind
from harness.losses.base import Loss
from harness.registry import LOSSES


class Auto(Loss):
    """What suits the targets: cross entropy for classes, the squared error for numbers."""

    name: Literal["auto"]

    targets: ClassVar[tuple[Kind, ...]] = ("class", "sequence", "numbers")

    def meant(self, usual: str) -> Loss:
        """Return the usual loss of the task."""
        found: Loss = LOSSES.read({"name": usual})
        return found
