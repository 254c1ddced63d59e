"""What every optimizer must do to be compared fairly with others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor

from harness.optimizers.base import Scheduled, Update, begin
from harness.registry import OPTIMIZERS, setting

Case = dict[str, Any] | str
"""An optimizer as a study file names it."""


@pytest.mark.usefixtures("one_thread")
class OptimizerConformance:
    """Inherit from it, and list what is to be tested:

    class TestOptimizer(OptimizerConformance):
        harness_cases = ["adam", {"name": "acme.optim:Lion", "lr": 1e-3, "settings": {}}]
    """

    harness_cases: ClassVar[Sequence[Case]] = ()
    steps: ClassVar[int] = 200  # down a bowl, until the loss has fallen by a tenth

    def test_it_descends(self, case: Case) -> None:
        """It can learn at all."""
        parameters = start()
        before = height(parameters)
        walk(made(case, parameters), parameters, self.steps)
        assert height(parameters) < 0.9 * before

    def test_equal_starts_take_equal_steps(self, case: Case) -> None:
        """There is no chance in it but what the seed draws elsewhere."""
        one, other = start(), start()
        walk(made(case, one), one, 10)
        walk(made(case, other), other, 10)
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))

    def test_it_goes_on_from_its_state(self, case: Case) -> None:
        """A trial that was interrupted ends as if it had not been."""
        whole, broken = start(), start()
        walk(made(case, whole), whole, 10)
        first = made(case, broken)
        walk(first, broken, 6)
        later = [parameter.clone() for parameter in broken]
        second = made(case, later)
        second.load(first.state())
        walk(second, later, 4)
        assert all(torch.equal(a, b) for a, b in zip(whole, later, strict=True))

    def test_a_rate_of_zero_changes_nothing(self, case: Case) -> None:
        """It follows its learning rate, which schedules change from step to step."""
        parameters = start()
        update = made(case, parameters)
        walk(update, parameters, 3)
        before = [parameter.clone() for parameter in parameters]
        update.step(slopes(parameters), lambda _: 0.0)
        assert all(torch.equal(a, b) for a, b in zip(before, parameters, strict=True))


def made(case: Case, parameters: Sequence[Tensor]) -> Update:
    """Make the optimizer of a case, its defaults filled in as a study file does."""
    settings: Any = TypeAdapter(setting(OPTIMIZERS)).validate_json(json.dumps(case))
    return begin([Scheduled.read(settings.model_dump(mode="json"))], parameters)


def start() -> list[Tensor]:
    """Return the parameters of one network, each with an axis of one in front."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(1, *shape, generator=generator) / 2 for shape in [(4, 3), (4,)]]


def height(parameters: Sequence[Tensor]) -> float:
    """Return how high parameters lie in a bowl that is steeper in some directions."""
    return sum(float((steepness(parameter) * parameter**2).sum() / 2) for parameter in parameters)


def slopes(parameters: Sequence[Tensor]) -> list[Tensor]:
    """Return the gradient of the height."""
    return [steepness(parameter) * parameter.detach() for parameter in parameters]


def steepness(parameter: Tensor) -> Tensor:
    """Return the curvature of the bowl in each direction, from a half to two."""
    return torch.linspace(0.5, 2, parameter.numel()).reshape(parameter.shape)


def walk(update: Update, parameters: Sequence[Tensor], steps: int) -> None:
    """Take some steps down."""
    for _ in range(steps):
        update.step(slopes(parameters))
