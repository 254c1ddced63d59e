"""The training loop: a pack of trials from initial weights to the outcome of each."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.data_spec import Form
from harness.metrics import metric_of
from harness.seeding import stream
from harness.tasks import Objective, Stage, Task
from harness.train.device_data import Normalization, Splits, splits_of
from harness.train.pack import Member, Pack, PackContext, Point
from harness.train.probing import timed_step
from harness.train.resume import resume, save
from harness.train.sharding import ShardedProgram
from harness.train.single_program import networks_of
from harness.train.stack import Stack, state_of
from harness.train.stage_products import normalization_arrays, stages_of
from harness.trial import Outcomes, Products, Trial, finite
from harness.workloads.settings import TrialSettings, read_settings


@dataclass
class Outcome:
    """Everything a finished trial reports, apart from its curve."""

    metrics: dict[str, float]
    selected_epoch: int | None = None
    cost: dict[str, float] = field(default_factory=dict)
    details: dict[str, list[Any]] = field(default_factory=dict)
    outcomes: Outcomes = field(default_factory=dict)


@dataclass(frozen=True)
class Diverged:
    """The loss stopped being a finite number.

    `begun` is the trial with its initial weights, if a probe looks at them.
    """

    reason: str
    cost: Mapping[str, float]
    begun: Fitted | None = None


@dataclass(frozen=True)
class Pruned:
    """A rule of the search ended the training."""

    reason: str
    outcome: Outcome


@dataclass
class Fitted:
    """A trained member: its outcome, and what probes ask for, made when they do."""

    outcome: Outcome
    trial: Trial
    context: PackContext
    curve: Sequence[Point]
    best: Stack
    initial_weights: Stack | None
    row: int

    @cached_property
    def networks(self) -> Mapping[str, nn.Module]:
        """The task's networks with the weights of the selected epoch, by the names of the parts."""
        return networks_of(self._template, self.context.program.task)

    @property
    def network(self) -> nn.Module:
        """The main network with the weights of the selected epoch."""
        return self.networks[self.context.program.task.main]

    @cached_property
    def initial(self) -> nn.Module | None:
        """The main network before the first step, where a probe needs it."""
        if self.initial_weights is None:
            return None
        task = self.context.program.task
        return networks_of(self._network_of(self.initial_weights), task)[task.main]

    @cached_property
    def _template(self) -> nn.Module:
        return self._network_of(self.best)

    def _network_of(self, stack: Stack) -> nn.Module:
        program, context = self.context.program, self.context
        if isinstance(program, ShardedProgram):
            whole = program.network(stack, self.trial, context.form)
            return whole.to(context.data.device) if self.trial.probes else whole
        return stack.network(program.template, self.row)

    @property
    def task(self) -> Task:
        """What was learned."""
        return self.context.program.task

    @property
    def objective(self) -> Objective | None:
        """Loss and metrics of a supervised task."""
        return self.context.program.objective

    @property
    def tokens(self) -> Sequence[str]:
        """The text of each token id, where it is known."""
        return self.context.tokens

    @property
    def columns(self) -> Sequence[str]:
        """The column of a table that each input was made of, where it is known."""
        return self.context.columns

    @property
    def workload(self) -> Mapping[str, Any]:
        """Of the trial."""
        return self.trial.workload

    @property
    def settings(self) -> TrialSettings:
        """Of the trial, as typed objects."""
        return read_settings(self.trial.workload)

    @cached_property
    def given(self) -> Mapping[str, Stage]:
        """The stages that the trial uses, by role, but for the one it starts from."""
        return stages_of(self.context.given, self.context.data.device, lambda: self.normalization)

    @cached_property
    def normalization(self) -> Normalization:
        """What makes inputs those that the network reads."""
        return Normalization([self.context.data.division_of(self.trial)], self.context.data.device)

    @property
    def form(self) -> Form:
        """Of the data."""
        return self.context.form

    @property
    def seed(self) -> int:
        """Of the trial."""
        return self.trial.seed

    @cached_property
    def splits(self) -> Splits:
        """The trial's own splits, normalized."""
        division = self.context.data.division_of(self.trial)
        return splits_of(self.context.data, division, self.context.test)

    def test_inputs(self, index: NDArray[Any]) -> NDArray[Any]:
        """Return inputs of the test split as the data hold them, not normalized."""
        assert self.context.test is not None
        found: NDArray[Any] = self.context.test.source.inputs[index]
        return found

    def normalized(self, inputs: Tensor) -> Tensor:
        """Return numbers (n, ...), on the scale of `test_inputs`, as the network reads them."""
        own = inputs.to(self.context.data.device, copy=True)
        return self.normalization.apply_(own[None], axis=0)[0]

    def denormalized(self, inputs: Tensor) -> Tensor:
        """Return inputs (n, ...) that are normalized on the scale of `test_inputs`."""
        return self.normalization.undone(inputs)

    def timed_step(self, workload: Mapping[str, Any]) -> Callable[[], float]:
        """Return what takes one step of a fresh network of a workload, and its time in seconds."""
        return timed_step(self.trial, workload, self.context)

    def products(self) -> Products:
        """Return the weights of the selected epoch, by name, and what normalized the inputs."""
        state = state_of(self._template)
        weights = {name: tensor.detach().cpu().numpy().copy() for name, tensor in state.items()}
        division = self.context.data.division_of(self.trial)
        return {"weights": weights, "normalization": normalization_arrays(division)}


