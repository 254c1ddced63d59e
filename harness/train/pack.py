"""Trials of one shape in training, as one stack of networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.data_spec import Form
from harness.layers import layer_groups, seed_dropout
from harness.metrics import functions
from harness.optimizers.base import Rate, Scheduled, Update, begin, unchanged
from harness.probes import class_of
from harness.schedules.base import Horizon
from harness.seeding import stream
from harness.tasks import Batch, Supervised
from harness.train.augmentation import Augmented
from harness.train.checkpoints import Checkpoints
from harness.train.clipping import clipped
from harness.train.given import Roles, StageInUse
from harness.train.layered import LayeredUpdate, update_for
from harness.train.own_objective import measure
from harness.train.program import PackedProgram, Program, program_for
from harness.train.ranks import Ranks, averaged, own_part, why_not_shared
from harness.train.resident import Division, Normalization, Resident
from harness.train.single import SingleProgram, TrialState, build_template
from harness.train.stack import Stack, state_names
from harness.train.transfer import freeze, frozen_groups, load_weights, transfer_of
from harness.trial import Trial

EVALUATION_BATCH = {"cpu": 512, "cuda": 8192}  # at most; never depends on the number of members
DROP_FROM = 1 / 8  # share of a stack that has left before the rest moves together

Point = dict[str, float]


@dataclass(frozen=True)
class Material:
    """What the trials of a pack share: data on the device, and the program of their network.

    `given` is what they use of stages, by role; `tokens` the text of
    each token id, where it is known; `checkpoints` are made of a trial alone; `ranks` are the
    processes that train one together, if there are several.
    """

    data: Resident
    test: Resident | None
    form: Form
    program: Program
    given: Roles = field(default_factory=dict)
    tokens: tuple[str, ...] = ()
    checkpoints: Checkpoints | None = None
    ranks: Ranks | None = None


@dataclass
class Member:
    """One trial of a pack, and what is known of its training so far."""

    trial: Trial
    division: Division
    order: np.random.Generator
    best: float = -math.inf  # a lower-is-better metric counts with its sign turned
    best_epoch: int = 0
    seconds: float = 0.0
    gone: bool = False
    curve: list[Point] = field(default_factory=list)


class Pack:
    """Trials in training. A row stays with its member until the stack is made smaller."""

    def __init__(self, trials: Sequence[Trial], material: Material):
        self.material = material
        self.workload = trials[0].workload
        self.members = [
            Member(
                trial,
                division_of(material, trial),
                np.random.default_rng(stream(trial.seed, "order")),
            )
            for trial in trials
        ]
        self.stack = initial_stack(trials, material)
        wants_initial = any(class_of(p).needs_initial for t in trials for p in t.probes)
        everyone = range(len(trials))
        self.initial = self.stack.rows(everyone) if wants_initial else None
        self.best = self.stack.rows(everyone)
        self.augmentation = _augmentation(self.workload, trials, material.data.shape)
        self.transfer = transfer_of(self.workload)
        self.stages = {
            role: StageInUse(one, material.data.device, lambda: self.normalization)
            for role, one in material.given.items()
            if role != "initial"
        }
        self.updates = self._make_updates(trials)
        self.frozen = self._frozen(1)
        self.generator = torch.Generator().manual_seed(stream(trials[0].seed, self._draws()))
        self.steps = 0
        self.noted: dict[str, float] = {}
        self._arrange()

    @property
    def live(self) -> list[Member]:
        """Members that have not left."""
        return [member for member in self.members if not member.gone]

    def begin_epoch(self, epoch: int) -> None:
        """Let the layers train that are no longer frozen in this epoch, counted from 1."""
        frozen = self._frozen(epoch)
        if frozen == self.frozen:
            return
        before = state_names(self.material.program.template)
        trial, device = self.members[0].trial, self.material.data.device
        program = program_for(trial, self.material.form, device, frozen)
        after = state_names(program.template)
        self.frozen, self.material = frozen, replace(self.material, program=program)
        self.stack = self.stack.arranged(before, after)
        self.best = self.best.arranged(before, after)
        self.initial = self.initial.arranged(before, after) if self.initial else None
        update = self.updates[program.task.main]
        assert isinstance(update, LayeredUpdate)
        update.extend(after[0], self.stack.parameters)

    def train_epoch(self) -> dict[str, Tensor]:
        """Take one step per batch; return each member's mean losses, each of shape (members,)."""
        data, size = self.material.data, self.workload["batch_size"]
        order = np.stack(
            [member.division.train[member.order.permutation(len(member.division.train))]
             for member in self.members]
        )  # fmt: skip
        if self.augmentation is not None:
            self.augmentation.draw(order.shape[1], data.device)
        totals: dict[str, Tensor] = {}
        per_epoch = math.ceil(order.shape[1] / size)
        horizon = Horizon(self.workload["epochs"] * per_epoch, per_epoch)
        for step, (inputs, targets) in enumerate(data.batches(order, size, self.normalization)):
            if self.augmentation is not None:
                inputs = self.augmentation.apply(inputs, step * size, self.darkness)  # noqa: PLW2901
            losses = self.step(inputs, targets, _at(self.steps + step, horizon))
            for name, values in losses.items():
                if name in totals:
                    totals[name] += values
                else:
                    totals[name] = values.double()
        self.steps += per_epoch
        return {name: total.div_(per_epoch).float() for name, total in totals.items()}

    def step(self, inputs: Tensor, targets: Tensor, rate: Rate = unchanged) -> dict[str, Tensor]:
        """Take one step on batches of shape (members, batch, ...); return losses (members,).

        A pack of several members computes at once what the step of their task would do for each.
        """
        program, ranks, weight = self.material.program, self.material.ranks, 1.0
        if ranks is not None:
            part, weight = own_part(ranks, targets)
            inputs, targets = inputs[:, part], targets[:, part]

        def follow(part: str, gradients: list[Tensor]) -> None:
            if ranks is not None:
                gradients = averaged(ranks, gradients, weight)
            if self.limits is not None:
                gradients = clipped(gradients, self.limits)
            self.updates[part].step(gradients, rate)

        if isinstance(program, PackedProgram):
            gradients, losses = program.gradients(self.stack, inputs, targets)
            follow(program.task.main, gradients)
            shown = {"loss": losses}
        else:
            program.bind(self.stack, training=True)
            state = self._state(program, self.generator, follow)
            found = program.task.step(state, Batch(inputs[0], targets[0]))
            shown = {name: value.detach().reshape(1) for name, value in found.items()}
        if ranks is not None:
            values = averaged(ranks, [value.double() for value in shown.values()], weight)
            shown = dict(zip(shown, values, strict=True))
        return shown

    def _state(
        self,
        program: SingleProgram,
        generator: torch.Generator,
        follow: Callable[[str, list[Tensor]], None],
    ) -> TrialState:
        material = self.material
        return TrialState(
            program, material.form, material.data.device, generator, self.stages, follow
        )

    def _draws(self) -> str:
        """The stream that a task's own random draws come from; each process has another one."""
        ranks = self.material.ranks
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
        self._arrange()

    def final_metrics(self, rows: Sequence[int], best: Stack) -> list[dict[str, float]]:
        """Return the metrics of some members with their best weights; reads the test split."""
        members = [self.members[row] for row in rows]
        normalization = Normalization([m.division for m in members], self.material.data.device)
        parts = ["train", "validation", *(["test"] if self.material.test is not None else [])]
        found = {
            f"{part}.{metric}": values.tolist()
            for part in parts
            for metric, values in self._evaluate(best, part, members, normalization).items()
        }
        return [
            {name: values[place] for name, values in found.items()} for place in range(len(members))
        ]

    def sizes(self) -> dict[str, float]:
        """Return the number of parameters, and of those that are trained where some are frozen."""
        trained = sum(parameter[0].numel() for parameter in self.stack.parameters)
        if not self.transfer:
            return {"parameters": float(trained)}
        template = self.material.program.template
        frozen = {name for group in layer_groups(template)[: self.frozen] for name in group}
        kept = sum(value.numel() for name, value in template.named_parameters() if name in frozen)
        return {"parameters": float(trained + kept), "trained_parameters": float(trained)}

    def _evaluate(
        self, stack: Stack, part: str, members: Sequence[Member], normalization: Normalization
    ) -> dict[str, Tensor]:
        """Return each metric of the task, of shape (members,), in double precision."""
        data, test = self.material.data, self.material.test
        if part == "test":
            assert test is not None
            data, index = test, np.arange(len(test))[None]
        else:
            index = np.stack([getattr(member.division, part) for member in members])
        objective = self.material.program.objective
        if objective is None:
            return self._measured_by_task(stack, data, index, normalization)
        ranks, count = self.material.ranks, index.shape[1]
        own, seen = functions(self.workload), []
        shared = ranks is not None and not own and count >= ranks.count
        if shared:
            assert ranks is not None
            index = index[:, ranks.rank :: ranks.count]
        rows = torch.from_numpy(index).to(data.device).expand(len(stack), -1)
        limit = EVALUATION_BATCH.get(data.device.type, EVALUATION_BATCH["cpu"])
        n = rows.shape[1]
        parts = rows.split(math.ceil(n / math.ceil(n / limit)), dim=1)
        shape = (len(objective.reductions), len(stack))
        totals = torch.zeros(shape, dtype=torch.float64, device=data.device)
        for examples in parts:
            inputs, targets = data.gather(examples, normalization, axis=0)
            scores = self.material.program.scores(stack, inputs, targets)
            for total, reduction, found in zip(totals, objective.reductions, scores, strict=True):
                if reduction == "sum":
                    total.add_(found)
                else:
                    torch.maximum(total, found, out=total)
            if own:
                program = self.material.program
                assert isinstance(program, SingleProgram)
                with torch.no_grad():
                    seen.append((program.outputs(program.task.main, inputs[0]), targets[0]))
        if shared:
            assert ranks is not None
            for total, reduction in zip(totals, objective.reductions, strict=True):
                ranks.add(total) if reduction == "sum" else ranks.largest(total)
        if not own:
            return objective.metrics(totals, count)
        outputs, targets = (torch.cat(side) for side in zip(*seen, strict=True))
        measured = {
            name: torch.tensor([value], dtype=torch.float64)
            for name, value in measure(own, outputs, targets).items()
        }
        return {**objective.metrics(totals, count), **measured}

    def _measured_by_task(
        self, stack: Stack, data: Resident, index: NDArray[Any], normalization: Normalization
    ) -> dict[str, Tensor]:
        """Return what a task that is not supervised measures; its draws are always the same."""
        program, trial = self.material.program, self.members[0].trial
        assert isinstance(program, SingleProgram)
        inputs, targets = data.gather(
            torch.from_numpy(index).to(data.device), normalization, axis=0
        )
        program.bind(stack, training=False)
        generator = torch.Generator().manual_seed(stream(trial.seed, "evaluation"))
        with torch.no_grad():
            state = self._state(program, generator, _no_update)
            found = program.task.evaluate(state, Batch(inputs[0], targets[0]))
        if set(found) != set(program.task.measures):
            raise ValueError(
                f"the task {program.task.name} measured {', '.join(found)}; it declares "
                f"{', '.join(program.task.measures)}"
            )
        return {
            name: torch.tensor([float(value)], dtype=torch.float64) for name, value in found.items()
        }

    def _make_updates(self, trials: Sequence[Trial]) -> dict[str, Update]:
        """Return the optimizer of each part."""
        program, stack = self.material.program, self.stack
        template, task = program.template, program.task
        if isinstance(program, SingleProgram) and not isinstance(task, Supervised):
            schedule = self.workload.get("schedule")
            return {
                part: begin(
                    [Scheduled.read(settings, schedule)],
                    [stack.parameters[place] for place in program.places[part]],
                )
                for part, settings in task.optimizers(self.workload).items()
            }
        return {task.main: update_for(list(map(scheduled, trials)), template, stack, self.transfer)}

    def _frozen(self, epoch: int) -> int:
        if not self.transfer:
            return 0
        groups = len(layer_groups(self.material.program.template))
        return frozen_groups(self.transfer, groups, epoch)

    def _arrange(self) -> None:
        """Put the members' own numbers side by side, in the order of the rows."""
        data = self.material.data
        limits = [member.trial.workload.get("clip") for member in self.members]
        self.limits = None if limits[0] is None else torch.tensor(limits, device=data.device)
        divisions = [member.division for member in self.members]
        self.normalization = Normalization(divisions, data.device)
        if self.augmentation is not None:
            dark = torch.zeros(len(divisions), 1, *data.shape, device=data.device)
            self.darkness = self.normalization.apply_(dark, axis=0)


