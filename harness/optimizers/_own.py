"""Optimizers of PyTorch's kind: a user's own class, and what a step by such an optimizer is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.components.base import FUNCTION
from harness.lazy import torch
from harness.optimizers.base import Optimizer, Rate, Scheduled, Update, unchanged
from harness.own.imports import own_function

if TYPE_CHECKING:
    from torch import Tensor


class OfTorch(Optimizer):
    """An optimizer whose steps are those of a `torch.optim.Optimizer`."""

    settings: dict[str, Any] = Field(default_factory=dict, description="its other arguments")

    packable: ClassVar[bool] = False

    def found(self) -> Any:
        """Return the class of the optimizer."""
        raise NotImplementedError

    @classmethod
    def begin(cls, members: Sequence[Scheduled], parameters: Sequence[Tensor]) -> Update:
        """See `Optimizer`."""
        return TorchUpdate(members[0], parameters)


class OwnOptimizer(OfTorch):
    """Your own class, `package.module:Class`, of torch.optim.Optimizer.

    It is called as Class(parameters, lr=lr, **settings). Its networks are trained alone, not in
    packs.
    """

    name: str = Field(pattern=FUNCTION)
    lr: float = Field(gt=0, description="learning rate")

    def found(self) -> Any:
        """See `OfTorch`."""
        return own_function(self.name)


class TorchUpdate:
    """An optimizer of torch.optim's kind on a stack of one member, whose tensors it changes."""

    def __init__(self, member: Scheduled, parameters: Sequence[Tensor]):
        optimizer = member.optimizer
        assert isinstance(optimizer, OfTorch)
        self._member = member
        settings = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in optimizer.settings.items()
        }
        self._views = [torch.nn.Parameter(parameter[0]) for parameter in parameters]
        self._optimizer = optimizer.found()(self._views, lr=optimizer.lr, **settings)
        if not isinstance(self._optimizer, torch.optim.Optimizer):
            found = type(self._optimizer).__name__
            raise TypeError(f"{optimizer.name} returned {found}; expected a torch.optim.Optimizer")

    def step(self, gradients: Sequence[Tensor], rate: Rate = unchanged) -> None:
        """See `Update`."""
        for view, gradient in zip(self._views, gradients, strict=True):
            view.grad = gradient[0]
        for group in self._optimizer.param_groups:
            group["lr"] = self._member.optimizer.lr * rate(self._member)
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