Event = Point | Diverged | Pruned | Fitted


def fit(trials: Sequence[Trial], context: PackContext) -> Iterator[tuple[Trial, Event]]:
    """Train a pack of trials; tell what each epoch gave, and how each trial ended.

    The epoch that is best by the objective's validation metric (the earliest of equals) is
    selected, or the last one where the workload says so; the test split, if the trials have one,
    is read once, with its weights.

    Args:
        trials: of one shape (`packing_key`); in the order of their optimizers' settings, so that
            equal ones stand together.
        context: what they share.

    Yields:
        A trial and the metrics of an epoch; then, once, why it left or what came of it.
    """
    torch.default_generator.manual_seed(stream(trials[0].seed_of("order"), "dropout"))
    if context.data.device.type == "cuda":
        torch.cuda.manual_seed(stream(trials[0].seed_of("order"), "dropout"))
    pack = Pack(trials, context)
    done, saved = resume(pack), time.monotonic()
    for point in pack.members[0].curve:
        yield trials[0], point
    for epoch in range(done + 1, pack.settings.epochs + 1):
        pack.begin_epoch(epoch)
        yield from _train_epoch(pack, epoch)
        yield from _leave(pack, epoch)
        if not pack.live:
            return
        pack.drop_gone()
        checkpoints = context.checkpoints
        if checkpoints and len(trials) == 1 and checkpoints.is_due(epoch, saved):
            save(pack, epoch)
            saved = time.monotonic()


def _train_epoch(pack: Pack, epoch: int) -> Iterator[tuple[Trial, Event]]:
    """Train for one epoch, validate, and remember the weights of those that got better."""
    task = pack.context.program.task
    sign = task.measures[task.selects].sign
    begin = time.perf_counter()
    losses = {name: values.tolist() for name, values in pack.train_epoch().items()}
    share = (time.perf_counter() - begin) / len(pack.live)
    validation = {name: values.tolist() for name, values in pack.validate().items()}
    improved = []
    for row, member in enumerate(pack.members):
        if member.gone:
            continue
        member.seconds += share
        mine = {f"train.{name}": values[row] for name, values in losses.items()}
        mine |= {f"validation.{name}": values[row] for name, values in validation.items()}
        reason = _divergence(mine, f"validation.{task.selects}", epoch)
        if reason is not None:
            member.gone = True
            yield member.trial, Diverged(reason, _cost(pack, member, epoch), _begun(pack, row))
            continue
        value = sign * mine[f"validation.{task.selects}"]
        if value > member.best:
            member.best, member.best_epoch = value, epoch
            improved.append(row)
        point: Point = {"epoch": epoch, **finite(mine)}
        member.curve.append(point)
        yield member.trial, point
    if pack.settings.keep != "last":
        pack.keep_best(improved)


