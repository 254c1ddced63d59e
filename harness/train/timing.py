"""One block of timing: all its arms built in this process and timed in turn, in random order.

Each repetition times every arm once, in an order drawn anew, so that what changes slowly (the
clock rate of the processor, other programs) meets all arms alike.
"""

from __future__ import annotations

import gc
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.metrics import metric_of
from harness.models import is_simple
from harness.own.imports import OwnImports
from harness.schedules.base import Horizon
from harness.seeding import stream
from harness.train.cuda_graphs import timed
from harness.train.data_parallel import RankLostError, Ranks
from harness.train.engine import Setting, computing, context_of, train_in
from harness.train.loop import Outcome
from harness.train.pack import Pack, PackContext
from harness.train.packed_program import forget_programs
from harness.train.records import Recorder
from harness.train.single_program import networks_of
from harness.train.stage_products import StagesByRole, own_functions
from harness.train.team import Team
from harness.train.updates import at_step
from harness.trial import TIMED_BY, Phase, Record, State, Trial
from harness.workloads import TrialData

ORDER = "timing.order"
"""The stream of the order in which arms are timed."""
_LATE = ("step", "workers", "inference", "target", "training")
"""The works in order: what leaves most behind in the process comes last."""
WARM_UP_STEPS = 10
_TINY = 1e-12
RUNNABLE_SAMPLES = 10
RUNNABLE_SECONDS = 0.2


@dataclass(frozen=True)
class Subject:
    """One arm of a block: its trial, and what that is given."""

    trial: Trial
    data: TrialData
    given: StagesByRole = field(default_factory=dict)

    @property
    def plain(self) -> Trial:
        """The same workload as a trial of a search, which sees no test split."""
        workload = {k: v for k, v in self.trial.workload.items() if k != TIMED_BY}
        return replace(self.trial, workload=workload, phase=Phase.SEARCH, probes=())


class BlockError(Exception):
    """A block cannot be measured because of one of its trials."""

    def __init__(self, trial_id: str):
        super().__init__(f"its block failed at the trial {trial_id}, whose record says why")
        self.trial_id = trial_id


