"""The training loop: a pack of trials from initial weights to the outcome of each."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.form import Form
from harness.models import build
from harness.seeding import stream
from harness.train.program import Program
from harness.train.resident import Division, Normalization, Resident, Splits, splits_of
from harness.train.schedules import Horizon, rate_factor
from harness.train.stack import Stack
from harness.train.updates import build_update
from harness.trial import Trial

EVALUATION_BATCH = {"cpu": 512, "cuda": 8192}  # at most; never depends on the number of members
DROP_FROM = 1 / 8  # share of a stack that has left before the rest moves together

Point = dict[str, float]


class Diverged(Exception):  # noqa: N818  (an outcome, not an error)
    """The loss stopped being a finite number."""


@dataclass
class Outcome:
    """Everything a finished trial reports, apart from its curve."""

    metrics: dict[str, float]
    selected_epoch: int | None = None
    cost: dict[str, float] = field(default_factory=dict)
    details: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Material:
    """What the trials of a pack share: data on the device, and the program of their network."""

    data: Resident
    test: Resident | None
    form: Form
    program: Program


@dataclass
class Fitted:
    """A trained member: its outcome, and what probes ask for, made when they do."""

    outcome: Outcome
    trial: Trial
    material: Material
    best: Stack
    initial_weights: Stack | None
    row: int

    @cached_property
    def network(self) -> nn.Module:
        """The network with the weights of the selected epoch."""
        return self.best.network(self.material.program.template, self.row)

    @cached_property
    def initial(self) -> nn.Module | None:
        """The network before the first step, where a probe needs it."""
        if self.initial_weights is None:
            return None
        return self.initial_weights.network(self.material.program.template, self.row)

    @cached_property
    def splits(self) -> Splits:
        """The trial's own splits, normalized."""
        division = _division(self.material, self.trial)
        return splits_of(self.material.data, division, self.material.test)


@dataclass
class _Member:
    """One trial of a pack, and the row of the stack that it lives in."""

    trial: Trial
    division: Division
    order: np.random.Generator
    best: float = -math.inf  # a lower-is-better metric counts with its sign turned
    best_epoch: int = 0
    seconds: float = 0.0
    gone: bool = False


class _Pack:
    """Trials in training. A row stays with its member until the stack is made smaller."""

    def __init__(self, trials: Sequence[Trial], material: Material):
        self.material = material
        self.workload = trials[0].workload
        self.members = [
            _Member(
                trial,
                _division(material, trial),
                np.random.default_rng(stream(trial.seed, "order")),
            )
            for trial in trials
        ]
        self.stack = initial_stack(trials, material)
        wants_initial = any(p["name"] == "gradient_norms" for t in trials for p in t.probes)
        everyone = range(len(trials))
        self.initial = self.stack.rows(everyone) if wants_initial else None
        self.best = self.stack.rows(everyone)
        configs = [trial.workload["optimizer"] for trial in trials]
        self.update = build_update(configs, self.stack.parameters)
        self.schedule = self.workload.get("schedule", {"name": "constant"})
        self.steps = 0
        self._normalize()

    @property
    def live(self) -> list[_Member]:
        """Members that have not diverged."""
        return [member for member in self.members if not member.gone]

    def train_epoch(self) -> Tensor:
        """Take one step per batch; return each member's mean loss, of shape (members,)."""
        program, stack, update = self.material.program, self.stack, self.update
        order = np.stack(
            [member.division.train[member.order.permutation(len(member.division.train))]
             for member in self.members]
        )  # fmt: skip
        total = torch.zeros(len(stack), dtype=torch.float64, device=self.material.data.device)
        steps = 0
        per_epoch = math.ceil(order.shape[1] / self.workload["batch_size"])
        horizon = Horizon(self.workload["epochs"] * per_epoch, per_epoch)
        batches = self.material.data.batches(order, self.workload["batch_size"], self.normalization)
        for inputs, targets in batches:
            gradients, losses = program.gradients(stack, inputs, targets)
            update.step(gradients, rate_factor(self.schedule, self.steps + steps, horizon))
            total += losses
            steps += 1
        self.steps += steps
        return (total / steps).float()

    def validate(self) -> dict[str, Tensor]:
        """Return each metric on the validation parts, of shape (members,)."""
        return self.evaluate(self.stack, self.material.data, self._indices("validation"))

    def evaluate(self, stack: Stack, data: Resident, index: NDArray[np.int64]) -> dict[str, Tensor]:
        """Return each metric of the objective, of shape (members,), in double precision.

        Args:
            stack: the members.
            data: where their examples are.
            index: of the examples, shape (members, n), or (1, n) where all have the same.
        """
        rows = torch.from_numpy(index).to(data.device).expand(len(stack), -1)
        limit = EVALUATION_BATCH.get(data.device.type, EVALUATION_BATCH["cpu"])
        n = rows.shape[1]
        parts = rows.split(math.ceil(n / math.ceil(n / limit)), dim=1)
        objective = self.material.program.objective
        shape = (len(objective.reductions), len(stack))
        totals = torch.zeros(shape, dtype=torch.float64, device=data.device)
        for part in parts:
            inputs, targets = data.gather(part, self.normalization, axis=0)
            scores = self.material.program.scores(stack, inputs, targets)
            for total, reduction, found in zip(totals, objective.reductions, scores, strict=True):
                if reduction == "sum":
                    total.add_(found)
                else:
                    torch.maximum(total, found, out=total)
        return objective.metrics(totals, n)

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
        self.update.keep(rows, self.stack.parameters)
        self._normalize()

    def final_metrics(self) -> list[dict[str, float]]:
        """Return every member's metrics with its best weights; the test split is read here."""
        data, test = self.material.data, self.material.test
        parts = {"train": (data, self._indices("train"))}
        parts["validation"] = (data, self._indices("validation"))
        if test is not None:
            parts["test"] = (test, np.arange(len(test))[None])
        found = {
            f"{name}.{metric}": values.tolist()
            for name, part in parts.items()
            for metric, values in self.evaluate(self.best, *part).items()
        }
        return [
            {name: values[row] for name, values in found.items()}
            for row in range(len(self.members))
        ]

    def _indices(self, part: str) -> NDArray[np.int64]:
        return np.stack([getattr(member.division, part) for member in self.members])

    def _normalize(self) -> None:
        divisions = [member.division for member in self.members]
        self.normalization = Normalization(divisions, self.material.data.device)


