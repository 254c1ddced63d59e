"""Optimizer steps on stacks of networks, by PyTorch's fused kernels.

Neighbouring members with equal settings are updated by one call, others by one call each on views
of the same tensors: these are the kernels behind `torch.optim` with `fused=True`, so that a member
is updated as it would be alone. `torch.optim` itself knows no stacks, and its first use imports the
compiler, which takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Protocol

import torch
from torch import Tensor

Rate = Callable[[Mapping[str, Any]], float]
"""From a member's settings to what its learning rate is multiplied by."""

VECTOR = 32
"""Numbers that a CPU's kernels take at once. What is left at a tensor's end is rounded otherwise:
a member's tensor must end where it would end alone, or be made of whole vectors."""

EPSILON = 1e-8  # of Adam, as in its paper and in torch.optim


def unchanged(_: Mapping[str, Any]) -> float:
    """Leave learning rates as they are."""
    return 1.0


class Update(Protocol):
    """Changes a stack's parameters by their gradients."""

    def step(self, gradients: Sequence[Tensor], rate: Rate = unchanged) -> None:
        """Take one step. Gradients have the parameters' order and shapes.

        Each member's learning rate is multiplied by what `rate` says, for this step.
        """

    def keep(self, rows: Sequence[int], parameters: Sequence[Tensor]) -> None:
        """Go on with some members only, whose parameters are given."""

    def state(self) -> dict[str, Any]:
        """Return all that the next steps depend on beside parameters, as tensors and numbers."""

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of an equal update."""


def build_update(configs: Sequence[Mapping[str, Any]], parameters: Sequence[Tensor]) -> Update:
    """Return the optimizer of a stack.

    Args:
        configs: the optimizer's settings of each member; they share its name, and for SGD whether
            momentum is Nesterov's. Equal settings should stand side by side.
        parameters: of the stack, each (members, ...) and contiguous.

    Raises:
        KeyError: if there is no such optimizer.
        ValueError: if it takes one network at a time and there are several.
    """
    from harness.train.adaptive import ADAPTIVE  # which is built on this module

    if alone_reason(configs[0]) is not None:
        from harness.train.torch_update import TorchUpdate  # imports the compiler

        return TorchUpdate(configs, parameters)
    fused: dict[str, type[_Adam] | type[_SGD]] = {"adam": _Adam, "adamw": _Adam, "sgd": _SGD}
    return {**fused, **ADAPTIVE}[configs[0]["name"]](configs, parameters)


def alone_reason(config: Mapping[str, Any]) -> str | None:
    """Say why an optimizer takes one network at a time, or None where it takes a stack."""
    if config["name"].startswith("torch.optim.") or ":" in config["name"]:
        return f"{config['name']} takes one network at a time"
    return None


class Grouped:
    """Members in runs of equal settings; `moments` are running averages like the parameters."""

    moments_needed = 0

    def __init__(self, configs: Sequence[Mapping[str, Any]], parameters: Sequence[Tensor]):
        moments = [
            [torch.zeros_like(parameter) for parameter in parameters]
            for _ in range(self.moments_needed)
        ]
        self._arrange(list(configs), list(parameters), moments)

    def _arrange(
        self,
        configs: list[Mapping[str, Any]],
        parameters: list[Tensor],
        moments: list[list[Tensor]],
    ) -> None:
        self.configs, self.moments = configs, moments
        runs = [(config, len(list(members))) for config, members in groupby(configs)]
        self.sizes = [size for _, size in runs]
        views = [self._by_group(tensors) for tensors in (parameters, *moments)]
        self.groups = list(zip([config for config, _ in runs], *views, strict=True))

    def _by_group(self, tensors: Sequence[Tensor]) -> list[list[Tensor]]:
        if self.sizes == [1]:
            return [list(tensors)]
        groups: list[list[Tensor]] = [[] for _ in self.sizes]
        for tensor in tensors:
            whole = tensor.device.type != "cpu" or tensor[0].numel() % VECTOR == 0
            for group, part in zip(groups, tensor.split(self.sizes), strict=True):
                group.extend([part] if whole else part.unbind())
        return groups

    def _with_gradients(self, gradients: Sequence[Tensor]) -> Iterator[tuple[Any, ...]]:
        """Yield each group's settings, parameters, moments and gradients."""
        for group, own in zip(self.groups, self._by_group(gradients), strict=True):
            yield (*group, own)

    def keep(self, rows: Sequence[int], parameters: Sequence[Tensor]) -> None:
        """See `Update`."""
        index = torch.tensor(rows, device=parameters[0].device)
        moments = [[value.index_select(0, index) for value in kind] for kind in self.moments]
        self._arrange([self.configs[row] for row in rows], list(parameters), moments)

    def state(self) -> dict[str, Any]:
        """See `Update`."""
        return {"moments": self.moments}

    def load(self, state: Mapping[str, Any]) -> None:
        """See `Update`."""
        for own, saved in zip(self.moments, state["moments"], strict=True):
            for tensor, value in zip(own, saved, strict=True):
                tensor.copy_(value)


class _Adam(Grouped):
    """Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019)."""

    moments_needed = 2

    def __init__(self, configs: Sequence[Mapping[str, Any]], parameters: Sequence[Tensor]):
        super().__init__(configs, parameters)
        self._kernel = {"adam": torch._fused_adam_, "adamw": torch._fused_adamw_}[
            configs[0]["name"]
        ]
        self._step = torch.zeros((), device=parameters[0].device)

    def state(self) -> dict[str, Any]:
        return {**super().state(), "step": self._step}

    def load(self, state: Mapping[str, Any]) -> None:
        super().load(state)
        self._step.copy_(state["step"])

    def step(self, gradients: Sequence[Tensor], rate: Rate = unchanged) -> None:
        self._step += 1
        for config, parameters, first, second, own in self._with_gradients(gradients):
            self._kernel(
                parameters,
                own,
                first,
                second,
                [],
                [self._step] * len(parameters),
                lr=config["lr"] * rate(config),
                beta1=config["beta1"],
                beta2=config["beta2"],
                weight_decay=config["weight_decay"],
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
            )


class _SGD(Grouped):
    """Stochastic gradient descent with Polyak's or Nesterov's momentum."""

    moments_needed = 1

    def step(self, gradients: Sequence[Tensor], rate: Rate = unchanged) -> None:
        for config, parameters, velocity, own in self._with_gradients(gradients):
            torch._fused_sgd_(
                parameters,
                own,
                velocity if config["momentum"] else [],
                weight_decay=config["weight_decay"],
                momentum=config["momentum"],
                lr=config["lr"] * rate(config),
                dampening=0.0,
                nesterov=config["nesterov"] and config["momentum"] > 0,
                maximize=False,
                is_first_step=False,
            )
