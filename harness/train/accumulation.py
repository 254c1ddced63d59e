"""A batch computed in parts, whose gradients are added up before the step is taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from harness.tasks.base import Batch, State
from harness.train.data_parallel import counted

Follow = Callable[[str, list[Tensor]], None]
"""Takes a step of a part's optimizer along its gradients."""


def step_in_parts(
    step: Callable[[State, Batch], Mapping[str, Tensor]],
    state: Callable[[Follow], State],
    batch: Batch,
    parts: int,
    follow: Follow,
    weigh: Callable[[float], None] | None = None,
) -> dict[str, Tensor]:
    """Take the step of a supervised task with the memory of a part of the batch.

    Each part's gradient counts as many times as it has targets, so that their sum is that of the
    mean loss of the whole batch.

    Args:
        step: of the task.
        state: of the trial, for what follows gradients.
        batch: the whole one.
        parts: in how many it is computed; fewer where it has fewer examples.
        follow: is called once, with the gradient of the whole batch.
        weigh: is told how much the next part counts, where its gradient comes from several
            processes: then each of them computes every part, also one that does not count.

    Returns:
        The losses of the whole batch, each of shape ().
    """
    sums: dict[str, list[Tensor]] = {}
    losses: dict[str, Tensor] = {}
    total = counted(batch.targets[None])
    pairs = zip(batch.inputs.tensor_split(parts), batch.targets.tensor_split(parts), strict=True)
    for inputs, targets in pairs:
        weight = counted(targets[None]) / total if len(targets) and total else 0.0
        if not weight and weigh is None:
            continue
        if weigh is not None:
            weigh(weight)
            if not len(targets):
                inputs, targets = batch.inputs[:1], batch.targets[:1]  # noqa: PLW2901

        def add(part: str, gradients: list[Tensor], weight: float = weight) -> None:
            scaled = [gradient * weight for gradient in gradients] if weigh is None else gradients
            before = sums.get(part)
            sums[part] = scaled if before is None else _added(before, scaled)

        found: Any = step(state(add), Batch(inputs, targets))
        for name, value in found.items():
            counts = value.detach() * weight if weight else torch.zeros_like(value)
            losses[name] = losses.get(name, 0.0) + counts
    for part, gradients in sums.items():
        follow(part, gradients)
    return losses


def _added(some: list[Tensor], more: list[Tensor]) -> list[Tensor]:
    return [one + other for one, other in zip(some, more, strict=True)]