def fit(
    trials: Sequence[Trial], material: Material
) -> Generator[tuple[Trial, Point | Diverged], None, list[Fitted]]:
    """Train a pack of trials; yield what each epoch gave; return those that came through.

    The epoch that is best by the objective's validation metric (the earliest of equals) is
    selected; the test split, if the trials have one, is read once, with its weights.

    Args:
        trials: of one shape (`packing_key`); in the order of their optimizers' settings, so that
            equal ones stand together.
        material: what they share.

    Yields:
        A trial and the metrics of an epoch, or, once, why it left.
    """
    torch.default_generator.manual_seed(stream(trials[0].seed, "dropout"))
    if material.data.device.type == "cuda":
        torch.cuda.manual_seed(stream(trials[0].seed, "dropout"))
    pack = _Pack(trials, material)
    objective = material.program.objective
    sign = 1.0 if objective.higher_is_better else -1.0
    for epoch in range(1, pack.workload["epochs"] + 1):
        begin = time.perf_counter()
        losses = pack.train_epoch().tolist()
        share = (time.perf_counter() - begin) / len(pack.live)
        validation = {name: values.tolist() for name, values in pack.validate().items()}
        improved = []
        for row, member in enumerate(pack.members):
            if member.gone:
                continue
            member.seconds += share
            reason = _diverged(losses[row], validation["loss"][row], epoch)
            if reason is not None:
                member.gone = True
                yield member.trial, reason
                continue
            value = sign * validation[objective.selects][row]
            if value > member.best:
                member.best, member.best_epoch = value, epoch
                improved.append(row)
            yield (
                member.trial,
                {
                    "epoch": epoch,
                    "train.loss": losses[row],
                    **{f"validation.{name}": values[row] for name, values in validation.items()},
                },
            )
        pack.keep_best(improved)
        if not pack.live:
            return []
        pack.drop_gone()
    return list(_finished(pack))


def _finished(pack: _Pack) -> Iterator[Fitted]:
    size = sum(parameter[0].numel() for parameter in pack.stack.parameters)
    for row, (member, metrics) in enumerate(zip(pack.members, pack.final_metrics(), strict=True)):
        if member.gone:
            continue
        cost = {
            "seconds": member.seconds,
            "steps": float(pack.steps),
            "step_seconds": member.seconds / pack.steps,
            "parameters": float(size),
        }
        outcome = Outcome(metrics, member.best_epoch, cost)
        yield Fitted(outcome, member.trial, pack.material, pack.best, pack.initial, row)


def initial_stack(trials: Sequence[Trial], material: Material) -> Stack:
    """Return the trials' networks with their initial weights."""
    networks = [
        build(trial.workload["model"], material.form, stream(trial.seed, "weights"))
        for trial in trials
    ]
    stack = Stack.of(networks)
    device = material.data.device
    return Stack(
        [tensor.to(device) for tensor in stack.parameters],
        [tensor.to(device) for tensor in stack.buffers],
    )


def _division(material: Material, trial: Trial) -> Division:
    return material.data.division(trial.workload["data"]["validation_fraction"], trial.seed)


def _diverged(training: float, validation: float, epoch: int) -> Diverged | None:
    for name, loss in (("training", training), ("validation", validation)):
        if not math.isfinite(loss):
            return Diverged(f"the {name} loss became {loss} in epoch {epoch}")
    return None
