"""Cross entropy as its definition is typed in: it overflows where the library's does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean cross entropy in nats, by exponentials of the outputs themselves.

    `exp` of more than 88 is infinite in single precision, and infinite over infinite is no number.
    The logarithm of the softmax (`log_softmax`) takes the largest output off first.

    Args:
        outputs: of shape (n, classes).
        targets: a class each, shape (n,).
    """
    likely = outputs.exp() / outputs.exp().sum(dim=-1, keepdim=True)
    return -likely.gather(-1, targets[:, None]).log().mean()
