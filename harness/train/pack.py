"""A pack: trials of one shape that are trained together, as one stack of networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.data_spec import Form
from harness.errors import returned
from harness.layers import layer_groups
from harness.optimizers.base import Rate, Scheduled, Update, begin, unchanged
from harness.probes import class_of
from harness.schedules.base import Horizon
from harness.seeding import stream
from harness.tasks import Batch, Supervised
from harness.train.accumulation import step_in_parts
from harness.train.augmentation import augmented
from harness.train.checkpoints import Checkpoints
from harness.train.data_parallel import Ranks, mean_over_ranks, own_shard
from harness.train.device_data import DeviceData, Division, Normalization
from harness.train.evaluation import (
    IndexedSplit,
    example_outcomes,
    of_test,
    supervised_metrics,
    task_metrics,
)
from harness.train.initial import initial_network
from harness.train.packed_program import PackedProgram, Program, program_for
from harness.train.sharding import ShardedProgram
from harness.train.single_program import SingleProgram, TrialState
from harness.train.soft_targets import soft_targets_of
from harness.train.stack import Stack, state_names
from harness.train.stage_products import StagesByRole, stages_of
from harness.train.transfer import frozen_groups
from harness.train.updates import (
    LayerwiseUpdate,
    SummedGradients,
    at_step,
    clipped,
    threshold_for,
    update_for,
)
from harness.trial import Outcomes, Phase, Trial
from harness.workloads.settings import TrialSettings, read_settings

DROP_FROM = 1 / 8  # share of a stack that has left before the rest moves together

Point = dict[str, float]


@dataclass(frozen=True)
class PackContext:
    """What the trials of a pack share.

    Attributes:
        data: of training and validation, on the device.
        test: the test split; None in a search.
        form: of the data.
        program: computes steps and evaluations.
        given: the stages that the trials use, by role.
        tokens: the text of each token id, where it is known.
        columns: the column of a table that each input was made of, where it is known.
        checkpoints: where a trial that trains alone is saved.
        ranks: the processes that train a trial together, if there are several.
    """

    data: DeviceData
    test: DeviceData | None
    form: Form
    program: Program
    given: StagesByRole = field(default_factory=dict)
    tokens: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    checkpoints: Checkpoints | None = None
    ranks: Ranks | None = None


@dataclass
class Member:
    """One trial of a pack, and what is known of its training so far."""

    trial: Trial
    settings: TrialSettings
    division: Division
    order: np.random.Generator
    best: float = -math.inf  # a lower-is-better metric counts with its sign turned
    best_epoch: int = 0
    seconds: float = 0.0
    gone: bool = False
    curve: list[Point] = field(default_factory=list)


class Pack:
    """Trials in training. A row stays with its member until the stack is made smaller."""

    def __init__(self, trials: Sequence[Trial], context: PackContext):
        self.context = context
        self.settings = read_settings(trials[0].workload)
        self.members = [
            Member(
                trial,
                read_settings(trial.workload),
                context.data.division_of(trial),
                np.random.default_rng(stream(trial.seed_of("order"), "order")),
            )
            for trial in trials
        ]
        self.stack = initial_stack(trials, context)
        wants_initial = any(class_of(p).needs_initial for t in trials for p in t.probes)
        everyone = range(len(trials))
        self.initial = self.stack.rows(everyone) if wants_initial else None
        self.best = self.stack.rows(everyone)
        self.augmentation = augmented(self.settings.augmentation, trials, context.data.shape)
        self.soft = soft_targets_of(context.program.objective, context.form, self.augmentation)
        self.transfer = self.settings.transfer
        self.stages = stages_of(context.given, context.data.device, lambda: self.normalization)
        self.updates = self._make_updates()
        self.summed = None if self.settings.clear_gradients else SummedGradients()
        self.frozen = self._frozen(1)
        own = stream(trials[0].seed_of("order"), self._draws())
        self.generator = torch.Generator().manual_seed(own)
        self.steps = 0
        self.noted: dict[str, float] = {}
        self._arrange()

    @property
    def live(self) -> list[Member]:
        """Members that have not left."""
        return [member for member in self.members if not member.gone]

    def begin_epoch(self, epoch: int) -> None:
        """Unfreeze the layers that train from this epoch on, counted from 1."""
        frozen = self._frozen(epoch)
        if frozen == self.frozen:
            return
        before = state_names(self.context.program.template)
        trial, device = self.members[0].trial, self.context.data.device
        program = program_for(trial, self.context.form, device, frozen)
        after = state_names(program.template)
        self.frozen, self.context = frozen, replace(self.context, program=program)
        self.stack = self.stack.arranged(before, after)
        self.best = self.best.arranged(before, after)
        self.initial = self.initial.arranged(before, after) if self.initial else None
        update = self.updates[program.task.main]
        assert isinstance(update, LayerwiseUpdate)
        update.extend(after[0], self.stack.parameters)
        self._arrange()

    def train_epoch(self) -> dict[str, Tensor]:
        """Take one step per batch; return each member's mean losses, each of shape (members,)."""
        totals: dict[str, Tensor] = {}
        per_epoch = math.ceil(len(self.members[0].division.train) / self.settings.batch_size)
        horizon = Horizon(self.settings.epochs * per_epoch, per_epoch)
        for step, (inputs, targets) in enumerate(self.batches()):
            losses = self.step(inputs, targets, at_step(self.steps + step, horizon))
            for name, values in losses.items():
                if name in totals:
                    totals[name] += values
                else:
                    totals[name] = values.double()
        self.steps += per_epoch
        return {name: total.div_(per_epoch).float() for name, total in totals.items()}

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of an epoch as steps take them, each (members, batch, ...)."""
        data, size = self.context.data, self.settings.batch_size
        order = np.stack(
            [member.division.train[member.order.permutation(len(member.division.train))]
             for member in self.members]
        )  # fmt: skip
        if self.augmentation is not None:
            self.augmentation.draw(order.shape[1], data.device)
        for step, (inputs, targets) in enumerate(data.batches(order, size, self.normalization)):
            if self.augmentation is not None:
                inputs = self.augmentation.apply(inputs, step * size, self.darkness)  # noqa: PLW2901
            if self.soft is not None:
                inputs, targets = self.soft.of(inputs, targets, step * size)  # noqa: PLW2901
            yield inputs, targets

    def step(self, inputs: Tensor, targets: Tensor, rate: Rate = unchanged) -> dict[str, Tensor]:
        """Take one step on batches of shape (members, batch, ...); return losses (members,).

        A pack of several members computes at once what the step of their task would do for each.
        """
        program, ranks, weight = self.context.program, self.context.ranks, 1.0
        weigh = None
        if ranks is not None:
            part, weight = own_shard(ranks, targets)
            inputs, targets = inputs[:, part], targets[:, part]
        if isinstance(program, ShardedProgram):
            weigh = program.weighing(weight)

        def follow(part: str, gradients: list[Tensor]) -> None:
            if ranks is not None and weigh is None:
                gradients = mean_over_ranks(ranks, gradients, weight)
            if self.summed is not None:
                gradients = self.summed.add(part, gradients)
            if self.limits is not None:
                together = ranks.all_reduce_sum if ranks is not None and weigh else None
                gradients = clipped(gradients, self.limits, together)
            if part not in self.updates:
                raise ValueError(f"part '{part}' has no optimizer: return one from `optimizers`")
            self.updates[part].step(gradients, rate)
            if self.threshold is not None:
                self.threshold.apply(self.stack.parameters, rate)

        if isinstance(program, PackedProgram):
            gradients, losses = program.gradients(self.stack, inputs, targets)
            follow(program.task.main, gradients)
            shown = {"loss": losses}
        else:
            program.bind(self.stack, training=True)
            batch, parts = Batch(inputs[0], targets[0]), self.settings.accumulate
            found: Any
            if parts > 1:
                found = step_in_parts(
                    program.task.step, partial(self._state, program, self.generator), batch, parts,
                    follow, weigh,
                )  # fmt: skip
            else:
                found = program.task.step(self._state(program, self.generator, follow), batch)
            if not isinstance(found, Mapping):
                raise TypeError(returned("step", program.task.name, found, "a mapping of losses"))
            shown = {name: value.detach().reshape(1) for name, value in found.items()}
        if ranks is not None:
            values = mean_over_ranks(ranks, [value.double() for value in shown.values()], weight)
            shown = dict(zip(shown, values, strict=True))
        return shown

    def _state(
        self,
        program: SingleProgram,
        generator: torch.Generator,
        follow: Callable[[str, list[Tensor]], None],
    ) -> TrialState:
        context = self.context
        return TrialState(
            program, context.form, context.data.device, generator, self.stages, follow
        )

    def _draws(self) -> str:
        """Return the name of the random stream of the task's own draws: each rank has another."""
        ranks = self.context.ranks
        return "task" if ranks is None or ranks.rank == 0 else f"task rank {ranks.rank}"

    def validate(self) -> dict[str, Tensor]:
        """Return each metric on the validation parts, of shape (members,)."""
        return self._evaluate(self.stack, "validation", self.members, self.normalization)

    def keep_best(self, rows: Sequence[int]) -> None:
        """Remember the present weights of some members."""
        if rows:
            self.best.copy_rows(self.stack, rows)

    def drop_gone(self) -> None:
        """Make the stack smaller once enough members have left."""
        gone = len(self.members) - len(self.live)
        if gone < max(1.0, DROP_FROM * len(self.members)) or not self.live:
            return
        rows = [row for row, member in enumerate(self.members) if not member.gone]
        self.members = self.live
        self.stack, self.best = self.stack.rows(rows), self.best.rows(rows)
        self.initial = self.initial.rows(rows) if self.initial else None
        for update in self.updates.values():  # of one part: tasks of several train alone
            update.keep(rows, self.stack.parameters)
        if self.augmentation is not None:
            self.augmentation.keep(rows)
        if self.summed is not None:
            self.summed.keep(rows)
        self._arrange()

    def final_metrics(self, rows: Sequence[int], best: Stack) -> list[dict[str, float]]:
        """Return the metrics of some members with their best weights; reads the test split."""
        members = [self.members[row] for row in rows]
        normalization = Normalization([m.division for m in members], self.context.data.device)
        parts = ["train", "validation", *(["test"] if self.context.test is not None else [])]
        found = {
            f"{part}.{metric}": values.tolist()
            for part in parts
            for metric, values in self._evaluate(best, part, members, normalization).items()
        }
        return [
            {name: values[place] for name, values in found.items()} for place in range(len(members))
        ]

    def outcomes(self, rows: Sequence[int], best: Stack) -> list[Outcomes]:
        """Return what is known of each test example, of some members with their best weights."""
        members, test = [self.members[row] for row in rows], self.context.test
        if test is None or members[0].trial.phase is not Phase.CONFIRMATION:
            return [{} for _ in members]
        normalization = Normalization([m.division for m in members], self.context.data.device)
        split = IndexedSplit(test, np.arange(len(test))[None], normalization)
        found = example_outcomes(self.context.program, best, split)
        return [
            of_test({name: values[place] for name, values in found.items()}, test.source)
            for place in range(len(members))
        ]

    def sizes(self) -> dict[str, float]:
        """Return the number of parameters, and of those that are trained where some are not."""
        template = self.context.program.template
        trained = sum(value.numel() for value in template.parameters() if value.requires_grad)
        kept = sum(value.numel() for value in template.parameters() if not value.requires_grad)
        if not (self.transfer or kept):
            return {"parameters": float(trained)}
        return {"parameters": float(trained + kept), "trained_parameters": float(trained)}

    def _evaluate(
        self, stack: Stack, part: str, members: Sequence[Member], normalization: Normalization
    ) -> dict[str, Tensor]:
        """Return each metric of the task, of shape (members,), in double precision."""
        data, test = self.context.data, self.context.test
        if part == "test":
            assert test is not None
            data, index = test, np.arange(len(test))[None]
        else:
            index = np.stack([getattr(member.division, part) for member in members])
        program, own = self.context.program, self.settings.metrics
        if program.objective is not None:
            ranks = self.context.ranks
            return supervised_metrics(
                program, stack, IndexedSplit(data, index, normalization), own, ranks
            )
        assert isinstance(program, SingleProgram)
        rows = torch.from_numpy(index).to(data.device)
        inputs, targets = data.gather(rows, normalization, axis=0)
        seed = stream(members[0].trial.seed, "evaluation")  # the same draws in each evaluation
        state = self._state(program, torch.Generator().manual_seed(seed), _no_update)
        return task_metrics(state, stack, Batch(inputs[0], targets[0]))

    def _make_updates(self) -> dict[str, Update]:
        """Return the optimizer of each part."""
        program, stack = self.context.program, self.stack
        template, task = program.template, program.task
        several = isinstance(program, SingleProgram) and len(program.places) > 1
        if isinstance(program, SingleProgram) and (several or not isinstance(task, Supervised)):
            return {
                part: begin(
                    [Scheduled(optimizer, self.settings.schedule)],
                    [stack.parameters[place] for place in program.places[part]],
                )
                for part, optimizer in task.optimizers(self.settings).items()
            }
        steps = [member.settings.scheduled for member in self.members]
        return {task.main: update_for(steps, template, stack, self.transfer)}

    def _frozen(self, epoch: int) -> int:
        if not self.transfer:
            return 0
        groups = len(layer_groups(self.context.program.template))
        return frozen_groups(self.transfer, groups, epoch)

    def _arrange(self) -> None:
        """Stack the clipping limits and normalizations of the members, in the order of rows."""
        data = self.context.data
        limits = [member.settings.clip for member in self.members]
        self.limits = None if limits[0] is None else torch.tensor(limits, device=data.device)
        penalties = [(member.settings.scheduled, member.settings.l1) for member in self.members]
        self.threshold = threshold_for(penalties, self.context.program.template, self.transfer)
        divisions = [member.division for member in self.members]
        self.normalization = Normalization(divisions, data.device)
        if self.soft is not None:
            self.soft.weigh(divisions, data)
        if self.augmentation is not None:
            dark = torch.zeros(len(divisions), 1, *data.shape, device=data.device)
            self.darkness = self.normalization.apply_(dark, axis=0)


def initial_stack(trials: Sequence[Trial], context: PackContext) -> Stack:
    """Return the trials' networks with their initial weights.

    Raises:
        ValueError: if transferred weights are missing or fit no layer, or nothing would train.
    """
    program = context.program
    if isinstance(program, ShardedProgram):
        return program.stack()
    task, form, given, ranks = program.task, context.form, context.given, context.ranks
    networks = [initial_network(task, trial, form, given, ranks) for trial in trials]
    stack = Stack.of(networks)
    device = context.data.device
    return Stack(
        [tensor.to(device) for tensor in stack.parameters],
        [tensor.to(device) for tensor in stack.buffers],
    )


def _no_update(part: str, gradients: list[Tensor]) -> None:
    del gradients
    raise RuntimeError(f"an evaluation must not train: it asked for an update of {part}")
