"""Gradients of bounded norm, for each member of a stack."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_EPSILON = 1e-6  # as in torch.nn.utils.clip_grad_norm_


def clipped(gradients: Sequence[Tensor], limits: Tensor) -> list[Tensor]:
    """Scale each member's gradient down to a norm of at most its limit (Pascanu et al. 2013).

    Args:
        gradients: of each parameter, each (members, ...).
        limits: of the Euclidean norm over all parameters of a member, (members,).
    """
    squares = torch.zeros(len(gradients[0]), device=gradients[0].device)
    for gradient in gradients:
        squares += _norms(gradient).square()
    factors = (limits / (squares.sqrt() + _EPSILON)).clamp(max=1.0)
    return [
        gradient * factors.view(-1, *[1] * (gradient.ndim - 1)).to(gradient.dtype)
        for gradient in gradients
    ]


def _norms(gradient: Tensor) -> Tensor:
    """Return each member's norm, (members,)."""
    if gradient.device.type == "cpu":
        # member by member: a sum over a whole stack adds in another order than over one member
        norms = torch.stack(torch._foreach_norm(list(gradient.unbind())))
    else:
        norms = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
    return norms
