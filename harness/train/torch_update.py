"""A step by an optimizer of PyTorch itself, or of a user, for a network that is trained alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from harness.own.imports import own_function
from harness.train.updates import Rate, unchanged


class TorchUpdate:
    """An optimizer of torch.optim's kind on a stack of one member, whose tensors it changes."""

    def __init__(self, configs: Sequence[Mapping[str, Any]], parameters: Sequence[Tensor]):
        if len(configs) != 1:
            raise ValueError(f"{configs[0]['name']} takes one network at a time")
        self._config, name = configs[0], configs[0]["name"]
        settings = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in configs[0].get("settings", {}).items()
        }
        self._views = [nn.Parameter(parameter[0]) for parameter in parameters]
        own = ":" in name
        kind: Any = own_function(name) if own else getattr(torch.optim, name.rpartition(".")[2])
        self._optimizer: torch.optim.Optimizer = kind(
            self._views, lr=self._config["lr"], **settings
        )
        if not isinstance(self._optimizer, torch.optim.Optimizer):
            found = type(self._optimizer).__name__
            raise TypeError(f"{name} returned {found}; expected a torch.optim.Optimizer")

    def step(self, gradients: Sequence[Tensor], rate: Rate = unchanged) -> None:
        """See `Update`."""
        for view, gradient in zip(self._views, gradients, strict=True):
            view.grad = gradient[0]
        for group in self._optimizer.param_groups:
            group["lr"] = self._config["lr"] * rate(self._config)
        self._optimizer.step()

    def keep(self, rows: Sequence[int], parameters: Sequence[Tensor]) -> None:
        """See `Update`."""
        del rows  # there is one
        for view, parameter in zip(self._views, parameters, strict=True):
            view.data = parameter[0]

    def state(self) -> dict[str, Any]:
        """See `Update`."""
        return dict(self._optimizer.state_dict())

    def load(self, state: Mapping[str, Any]) -> None:
        """See `Update`."""
        self._optimizer.load_state_dict(dict(state))
