"""One block of timing: all its arms built in this process and timed in turn, in random order.

Each repetition times every arm once, in an order drawn anew, so that what changes slowly (the
clock rate of the processor, other programs) meets all arms alike.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.models import is_simple
from harness.own.imports import OwnImports
from harness.seeding import stream
from harness.train.cuda_graphs import timed
from harness.train.engine import Setting, computing, context_of, train_in
from harness.train.loop import Outcome
from harness.train.pack import Pack, PackContext
from harness.train.packed_program import forget_programs
from harness.train.records import Recorder
from harness.train.single_program import networks_of
from harness.train.stage_products import StagesByRole, own_functions
from harness.trial import TIMED_BY, Phase, Record, State, Trial
from harness.workloads import TrialData

ORDER = "timing.order"
"""The stream of the order in which arms are timed."""
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
        if {"step", "inference"} & set(self._how["measure"]):
            steps = dict(self._each(lambda s: _Steps(s, self._threads)))
        for work in sorted(self._how["measure"], key="training".__eq__):  # which leaves most behind
            if work == "training":
                self._time(work, dict(self._each(lambda s: _Training(s, self._threads))), 1, 0)
            else:
                takes = {id_: _Inference(one, self._how["batch"]) if work == "inference" else one
                         for id_, one in steps.items()}  # fmt: skip
                self._time(work, takes, self._how["repetitions"], self._how["warm_up"])
        for id_, one in steps.items():
            if "step" in self._how["measure"]:
                seconds = self._metrics[id_]["timing.step_seconds"]
                self._metrics[id_]["timing.example_seconds"] = seconds / one.size
        after = load()
        told = {name: [before[name], after[name]] for name in before}
        return {
            id_: Outcome(self._metrics[id_], details={**self._details[id_], **told})
            for id_ in self._metrics
        }

    def _each(self, build: Callable[[Subject], Any]) -> Iterator[tuple[str, Any]]:
        for subject in self._subjects:
            try:
                yield subject.trial.id, build(subject)
            except Exception as error:
                raise BlockError(subject.trial.id) from error

    def _time(
        self, work: str, takes: Mapping[str, Callable[[], None]], repetitions: int, warm_up: int
    ) -> None:
        """Time each arm so often, after so many times that are not counted."""
        ids = list(takes)
        seconds: dict[str, list[float]] = {id_: [] for id_ in ids}
        places: dict[str, list[int]] = {id_: [] for id_ in ids}
        collects = gc.isenabled()
        gc.collect()
        gc.disable()  # it would fall on whichever arm is timed then
        try:
            for repetition in range(warm_up + repetitions):
                for place, index in enumerate(self._generator.permutation(len(ids))):
                    id_ = ids[index]
                    try:
                        taken = timed(takes[id_])
                    except Exception as error:
                        raise BlockError(id_) from error
                    if repetition >= warm_up:
                        seconds[id_].append(taken)
                        places[id_].append(place)
        finally:
            if collects:
                gc.enable()
        for id_ in ids:
            self._metrics[id_][f"timing.{work}_seconds"] = float(np.median(seconds[id_]))
            self._details[id_][f"timing.{work}.seconds"] = list(seconds[id_])
            self._details[id_][f"timing.{work}.place"] = list(places[id_])


class _Steps:
    """Takes training steps of a fresh network, each on the next whole batch, made ready for it."""

    def __init__(self, subject: Subject, threads: int):
        trial = subject.plain
        forget_programs()  # arms of one structure would share one, and bind it anew in every step
        self.context: PackContext = context_of(
            trial, subject.data, Setting(threads, largest_pack=1, given=subject.given)
        )
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
        self.pack.step(inputs, targets)


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
        self._setting = Setting(threads, largest_pack=1, given=subject.given)
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