def time_block(subjects: Sequence[Subject], threads: int) -> list[Record]:
    """Time all arms of a block, whose trials share what their workloads say of timing.

    Args:
        subjects: of one block, each with a trial of its own.
        threads: of PyTorch, for all of them.

    Returns:
        A record for each, all complete or all failed: what was timed beside an arm that failed was
        not timed beside all that it should be compared with.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    records = Recorder(device, attempt=1)
    names, versions = _own_code(subjects)
    with computing(threads), OwnImports(names, versions) as own:
        records.own = own
        for subject in subjects:
            records.start(subject.trial)
        records.meter.enter(subject.trial.id for subject in subjects)
        fault = own.fault()
        try:
            outcomes = {} if fault else _Block(subjects, threads).outcomes()
        except BlockError as error:
            failed = {error.trial_id: _at(records, subjects, error)}
            return [
                failed.get(s.trial.id) or records.record(s.trial, State.FAILED, reason=str(error))
                for s in subjects
            ]
        return [
            records.record(s.trial, State.FAILED, reason=fault)
            if fault
            else records.record(s.trial, State.COMPLETE, outcomes[s.trial.id])
            for s in subjects
        ]


def _own_code(subjects: Sequence[Subject]) -> tuple[list[str], dict[str, str]]:
    names, versions = dict[str, None](), dict[str, str]()
    for subject in subjects:
        own, known = own_functions(subject.trial, subject.given)
        names |= dict.fromkeys(own)
        versions |= known
    return list(names), versions


def _at(records: Recorder, subjects: Sequence[Subject], error: BlockError) -> Record:
    """Return the record of the trial at which a block failed, with the exception it raised."""
    trial = next(s.trial for s in subjects if s.trial.id == error.trial_id)
    try:
        raise error.__cause__ or error from None
    except Exception:  # which the record tells
        return records.failed(trial)


class _Block:
    """The measurement of one block."""

    def __init__(self, subjects: Sequence[Subject], threads: int):
        self._subjects, self._threads = subjects, threads
        first = subjects[0].trial
        self._how: Mapping[str, Any] = first.workload[TIMED_BY]
        seed = stream(first.seed, f"{ORDER}:{self._how['beside']}")
        self._generator = np.random.default_rng(seed)
        self._details: dict[str, dict[str, list[Any]]] = {s.trial.id: {} for s in subjects}
        self._metrics: dict[str, dict[str, float]] = {s.trial.id: {} for s in subjects}

    def outcomes(self) -> dict[str, Outcome]:
        """Return what each trial reports, by its id."""
        before = load()
        steps: dict[str, _Steps] = {}
        measure = self._how["measure"]
        if {"step", "inference"} & set(measure):
            steps = dict(self._each(lambda s: _Steps(s, self._threads)))
        for work in sorted(measure, key=_LATE.index):
            if work == "training":
                self._time(work, dict(self._each(lambda s: _Training(s, self._threads))), 1, 0)
            elif work == "target":
                training = dict(self._each(lambda s: _UntilTarget(s, self._threads, self._how)))
                self._time(work, training, 1, 0, clock=_own_clock)
            elif work == "step":
                self._time_steps(steps)
            elif work == "inference":
                takes = {id_: _Inference(one, self._how["batch"]) for id_, one in steps.items()}
                self._time(work, takes, self._how["repetitions"], self._how["warm_up"])
        after = load()
        told = {name: [before[name], after[name]] for name in before}
        return {
            id_: Outcome(self._metrics[id_], details={**self._details[id_], **told})
            for id_ in self._metrics
        }

    def _time_steps(self, steps: Mapping[str, _Steps]) -> None:
        """Time a step of each arm, and beside it the same step by several workers."""
        counts = self._how.get("workers", ())
        times = self._how["repetitions"], self._how["warm_up"]
        if not counts:
            self._time("step", steps, *times)
        else:
            with Team(counts, _taking_part, self._subjects, self._threads) as team:
                together = self._together(team, counts)
                self._time("step", {**steps, **together}, *times)
            for (id_, count), several in together.items():
                seconds = float(np.median(self._details[id_][f"timing.step_{count}.seconds"]))
                speedup = self._metrics[id_]["timing.step_seconds"] / seconds
                self._metrics[id_] |= {
                    f"timing.speedup_{count}": speedup,
                    f"timing.efficiency_{count}": speedup / count,
                    f"timing.loss_difference_{count}": _difference(steps[id_], several.steps),
                }
        for id_, alone in steps.items():
            seconds = self._metrics[id_]["timing.step_seconds"]
            self._metrics[id_]["timing.example_seconds"] = seconds / alone.size

    def _together(self, team: Team, counts: Sequence[int]) -> dict[tuple[str, int], _Together]:
        """Return what takes a step of each arm by each number of workers."""
        found = {}
        for place, (index, count) in enumerate(_parts(len(self._subjects), counts)):
            subject = self._subjects[index]
            try:
                steps = _Steps(subject, self._threads, team.ranks[count])
            except Exception as error:
                raise BlockError(subject.trial.id) from error
            found[subject.trial.id, count] = _Together(team, place, count, steps)
        return found

    def _each(self, build: Callable[[Subject], Any]) -> Iterator[tuple[str, Any]]:
        for subject in self._subjects:
            try:
                yield subject.trial.id, build(subject)
            except Exception as error:
                raise BlockError(subject.trial.id) from error

    def _time(
        self,
        work: str,
        takes: Mapping[Any, Callable[[], Any]],
        repetitions: int,
        warm_up: int,
        clock: Callable[[Callable[[], Any]], float] = timed,
    ) -> None:
        """Time each arm so often, after so many times that are not counted.

        Args:
            work: what it does.
            takes: what does it, by the trial's id, or by it and a number of workers.
            repetitions: that count.
            warm_up: that do not.
            clock: does it, and returns its seconds.
        """
        keys = list(takes)
        seconds: dict[Any, list[float]] = {key: [] for key in keys}
        places: dict[Any, list[int]] = {key: [] for key in keys}
        collects = gc.isenabled()
        gc.collect()
        gc.disable()  # it would fall on whichever arm is timed then
        try:
            for repetition in range(warm_up + repetitions):
                for place, index in enumerate(self._generator.permutation(len(keys))):
                    key = keys[index]
                    try:
                        taken = clock(takes[key])
                    except Exception as error:
                        raise BlockError(key if isinstance(key, str) else key[0]) from error
                    if repetition >= warm_up:
                        seconds[key].append(taken)
                        places[key].append(place)
        finally:
            if collects:
                gc.enable()
        for key in keys:
            id_, name = (key, work) if isinstance(key, str) else (key[0], f"{work}_{key[1]}")
            if isinstance(key, str):
                self._metrics[id_][f"timing.{work}_seconds"] = float(np.median(seconds[key]))
            self._details[id_][f"timing.{name}.seconds"] = list(seconds[key])
            self._details[id_][f"timing.{name}.place"] = list(places[key])


class _Steps:
    """Takes training steps of a fresh network, each on the next whole batch, made ready for it.

    `losses` are those of its steps so far.
    """

    def __init__(self, subject: Subject, threads: int, ranks: Ranks | None = None):
        trial = subject.plain
        forget_programs()  # arms of one structure would share one, and bind it anew in every step
        self.context: PackContext = context_of(
            trial, subject.data, Setting(threads, largest_pack=1, given=subject.given, ranks=ranks)
        )
        self.losses: list[Mapping[str, Tensor]] = []
        self.pack = Pack([trial], self.context)
        self.pack.begin_epoch(1)
        train = len(self.pack.members[0].division.train)
        self.size = min(self.pack.settings.batch_size, train)
        self._whole = train // self.size
        self._left: Iterator[tuple[Tensor, Tensor]] = iter(())
        self._taken = self._whole

    def __call__(self) -> None:
        if self._taken == self._whole:  # what is left of an epoch is no whole batch
            self._left, self._taken = self.pack.batches(), 0
        inputs, targets = next(self._left)
        self._taken += 1
        self.losses.append(self.pack.step(inputs, targets))


@dataclass(frozen=True)
class _Together:
    """Takes the same steps as one of several workers, after it has told the others to."""

    team: Team
    place: int
    count: int
    steps: _Steps

    def __call__(self) -> None:
        self.team.tell(self.place, self.count)
        try:
            self.steps()
        except RankLostError as error:
            raise RuntimeError(f"another worker is gone: {error}") from error


def _parts(subjects: int, counts: Sequence[int]) -> list[tuple[int, int]]:
    """Return which subject is trained by how many workers, in the order in which all know them."""
    return [(index, count) for index in range(subjects) for count in counts]


@contextmanager
def _taking_part(
    ranks: Mapping[int, Ranks | None], subjects: Sequence[Subject], threads: int
) -> Iterator[list[Callable[[], None] | None]]:
    """Give what another worker does in each part, None where it is not among the workers."""
    names, versions = _own_code(subjects)
    with computing(threads), OwnImports(names, versions):
        yield [
            None if ranks[count] is None else _Steps(subjects[index], threads, ranks[count])
            for index, count in _parts(len(subjects), list(ranks))
        ]


def _difference(alone: _Steps, together: _Steps) -> float:
    """Return the largest relative difference between the losses of equal steps."""
    pairs = zip(alone.losses, together.losses, strict=True)
    return max(
        abs(float(other[name]) - float(value)) / max(abs(float(value)), _TINY)
        for one, other in pairs
        for name, value in one.items()
    )


class _UntilTarget:
    """Trains a fresh network until a metric reaches a target, and tells the seconds of its steps.

    The metric is looked at between steps, which are not timed meanwhile.
    """

    def __init__(self, subject: Subject, threads: int, how: Mapping[str, Any]):
        self._target: Mapping[str, Any] = how["target"]
        epochs = self._target["epochs"] or subject.trial.workload["epochs"]
        longer = {**subject.trial.workload, "epochs": epochs}
        subject = replace(subject, trial=replace(subject.trial, workload=longer))
        steps = _Steps(subject, threads)
        for _ in range(WARM_UP_STEPS):  # what only first steps cost falls on none of them
            steps()
        self._context, self._trial = steps.context, subject.plain

    def __call__(self) -> float:
        pack = Pack([self._trial], self._context)
        name, value = self._target["metric"], self._target["value"]
        metric, short = metric_of(name, self._trial.workload), name.partition(".")[2]
        settings, train = pack.settings, len(pack.members[0].division.train)
        per_epoch = math.ceil(train / settings.batch_size)
        horizon = Horizon(settings.epochs * per_epoch, per_epoch)
        together = max(1, self._target["every"] // settings.batch_size)
        seconds, step = 0.0, 0
        for epoch in range(1, settings.epochs + 1):
            pack.begin_epoch(epoch)
            batches = pack.batches()
            for begin in range(0, per_epoch, together):
                count = min(together, per_epoch - begin)

                def take(count: int = count, batches: Any = batches, step: int = step) -> None:
                    for number in range(count):
                        inputs, targets = next(batches)
                        pack.step(inputs, targets, at_step(step + number, horizon))

                seconds += timed(take)
                step += count
                found = float(pack.validate()[short])
                if math.isfinite(found) and not metric.is_worse(found, value):
                    return seconds
        raise RuntimeError(
            f"{name} did not reach {value:g} in {settings.epochs} epochs, so that there is no time"
            " to the target; choose another target, or more epochs"
        )


def _own_clock(take: Callable[[], float]) -> float:
    """Return the seconds that something tells itself."""
    return take()


class _Inference:
    """Gives the outputs for a batch of validation examples."""

    def __init__(self, steps: _Steps, size: int):
        pack, context = steps.pack, steps.context
        template = pack.stack.network(context.program.template, 0)
        task = context.program.task
        self._network = task.served(networks_of(template, task)[task.main].eval())
        index = np.resize(pack.members[0].division.validation, size)[None]
        rows = torch.from_numpy(index).to(context.data.device)
        inputs, _ = context.data.gather(rows, pack.normalization, axis=0)
        self._inputs = inputs[0]

    def __call__(self) -> None:
        with torch.no_grad():
            self._network(self._inputs)


class _Training:
    """Trains as a trial of a search does, from its first step to its last validation."""

    def __init__(self, subject: Subject, threads: int):
        self._subject = subject
        self._setting = Setting(threads, largest_pack=1, given=subject.given, shares_features=False)
        if not subject.plain.has_own_training and not is_simple(subject.trial.workload["model"]):
            _Steps(subject, threads)()  # what only the first step costs falls on none of them

    def __call__(self) -> None:
        events = train_in(self._setting, [self._subject.plain], self._subject.data)
        record = next(event for event in events if isinstance(event, Record))
        if record.state is not State.COMPLETE:
            raise RuntimeError(f"the training that is timed is {record.state}: {record.reason}")


def load() -> dict[str, float]:
    """Return how busy the machine is: its load average, runnable threads, and cores.

    Runnable are those that run or wait for a core, this one not counted, averaged over a fifth of
    a second; absent where the system does not tell.
    """
    found = {"timing.load": os.getloadavg()[0], "timing.cores": float(os.cpu_count() or 1)}
    counts = []
    for _ in range(RUNNABLE_SAMPLES):
        try:
            with open("/proc/loadavg") as file:
                counts.append(int(file.read().split()[3].partition("/")[0]) - 1)
        except (OSError, ValueError, IndexError):
            return found
        time.sleep(RUNNABLE_SECONDS / RUNNABLE_SAMPLES)
    return found | {"timing.runnable": sum(counts) / len(counts)}