def initial_stack(trials: Sequence[Trial], material: Material) -> Stack:
    """Return the trials' networks with their initial weights.

    Raises:
        ValueError: if transferred weights are missing or fit no layer, or nothing would train.
    """
    transfer = transfer_of(trials[0].workload)
    networks = []
    for trial in trials:
        network = build_template(material.program.task, trial, material.form)
        if transfer.get("from") is not None:
            source = material.given.get("initial")
            if source is None or "weights" not in source.products:
                raise ValueError(f"the weights of {transfer['from']} are not here")
            load_weights(network, source.products["weights"])
        if material.ranks is not None:
            refusal = why_not_shared(network)
            if refusal is not None:
                raise ValueError(refusal)
            if material.ranks.rank > 0:  # the same masks on each part would be masks of a pattern
                seed_dropout(network, stream(trial.seed, f"rank {material.ranks.rank}"))
        if transfer:
            freeze(network, frozen_groups(transfer, len(layer_groups(network))))
        networks.append(network)
    stack = Stack.of(networks)
    device = material.data.device
    return Stack(
        [tensor.to(device) for tensor in stack.parameters],
        [tensor.to(device) for tensor in stack.buffers],
    )


def _no_update(part: str, gradients: list[Tensor]) -> None:
    del gradients
    raise RuntimeError(f"an evaluation must not train: it asked for an update of {part}")


def scheduled(trial: Trial) -> Scheduled:
    """Return what decides a member's steps: its optimizer, and its schedule."""
    return Scheduled.read(trial.workload["optimizer"], trial.workload.get("schedule"))


def _at(step: int, horizon: Horizon) -> Rate:
    """Return each member's own multiplier of the learning rate at a step."""
    return lambda member: member.schedule.multiplier(step, horizon)


def division_of(material: Material, trial: Trial) -> Division:
    """Return which examples a trial trains on and validates on."""
    return material.data.division(trial.workload["data"]["validation_fraction"], trial.seed)


def _augmentation(
    workload: Mapping[str, Any], trials: Sequence[Trial], shape: tuple[int, ...]
) -> Augmented | None:
    config = workload.get("augmentation")
    if config is None:
        return None
    return Augmented(config, [trial.seed for trial in trials], shape)
