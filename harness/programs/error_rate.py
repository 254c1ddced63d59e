"""The share of wrong answers: what is left of an error, where shares of it are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def error(outputs: Tensor, targets: Tensor) -> float:
    """Return the share of examples whose largest output is not that of their class.

    Args:
        outputs: of shape (n, classes).
        targets: a class each, shape (n,).
    """
    return float((outputs.argmax(dim=-1) != targets).double().mean())
