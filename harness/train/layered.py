"""What takes the steps of a network: one rate for all layers, or one for each layer group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from harness.optimizers.base import Rate, Scheduled, Update, begin, unchanged
from harness.train.stack import Stack, state_names
from harness.train.transfer import rates


@dataclass
class _Part:
    """Parameters that share a rate, relative to the optimizer's, and joined at the same time."""

    names: list[str]
    rate: float
    update: Update


class LayeredUpdate:
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
    transfer: Mapping[str, Any],
) -> Update:
    """Return what takes the steps of a stack of networks, each by its own optimizer."""
    plain = transfer.get("rate_decay", 1.0) == 1.0
    if plain and transfer.get("unfreeze_every") is None:
        return begin(members, stack.parameters)
    layered = LayeredUpdate(members, rates(network, transfer))
    layered.extend(state_names(network)[0], stack.parameters)
    return layered
