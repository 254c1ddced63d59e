"""Weight updates: gradient clipping, and learning rates that differ between layer groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from harness.components.transfer import Transfer
from harness.optimizers.base import Rate, Scheduled, Update, begin, unchanged
from harness.schedules.base import Horizon
from harness.train.stack import Stack, state_names
from harness.train.transfer import rates

_CLIP_EPSILON = 1e-6  # as in torch.nn.utils.clip_grad_norm_


@dataclass
class _Part:
    """Parameters that share a rate, relative to the optimizer's, and joined at the same time."""

    names: list[str]
    rate: float
    update: Update


class LayerwiseUpdate:
    """The same optimizer for each part of a network, with a rate of its own.

    A part that joins later starts with an empty history.
    """

    def __init__(self, members: Sequence[Scheduled], rates: Mapping[str, float]):
        """Prepare; parameters come by `extend`.

        Args:
            members: what decides the steps of each.
            rates: what each parameter's learning rate is multiplied by, by name.
        """
        self._members = list(members)
        self._rates = rates
        self._parts: list[_Part] = []
        self._order: list[str] = []

    def extend(self, names: Sequence[str], parameters: Sequence[Tensor]) -> None:
        """Take over all parameters that are trained from now on, in the order of gradients.

        Those that were trained before must be the same tensors as before.
        """
        self._order = list(names)
        known = {name for part in self._parts for name in part.names}
        fresh: dict[float, list[str]] = {}
        for name in names:
            if name not in known:
                fresh.setdefault(self._rates[name], []).append(name)
        by_name = dict(zip(names, parameters, strict=True))
        for rate, own in fresh.items():
            update = begin(self._members, [by_name[name] for name in own])
            self._parts.append(_Part(own, rate, update))

    def step(self, gradients: Sequence[Tensor], rate: Rate = unchanged) -> None:
        """See `Update`."""
        by_name = dict(zip(self._order, gradients, strict=True))
        for part in self._parts:
            own = [by_name[name] for name in part.names]
            part.update.step(own, _scaled(rate, part.rate))

    def keep(self, rows: Sequence[int], parameters: Sequence[Tensor]) -> None:
        """See `Update`."""
        self._members = [self._members[row] for row in rows]
        by_name = dict(zip(self._order, parameters, strict=True))
        for part in self._parts:
            part.update.keep(rows, [by_name[name] for name in part.names])

    def state(self) -> dict[str, Any]:
        """See `Update`."""
        return {"parts": [part.update.state() for part in self._parts]}

    def load(self, state: Mapping[str, Any]) -> None:
        """See `Update`."""
        for part, saved in zip(self._parts, state["parts"], strict=True):
            part.update.load(saved)


def _scaled(rate: Rate, factor: float) -> Rate:
    return lambda member: rate(member) * factor


def update_for(
    members: Sequence[Scheduled],
    network: nn.Module,
    stack: Stack,
    transfer: Transfer | None,
) -> Update:
    """Return what takes the steps of a stack of networks, each by its own optimizer."""
    if transfer is None or (transfer.rate_decay == 1.0 and transfer.unfreeze_every is None):
        return begin(members, stack.parameters)
    layered = LayerwiseUpdate(members, rates(network, transfer.rate_decay))
    layered.extend(state_names(network)[0], stack.parameters)
    return layered


class SoftThreshold:
    """The L1 penalty of members as a proximal step, after the optimizer's.

    Weights move towards zero by learning rate times penalty, and stop there (Parikh and Boyd 2014,
    Proximal Algorithms); a penalty in the loss would leave hardly any weight at zero. Parameters of
    one dimension, such as biases, are left alone.
    """

    def __init__(self, penalties: Sequence[tuple[Scheduled, float]], rates: Sequence[float]):
        """Prepare.

        Args:
            penalties: what decides the steps of each member, and the weight of its penalty.
            rates: what each parameter's learning rate is multiplied by, in their order.
        """
        self._penalties, self._rates = list(penalties), list(rates)

    def apply(self, parameters: Sequence[Tensor], rate: Rate) -> None:
        """Move the parameters, each (members, ...), in place."""
        every = [one.optimizer.lr * rate(one) * weight for one, weight in self._penalties]
        limits = torch.tensor(every, dtype=torch.float32, device=parameters[0].device)
        for parameter, factor in zip(parameters, self._rates, strict=True):
            if parameter.ndim > 2:
                own = (limits * factor).view(-1, *[1] * (parameter.ndim - 1)).to(parameter.dtype)
                parameter.sub_(torch.clamp(parameter, -own, own))


def threshold_for(
    penalties: Sequence[tuple[Scheduled, float]], network: nn.Module, transfer: Transfer | None
) -> SoftThreshold | None:
    """Return the L1 penalty of a stack of networks; None where no member has one."""
    if not any(weight for _, weight in penalties):
        return None
    by_name = rates(network, 1.0 if transfer is None else transfer.rate_decay)
    return SoftThreshold(penalties, [by_name.get(name, 1.0) for name in state_names(network)[0]])


class SummedGradients:
    """The sum of each part's gradients over all steps, as where nobody clears them."""

    def __init__(self) -> None:
        self.sums: dict[str, list[Tensor]] = {}

    def add(self, part: str, gradients: Sequence[Tensor]) -> list[Tensor]:
        """Return what all gradients of a part so far add up to."""
        before = self.sums.get(part)
        found = list(gradients)
        if before is not None:
            found = [total + one for total, one in zip(before, gradients, strict=True)]
        self.sums[part] = found
        return found

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some members only."""
        for part, sums in self.sums.items():
            self.sums[part] = [one[list(rows)] for one in sums]


def clipped(
    gradients: Sequence[Tensor], limits: Tensor, together: Callable[[Tensor], None] | None = None
) -> list[Tensor]:
    """Scale each member's gradient down to a norm of at most its limit (Pascanu et al. 2013).

    Args:
        gradients: of each parameter, each (members, ...).
        limits: of the Euclidean norm over all parameters of a member, (members,).
        together: adds up in place what other processes have, where each has a share of a gradient.
    """
    squares = torch.zeros(len(gradients[0]), device=gradients[0].device)
    for gradient in gradients:
        squares += _norms(gradient).square()
    if together is not None:
        together(squares)
    factors = (limits / (squares.sqrt() + _CLIP_EPSILON)).clamp(max=1.0)
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


def at_step(step: int, horizon: Horizon) -> Rate:
    """Return each member's own multiplier of the learning rate at a step."""
    return lambda member: member.schedule.multiplier(step, horizon)
