"""What an optimizer is: its settings, what it keeps of each parameter, and one step.

An optimizer is one class in one module of this package. Several networks, the members of a pack,
may be trained at once: their parameters are stacked, and members with equal settings that stand
side by side take one step together. A step must therefore treat every number by itself, as all the
optimizers do that PyTorch calls `foreach`; one that does not says `packable = False` and is given
one network at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from harness.components.base import Component
from harness.lazy import torch
from harness.registry import OPTIMIZERS, SCHEDULES
from harness.schedules.base import Schedule

if TYPE_CHECKING:
    from torch import Tensor

    Tensors = list[Tensor]

EPSILON = 1e-8  # of Adam, as in its paper and in torch.optim

VECTOR = 32
"""Numbers that a CPU's kernels take at once. What is left at a tensor's end is rounded otherwise:
a member's tensor must end where it would end alone, or be made of whole vectors."""


class Optimizer(Component):
    """An optimizer. A subclass has a `name` of one value, which is also its module's name."""

    name: str
    lr: float

    divides: ClassVar[str | None] = None
    """What a step divides the gradient by, so that a rate means other steps: "recent" or "all"
    earlier gradients, "" for nothing; None where nobody said."""
    moments: ClassVar[int] = 0
    """How many numbers it keeps of each number of a parameter, such as running averages."""
    packable: ClassVar[bool] = True
    """Whether a step treats every number by itself, so that several networks may be stacked."""

    def step(self, parameters: Tensors, gradients: Tensors, lr: float, memory: Memory) -> None:
        """Take one step, by changing the parameters in place.

        Args:
            parameters: of members that share these settings, each perhaps with an axis of members
                in front; those of the network itself where it is not packable.
            gradients: in the same order and of the same shapes; they must not be changed.
            lr: the learning rate of this step, after the schedule.
            memory: what is kept from step to step, to be changed in place.
        """
        raise NotImplementedError

    @classmethod
    def begin(cls, members: Sequence[Scheduled], parameters: Sequence[Tensor]) -> Update:
        """Return what takes the steps of a stack of networks; see the function `begin`."""
        return Stacked(members, parameters)


class Time:
    """How many steps were taken, the present one included, as a number and on a device."""

    def __init__(self) -> None:
        self.steps = 0
        self._tensor: Tensor | None = None
        self._shown = 0

    def on(self, device: Any) -> Tensor:
        """Return the number of steps as a tensor of shape ()."""
        if self._tensor is None:
            self._tensor = torch.zeros((), device=device)
        if self._shown != self.steps:
            self._tensor += self.steps - self._shown
            self._shown = self.steps
        return self._tensor


@dataclass
class Memory:
    """What an optimizer keeps from step to step, of members that share their settings.

    Attributes:
        moments: as many lists as the optimizer's `moments`, each like the parameters; 0 at first.
        time: how many steps were taken, the present one included.
        numbers: whatever else it keeps, by name; empty at first.
    """

    moments: list[Tensors]
    time: Time
    numbers: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Scheduled:
    """What decides a member's steps: an optimizer, and the schedule of its learning rate."""

    optimizer: Optimizer
    schedule: Schedule

    @classmethod
    def read(cls, optimizer: Mapping[str, Any], schedule: Mapping[str, Any] | None = None) -> Self:
        """Return what the settings of a resolved workload say."""
        return cls(OPTIMIZERS.read(optimizer), SCHEDULES.read(schedule or {"name": "constant"}))


Rate = Callable[[Scheduled], float]
"""From a member's optimizer and schedule to what its learning rate is multiplied by."""


def unchanged(_: Scheduled) -> float:
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


def begin(members: Sequence[Scheduled], parameters: Sequence[Tensor]) -> Update:
    """Return what takes the steps of a stack of networks.

    Args:
        members: what decides each member's steps; their optimizers are of one class. Equal ones
            should stand side by side.
        parameters: of the stack, each (members, ...) and contiguous.

    Raises:
        ValueError: if the optimizer takes one network at a time and there are several.
    """
    optimizer = members[0].optimizer
    if not optimizer.packable and len(members) > 1:
        raise ValueError(f"{optimizer.name} takes one network at a time")
    return optimizer.begin(members, parameters)


