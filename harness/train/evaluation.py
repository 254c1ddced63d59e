"""Metrics of a split: summed over batches for a stack of networks, or as a task measures them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.errors import returned
from harness.own.imports import own_function
from harness.tasks import Batch, kept_outcomes
from harness.train.data_parallel import Ranks
from harness.train.device_data import DeviceData, Normalization
from harness.train.packed_program import Program
from harness.train.single_program import SingleProgram, TrialState
from harness.train.stack import Stack
from harness.trial import CLUSTER, LABEL, WEIGHT, Outcomes
from harness.workloads import Examples

EVALUATION_BATCH = {"cpu": 512, "cuda": 8192}  # at most; never depends on the number of members


@dataclass(frozen=True)
class IndexedSplit:
    """Examples of a split: those at `index`, (members, n), or (1, n) if all members share them."""

    data: DeviceData
    index: NDArray[Any]
    normalization: Normalization


def supervised_metrics(
    program: Program,
    stack: Stack,
    split: IndexedSplit,
    own: Mapping[str, str],
    ranks: Ranks | None = None,
) -> dict[str, Tensor]:
    """Return each metric of a supervised task, of shape (members,), in double precision.

    Args:
        program: of the networks.
        stack: the networks.
        split: the examples, before batches are made.
        own: metrics of the user's own, by name; they see the predictions for the whole split.
        ranks: the processes that share the work, if there are several.
    """
    objective, index, data = program.objective, split.index, split.data
    count = index.shape[1]
    assert objective is not None
    whole = objective.of_whole
    if own or whole or (ranks is not None and count < ranks.world_size):
        ranks = None  # each process evaluates the whole split
    most = count
    if ranks is not None:
        index, most = index[:, ranks.rank :: ranks.world_size], math.ceil(count / ranks.world_size)
    shape = (len(objective.reductions), len(stack))
    totals = torch.zeros(shape, dtype=torch.float64, device=data.device)
    seen, answers = [], []
    for examples in _batches(data, index, len(stack), most):
        inputs, targets = data.gather(examples, split.normalization, axis=0)
        scores = program.scores(stack, inputs, targets)
        for total, reduction, found in zip(totals, objective.reductions, scores, strict=True):
            if reduction == "sum":
                total.add_(found)
            else:
                torch.maximum(total, found, out=total)
        if whole:
            answers.append((program.answers(stack, inputs), targets))
        if own:
            assert isinstance(program, SingleProgram)
            with torch.no_grad():
                seen.append((program.outputs(program.task.main, inputs[0]), targets[0]))
    if ranks is not None:
        for total, reduction in zip(totals, objective.reductions, strict=True):
            ranks.all_reduce_sum(total) if reduction == "sum" else ranks.all_reduce_max(total)
    metrics = objective.metrics(totals, count)
    if whole:
        metrics |= whole(*(torch.cat(side, dim=1) for side in zip(*answers, strict=True)))
    if own:
        outputs, targets = (torch.cat(side) for side in zip(*seen, strict=True))
        metrics |= _as_tensors(measure(own, outputs, targets))
    return metrics


def _batches(
    data: DeviceData, index: NDArray[Any], members: int, most: int | None = None
) -> tuple[Tensor, ...]:
    """Divide examples, (members, n) or (1, n), into as few batches as there can be, as equal.

    `most` is the largest number of examples that any of several processes has, this one among them:
    they make as many batches, for to gather shares of weights takes all of them.
    """
    rows = torch.from_numpy(index).to(data.device).expand(members, -1)
    limit = EVALUATION_BATCH.get(data.device.type, EVALUATION_BATCH["cpu"])
    n = rows.shape[1]
    if most not in (None, n):
        return rows.tensor_split(math.ceil(most / math.ceil(most / math.ceil(most / limit))), dim=1)
    parts: tuple[Tensor, ...] = rows.split(math.ceil(n / math.ceil(n / limit)), dim=1)
    return parts


def example_outcomes(
    program: Program, stack: Stack, split: IndexedSplit
) -> dict[str, NDArray[np.float32]]:
    """Return each example's own number of the metrics `per_example` of a task, (members, n) each.

    In the order of the split, with the weight of each example if the task gives it.

    The networks answer once more, so that the metrics are computed as they are without it; no
    random number that training draws is used up.

    Raises:
        ValueError: if the task gives something else than it declares.
    """
    task, device = program.task, split.data.device
    kept = kept_outcomes(task, program.objective)
    if not kept:
        return {}
    found: dict[str, list[NDArray[np.float32]]] = {}
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        for examples in _batches(split.data, split.index, len(stack)):
            inputs, targets = split.data.gather(examples, split.normalization, axis=0)
            said = program.outcomes(stack, inputs, targets)
            shapes = {name: tuple(values.shape) for name, values in said.items()}
            names = [*task.per_example, *([WEIGHT] if WEIGHT in said else [])]
            wanted = dict.fromkeys(names, tuple(examples.shape))
            if shapes != wanted:
                raise ValueError(
                    f"`outcomes` of the task {task.name} gave {shapes}; expected {wanted}, a number"
                    " for each example"
                )
            for name in (*kept, *names[len(task.per_example) :]):
                found.setdefault(name, []).append(said[name].float().cpu().numpy())
    return {name: np.concatenate(parts, axis=1) for name, parts in found.items()}


def of_test(found: Mapping[str, NDArray[Any]], test: Examples) -> Outcomes:
    """Name what came of each test example as a record does, with what is known of the example.

    Args:
        found: what `example_outcomes` gives of one member, (n,) each.
        test: the examples, in the same order.
    """
    said: dict[str, NDArray[Any]] = {
        name if name == WEIGHT else f"test.{name}": values for name, values in found.items()
    }
    if said and test.clusters is not None:
        said[CLUSTER] = np.unique(test.clusters, return_inverse=True)[1].astype(np.int32)
    if said and test.targets.ndim == 1 and test.targets.dtype.kind in "iu":
        said[LABEL] = test.targets.astype(np.int32)
    if WEIGHT in said:
        said[WEIGHT] = said[WEIGHT].astype(np.int32)
        if (said[WEIGHT] == said[WEIGHT][0]).all():
            del said[WEIGHT]
    return said


def task_metrics(state: TrialState, stack: Stack, split: Batch) -> dict[str, Tensor]:
    """Return what a task that is not supervised measures on a split, each of shape (1,).

    Raises:
        ValueError: if it measures something else than it declares.
    """
    program = state.program
    program.bind(stack, training=False)
    with torch.no_grad():
        found: Any = program.task.evaluate(state, split)
    if not isinstance(found, Mapping):
        raise TypeError(returned("evaluate", program.task.name, found, "a mapping of metrics"))
    if set(found) != set(program.task.measures):
        raise ValueError(
            f"the task {program.task.name} measured {', '.join(found)}; it declares "
            f"{', '.join(program.task.measures)}"
        )
    return _as_tensors(found)


def _as_tensors(metrics: Mapping[str, float]) -> dict[str, Tensor]:
    return {
        name: torch.tensor([float(value)], dtype=torch.float64) for name, value in metrics.items()
    }


def measure(metrics: Mapping[str, str], outputs: Tensor, targets: Tensor) -> dict[str, float]:
    """Return each of the user's own metrics, of the predictions for a whole split.

    A value that is not finite is returned as it is.

    Raises:
        TypeError: if one returns something that is not a number.
    """
    return {name: one_number(function, outputs, targets) for name, function in metrics.items()}


def one_number(function: str, outputs: Tensor, targets: Tensor) -> float:
    """Return the value of one of the user's own metrics.

    Raises:
        TypeError: if it returns something that is not a number.
    """
    value = own_function(function)(outputs, targets)
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(
            f"{function} returned {type(value).__name__}; expected one number"
        ) from None
