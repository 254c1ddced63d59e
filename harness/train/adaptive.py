"""Optimizers for which PyTorch has no fused kernel, on stacks of networks.

The arithmetic is that of `torch.optim` with `foreach=True`, one list of tensors for each run of
members with equal settings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from harness.train.updates import EPSILON, Grouped, Rate, unchanged

Settings = Mapping[str, Any]
Tensors = list[Tensor]

_ADAGRAD_EPSILON = 1e-10  # torch.optim's


class _Adaptive(Grouped):
    """One call of `_update` for each run of members with equal settings."""

    def __init__(self, configs: Sequence[Settings], parameters: Sequence[Tensor]):
        super().__init__(configs, parameters)
        self._step = 0

    def state(self) -> dict[str, Any]:
        return {**super().state(), "step": self._step}

    def load(self, state: Mapping[str, Any]) -> None:
        super().load(state)
        self._step = state["step"]

    def step(self, gradients: Sequence[Tensor], rate: Rate = unchanged) -> None:
        self._step += 1
        for config, parameters, *moments, own in self._with_gradients(gradients):
            if config["weight_decay"]:
                own = torch._foreach_add(own, parameters, alpha=config["weight_decay"])  # noqa: PLW2901
            self._update(config, config["lr"] * rate(config), parameters, own, moments)

    def _update(
        self, config: Settings, lr: float, parameters: Tensors, own: Tensors, moments: list[Tensors]
    ) -> None:
        raise NotImplementedError


class RMSprop(_Adaptive):
    """RMSprop (Hinton 2012)."""

    moments_needed = 2

    def _update(
        self, config: Settings, lr: float, parameters: Tensors, own: Tensors, moments: list[Tensors]
    ) -> None:
        squares, velocity = moments
        _average_squares(squares, own, config["smoothing"])
        scale = torch._foreach_sqrt(squares)
        torch._foreach_add_(scale, EPSILON)
        if config["momentum"]:
            torch._foreach_mul_(velocity, config["momentum"])
            torch._foreach_addcdiv_(velocity, own, scale)
            torch._foreach_add_(parameters, velocity, alpha=-lr)
        else:
            torch._foreach_addcdiv_(parameters, own, scale, value=-lr)


class Adagrad(_Adaptive):
    """Adagrad (Duchi et al. 2011)."""

    moments_needed = 1

    def _update(
        self, config: Settings, lr: float, parameters: Tensors, own: Tensors, moments: list[Tensors]
    ) -> None:
        (sums,) = moments
        torch._foreach_addcmul_(sums, own, own, value=1)
        scale = torch._foreach_sqrt(sums)
        torch._foreach_add_(scale, _ADAGRAD_EPSILON)
        rate = lr / (1 + (self._step - 1) * config["lr_decay"])
        torch._foreach_addcdiv_(parameters, own, scale, value=-rate)


class NAdam(_Adaptive):
    """NAdam (Dozat 2016)."""

    moments_needed = 2

    def __init__(self, configs: Sequence[Settings], parameters: Sequence[Tensor]):
        super().__init__(configs, parameters)
        self._products: dict[tuple[float, float], tuple[int, float]] = {}

    def state(self) -> dict[str, Any]:
        """See `Update`."""
        return {**super().state(), "products": self._products}

    def load(self, state: Mapping[str, Any]) -> None:
        """See `Update`."""
        super().load(state)
        self._products = dict(state["products"])

    def _update(
        self, config: Settings, lr: float, parameters: Tensors, own: Tensors, moments: list[Tensors]
    ) -> None:
        first, second = moments
        _average(first, own, config["beta1"])
        _average_squares(second, own, config["beta2"])
        scale = torch._foreach_sqrt(second)
        torch._foreach_div_(scale, math.sqrt(1 - config["beta2"] ** self._step))
        torch._foreach_add_(scale, EPSILON)
        now, following = self._momentum(config, self._step), self._momentum(config, self._step + 1)
        product = self._product(config, now)
        weight = -lr * (1 - now) / (1 - product)
        torch._foreach_addcdiv_(parameters, own, scale, value=weight)
        weight = -lr * following / (1 - product * following)
        torch._foreach_addcdiv_(parameters, first, scale, value=weight)

    def _momentum(self, config: Settings, step: int) -> float:
        momentum: float = config["beta1"] * (1 - 0.5 * 0.96 ** (step * config["momentum_decay"]))
        return momentum

    def _product(self, config: Settings, momentum: float) -> float:
        """Return the product of the momenta of all steps so far, the same for equal settings."""
        key = (config["beta1"], config["momentum_decay"])
        done, product = self._products.get(key, (0, 1.0))
        if done < self._step:
            product *= momentum
            self._products[key] = (self._step, product)
        return product


class RAdam(_Adaptive):
    """RAdam (Liu et al. 2020)."""

    moments_needed = 2

    def _update(
        self, config: Settings, lr: float, parameters: Tensors, own: Tensors, moments: list[Tensors]
    ) -> None:
        first, second = moments
        _average(first, own, config["beta1"])
        _average_squares(second, own, config["beta2"])
        power = config["beta2"] ** self._step
        longest = 2 / (1 - config["beta2"]) - 1
        length = longest - 2 * self._step * power / (1 - power)
        rate = lr / (1 - config["beta1"] ** self._step)
        if length <= 5:  # too few gradients for a variance: a step of plain momentum
            torch._foreach_add_(parameters, first, alpha=-rate)
            return
        rectified = ((length - 4) * (length - 2) * longest) / (
            (longest - 4) * (longest - 2) * length
        )
        scale = torch._foreach_sqrt(second)
        torch._foreach_add_(scale, EPSILON)
        weight = -rate * math.sqrt(rectified) * math.sqrt(1 - power)
        torch._foreach_addcdiv_(parameters, first, scale, value=weight)


def _average(averages: Tensors, values: Tensors, keep: float) -> None:
    torch._foreach_lerp_(averages, values, 1 - keep)


def _average_squares(averages: Tensors, values: Tensors, keep: float) -> None:
    torch._foreach_mul_(averages, keep)
    torch._foreach_addcmul_(averages, values, values, value=1 - keep)


ADAPTIVE: dict[str, type[_Adaptive]] = {
    "rmsprop": RMSprop,
    "adagrad": Adagrad,
    "nadam": NAdam,
    "radam": RAdam,
}