class Stacked:
    """The steps of members, in runs of equal settings that stand side by side."""

    def __init__(self, members: Sequence[Scheduled], parameters: Sequence[Tensor]):
        self._time = Time()
        moments = [
            [torch.zeros_like(parameter) for parameter in parameters]
            for _ in range(members[0].optimizer.moments)
        ]
        self._arrange(members, parameters, moments, [{} for _ in members])

    def _arrange(
        self,
        members: Sequence[Scheduled],
        parameters: Sequence[Tensor],
        moments: list[Tensors],
        numbers: Sequence[dict[str, float]],
    ) -> None:
        self._members, self._moments = list(members), moments
        runs = [(member, len(list(alike))) for member, alike in groupby(members)]
        self._sizes = [size for _, size in runs]
        starts = [sum(self._sizes[:place]) for place in range(len(runs))]
        self._runs = [
            (member, own, Memory(list(kept), self._time, dict(numbers[start])))
            for (member, _), start, own, *kept in zip(
                runs, starts, *map(self._by_run, (parameters, *moments)), strict=True
            )
        ]

    def _by_run(self, tensors: Sequence[Tensor]) -> list[Tensors]:
        if not self._members[0].optimizer.packable:
            return [[tensor[0] for tensor in tensors]]
        if len(self._sizes) == 1 and self._sizes[0] == 1:
            return [list(tensors)]
        runs: list[Tensors] = [[] for _ in self._sizes]
        for tensor in tensors:
            whole = tensor.device.type != "cpu" or tensor[0].numel() % VECTOR == 0
            for run, part in zip(runs, tensor.split(self._sizes), strict=True):
                run.extend([part] if whole else part.unbind())
        return runs

    def step(self, gradients: Sequence[Tensor], rate: Rate = unchanged) -> None:
        """See `Update`."""
        self._time.steps += 1
        pairs = zip(self._runs, self._by_run(gradients), strict=True)
        for (member, parameters, memory), own in pairs:
            optimizer = member.optimizer
            optimizer.step(parameters, own, optimizer.lr * rate(member), memory)

    def keep(self, rows: Sequence[int], parameters: Sequence[Tensor]) -> None:
        """See `Update`."""
        index = torch.tensor(rows, device=parameters[0].device)
        moments = [[value.index_select(0, index) for value in kind] for kind in self._moments]
        numbers = self._numbers()
        self._arrange([self._members[row] for row in rows], parameters, moments,
                      [numbers[row] for row in rows])  # fmt: skip

    def _numbers(self) -> list[dict[str, float]]:
        """Return each member's own numbers."""
        pairs = zip(self._runs, self._sizes, strict=True)
        return [memory.numbers for (_, _, memory), size in pairs for _ in range(size)]

    def state(self) -> dict[str, Any]:
        """See `Update`."""
        return {"moments": self._moments, "steps": self._time.steps, "numbers": self._numbers()}

    def load(self, state: Mapping[str, Any]) -> None:
        """See `Update`."""
        for own, saved in zip(self._moments, state["moments"], strict=True):
            for tensor, value in zip(own, saved, strict=True):
                tensor.copy_(value)
        self._time.steps = state["steps"]
        place = 0
        for (_, _, memory), size in zip(self._runs, self._sizes, strict=True):
            memory.numbers = dict(state["numbers"][place])
            place += size


def with_penalty(gradients: Tensors, parameters: Tensors, weight: float) -> Tensors:
    """Return gradients with that of an L2 penalty; the same ones if its weight is 0."""
    if not weight:
        return gradients
    return list(torch._foreach_add(gradients, parameters, alpha=weight))


def average(averages: Tensors, values: Tensors, keep: float) -> None:
    """Move running averages, in place, by values; `keep` is the share of the old ones."""
    torch._foreach_lerp_(averages, values, 1 - keep)


def average_squares(averages: Tensors, values: Tensors, keep: float) -> None:
    """Move running averages of squares, in place; see `average`."""
    torch._foreach_mul_(averages, keep)
    torch._foreach_addcmul_(averages, values, values, value=1 - keep)