def _begun(pack: Pack, row: int) -> Fitted | None:
    """Return a member as it was before its first step, if that is known."""
    initial, trial = pack.initial, pack.members[row].trial
    if initial is None:
        return None
    return Fitted(Outcome({}), trial, pack.context, [], initial, initial, row)


def _leave(pack: Pack, epoch: int) -> Iterator[tuple[Trial, Event]]:
    """Let those go that are pruned, that stop early, or that have trained to the end."""
    last = epoch == pack.settings.epochs
    done = []
    for row, member in enumerate(pack.members):
        if member.gone:
            continue
        reason = (
            None if last else pruning_reason(member.curve, member.trial, member.settings, epoch)
        )
        if reason is not None:
            member.gone = True
            yield member.trial, Pruned(reason, _pruned_outcome(pack, member, epoch))
        elif last or _has_stopped_improving(member, epoch):
            done.append(row)
    if done:
        yield from _finish(pack, done, epoch)


def _has_stopped_improving(member: Member, epoch: int) -> bool:
    """Whether a trial's early stopping ends the training after this epoch."""
    stopping = member.settings.early_stopping
    if stopping is None:
        return False
    best = member.best_epoch
    if stopping.metric is not None:
        bests = metric_of(stopping.metric, member.trial.workload).best_so_far(member.curve)
        best = 1 + bests.index(bests[-1])  # the first of equals
    return epoch - best >= stopping.patience


def _finish(pack: Pack, rows: Sequence[int], epoch: int) -> Iterator[tuple[Trial, Event]]:
    """Evaluate members with the weights that count, and let them go."""
    if pack.settings.keep == "last":
        pack.keep_best(rows)
    whole = len(rows) == len(pack.members)
    best = pack.best if whole else pack.best.rows(rows)
    initial = pack.initial if whole or pack.initial is None else pack.initial.rows(rows)
    found = zip(rows, pack.final_metrics(rows, best), pack.outcomes(rows, best), strict=True)
    for place, (row, metrics, outcomes) in enumerate(found):
        member = pack.members[row]
        member.gone = True
        selected = epoch if pack.settings.keep == "last" else member.best_epoch
        outcome = Outcome(metrics, selected, _cost(pack, member, epoch), outcomes=outcomes)
        trial = member.trial
        yield trial, Fitted(outcome, trial, pack.context, member.curve, best, initial, place)


def pruning_reason(
    curve: Sequence[Point], trial: Trial, settings: TrialSettings, epoch: int
) -> str | None:
    """Say which of a trial's rules ends the training after this epoch, None if none does."""
    for rule in settings.stop_rules:
        if rule.epoch != epoch:
            continue
        metric = metric_of(rule.metric, trial.workload)
        value = metric.best_so_far(curve)[-1]
        if metric.is_worse(value, rule.worse_than):
            return (
                f"{metric.name} was {value:.6g} after epoch {epoch}, worse than {rule.worse_than}"
            )
    return None


def _pruned_outcome(pack: Pack, member: Member, epoch: int) -> Outcome:
    """Return what the validation split said of the best epoch; no other split is read."""
    point = member.curve[member.best_epoch - 1] if member.best_epoch else {}
    metrics = {name: value for name, value in point.items() if name.startswith("validation.")}
    return Outcome(metrics, member.best_epoch or None, _cost(pack, member, epoch))


def _cost(pack: Pack, member: Member, epoch: int) -> dict[str, float]:
    return {
        "seconds": member.seconds,
        "steps": float(pack.steps),
        "examples": float(len(member.division.train)),
        "step_seconds": member.seconds / pack.steps,
        "epochs": float(epoch),
        **pack.sizes(),
        **pack.noted,
    }


def _divergence(point: Mapping[str, float], selects: str, epoch: int) -> str | None:
    """Say which loss of training or validation, or selecting metric, is no finite number."""
    for name, value in point.items():
        decides = name.startswith("train.") or name in ("validation.loss", selects)
        if decides and not math.isfinite(value):
            split, _, metric = name.partition(".")
            split = "training" if split == "train" else split
            return f"the {split} {metric} became {value} in epoch {epoch}"
    return None
