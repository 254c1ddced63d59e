"""One study from its plan to its verdicts."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any

from harness.cluster import ClusterError, Event, Executor, Key, Lost, Notice, Pack, open_executor
from harness.plan import Assignment, Plan
from harness.provenance import environment
from harness.publish import FOLDER, PublishedFile, read_for
from harness.run.costs import Costs, Ledger
from harness.run.dry_runs import check_networks, subjects_of
from harness.run.faults import FaultPolicy
from harness.run.needs import checkpoints_of, needs_of, own_modules
from harness.run.observer import Closing, Observer, Opening
from harness.run.outcome import Outcome, RunOptions, RunResult
from harness.run.packing import PackQueue
from harness.run.prepare import REUSABLE, Walk, data_configs, prepare
from harness.run.pretraining import given_of, why_hopeless, with_products
from harness.run.reports import check_writable
from harness.run.schedule import Schedule
from harness.run.unchanged import identity, reuse, shown_path
from harness.search import best, next_round
from harness.store import AssignedRecord, Store, StoreError, conductor_lock, open_store
from harness.study import InputError, LoadedStudy, Problem
from harness.trial import Checked, Phase, Progress, Record, State, Trial
from harness.workloads import Dataset, count_duplicates, data_root, load

WAIT_SECONDS = 0.5


def run_study(
    loaded: LoadedStudy, options: RunOptions, observers: Sequence[Observer] = ()
) -> RunResult:
    """Run or resume a study: train what has no record yet, judge the claims, write the report.

    Of a finished study that nothing has changed since, what came of it is returned as it is.

    Raises:
        DataMissingError: if its data can not be had; nothing was written then.
        StoreError: if the results folder cannot be used.
        InputError: if the cluster cannot be joined or the reports cannot be written.
        ClusterError: if the cluster breaks down; everything recorded is safe.
        KeyboardInterrupt: passed on after everything recorded is safe.
    """
    begin = time.monotonic()
    plan = prepare(loaded, data_root(options.data))
    found = reuse(plan, loaded.file, options, observers)
    if found is not None:
        return found
    for observer in observers:
        observer.awaited()
    try:
        return _run_anew(plan, loaded, options, observers, begin)
    except BaseException:
        for observer in observers:
            observer.called_off()
        raise


def _run_anew(
    plan: Plan,
    loaded: LoadedStudy,
    options: RunOptions,
    observers: Sequence[Observer],
    begin: float,
) -> RunResult:
    root = data_root(options.data)
    found = {key: load(config, root) for key, config in data_configs(plan).items()}
    datasets = list(found.values())
    plan = replace(plan, fingerprints={key: data.fingerprint for key, data in found.items()})
    check_writable(options.reports, loaded.study.study)
    with conductor_lock(options.results):
        store = open_store(options.results)
        try:
            store.check()
            if options.retrain_damaged:
                store.drop_damaged_candidates()
            published = read_for(plan.study.study, options.results / FOLDER)
            session = _Session(options, observers, begin, loaded, published)
            return _run(plan, store, datasets, session)
        finally:
            store.close()


@dataclass(frozen=True)
class _Session:
    options: RunOptions
    observers: Sequence[Observer]
    begin: float
    loaded: LoadedStudy
    published: Sequence[PublishedFile]

    def seconds(self) -> float:
        return time.monotonic() - self.begin


def _run(plan: Plan, store: Store, datasets: Sequence[Dataset], session: _Session) -> RunResult:
    conductor = Conductor(plan, store, session)
    try:
        conductor.check(datasets)
        conductor.execution = _start(plan, store, datasets, session)
        return _train_and_judge(conductor, datasets)
    finally:
        conductor.close()


def _start(plan: Plan, store: Store, datasets: Sequence[Dataset], session: _Session) -> int:
    """Begin an execution in the store, with what it is of."""
    file = shown_path(session.loaded.file)
    context = {
        "overrides": dict(plan.overrides),
        "fingerprints": dict(plan.fingerprints),
        "environment": environment(),
        "duplicates": {dataset.name: count_duplicates(dataset) for dataset in datasets},
        "file": file,
    }
    return store.start_execution(
        plan.study.study,
        plan.profile,
        plan.hash,
        plan.declaration,
        context,
        identity(plan, file),
    )


def _ended_by(error: BaseException) -> str:
    return "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"


def _end(store: Store, execution: int, status: str, session: _Session) -> None:
    with suppress(StoreError):  # it may be what is in trouble
        store.end_execution(execution, status, session.seconds())


def _close_early(conductor: Conductor, status: str) -> None:
    """Close an execution that did not come to its end, and tell everyone."""
    session = conductor.session
    _end(conductor.store, conductor.execution, status, session)
    closing = Closing(status, conductor.counts, session.seconds(), (), None, conductor.costs())
    for observer in session.observers:
        with suppress(OSError):  # of a terminal that is gone; the others are told all the same
            observer.closed(closing)


def _train_and_judge(conductor: Conductor, datasets: Sequence[Dataset]) -> RunResult:
    store, session = conductor.store, conductor.session
    try:
        conductor.run(datasets)
        status = "failed" if conductor.counts["failed"] else "finished"
        store.end_execution(conductor.execution, status, session.seconds())
    except BaseException as error:
        _close_early(conductor, _ended_by(error))
        raise
    try:
        return _judge(conductor, status)
    except KeyboardInterrupt:
        _close_early(conductor, "interrupted")
        raise


def _judge(conductor: Conductor, status: str) -> RunResult:
    """Judge what has been trained, write the report and tell everyone."""
    from harness.run.reports import conclude
    from harness.run.results import Results

    plan, session = conductor.plan, conductor.session

    def closed(outcome: Outcome, report: Path | None = None) -> Closing:
        seconds, costs = session.seconds(), conductor.costs()
        return Closing(status, conductor.counts, seconds, outcome.verdicts, report, costs)

    results, names = Results(conductor.store, session.published), (plan.study.study, plan.profile)
    outcome, report = conclude(
        results, names, session.options.reports, lambda o: conductor.tell("judged", closed(o))
    )
    end = closed(outcome, report)
    conductor.tell("closed", end)
    counts, verdicts = conductor.counts, outcome.verdicts
    return RunResult(*names, counts, end.wall_seconds, verdicts, report, outcome, end.costs)


def _import_what_judges() -> None:
    """Import what judges and draws while Ray starts: both take a second or two."""
    for module in ("harness.run.results", "harness.report"):
        import_module(module)


@dataclass
class _Work:
    """A trial that is queued or running, and everything it is for."""

    assignments: list[Assignment] = field(default_factory=list)
    attempt: int = 1


class Conductor:
    """Feeds an executor from the schedule, and the store from the executor."""

    def __init__(self, plan: Plan, store: Store, session: _Session):
        self.plan = plan
        self.store = store
        self.execution = 0  # until it has begun
        self.session = session
        self.counts: Counter[str] = Counter(complete=0, pruned=0, diverged=0, failed=0, reused=0)
        self._schedule = Schedule(plan, store, next_round, best)
        self._states = store.states()
        self._damaged: set[str] = set()
        self._work: dict[str, _Work] = {}
        self._queue = PackQueue(packs=plan.study.resources.workers == 1)
        self._faults = FaultPolicy(plan.study.faults)
        self._checkpoints = checkpoints_of(plan.study, session.options.results)
        self._in_flight: dict[str, Pack] = {}
        self._planned = Counter(plan.trial_counts())
        self._noted: Counter[str] = Counter()
        self._provided: set[Key] = set()
        self._forecast: Mapping[str, float] = {}
        self._ledger = Ledger()
        self._executor: Executor | None = None

    def tell(self, event: str, *arguments: Any) -> None:
        """Pass an event on to every observer."""
        for observer in self.session.observers:
            getattr(observer, event)(*arguments)

    def costs(self) -> Costs:
        """Return what the trials of this run cost so far, and what they were forecast to."""
        return self._ledger.costs(self._forecast)

    def check(self, datasets: Sequence[Dataset]) -> None:
        """Have a worker build every distinct network that is to be trained, and take a step.

        Raises:
            InputError: with every mistake of any of them.
        """
        subjects = subjects_of(self.plan, self.store, self._states)
        if subjects:
            loaded, executor = self.session.loaded, self._opened(datasets)
            tell = partial(self.tell, "noticed")
            check_networks(executor, loaded, self.plan, subjects, tell)

    def run(self, datasets: Sequence[Dataset]) -> None:
        """Run every trial that has no record yet; return when all have one.

        The workers may still be stopping then; `close` returns when they are gone.
        """
        self.tell("opened", Opening(self.plan, self.execution, dict(self._planned), {}))
        walk = Walk(self.plan)
        self._take(self._schedule.start(), walk)
        outlook = walk.outlook()
        self._forecast = outlook.costs
        self.store.note_context(self.execution, "forecast", outlook.by_arm)
        if not self._queue:
            return
        executor = self._opened(datasets)
        try:
            while self._work:
                self._submit(executor)
                self._handle(executor.events(WAIT_SECONDS))
        finally:
            executor.release()

    def close(self) -> None:
        """Return when the workers are gone."""
        if self._executor is not None:
            self._executor.close()

    def _opened(self, datasets: Sequence[Dataset]) -> Executor:
        """Return the executor, which has the data; it is opened when it is first needed."""
        if self._executor is None:
            self._executor = self._open_executor()
            for dataset in datasets:
                self._executor.provide(dataset)
        return self._executor

    def _open_executor(self) -> Executor:
        options = self.session.options
        if not options.in_process:  # two imports at once, of which one is PyTorch's, can collide
            Thread(target=_import_what_judges).start()
        try:
            return open_executor(
                in_process=options.in_process,
                address=options.address,
                needs=needs_of(self.plan.study, options.results),
                modules=own_modules(self.plan),
            )
        except ClusterError as error:
            raise InputError(
                [Problem(str(error), "--address" if options.address else "")]
            ) from None

    def _take(self, assignments: Iterable[Assignment], walk: Walk | None = None) -> None:
        """Queue what must run; what has a record counts at once and may unlock more.

        The walk, if there is one, is told of all that is met.
        """
        todo, noted = deque(assignments), []
        hopeless: list[Record] = []
        while todo or hopeless:
            if not todo:
                todo.extend(self._settle(hopeless))
                hopeless = []
                continue
            item = todo.popleft()
            id_ = item.trial.id
            self._set_aside_damaged(id_)
            usable = self._is_usable(item.trial)
            noted.append(_assigned(item, usable))
            if walk is not None:
                walk.meet(item, done=usable)
            if usable:
                record = self.store.record(id_)
                assert record is not None
                if walk is not None and walk.wants(item):
                    walk.measure(record)
                self.counts["reused"] += 1
                self.tell("finished", record, [item], True)
                todo.extend(self._schedule.completed(record))
            elif id_ in self._work:
                self._work[id_].assignments.append(item)
            else:
                self._work[id_] = _Work([item], self._next_attempt(id_))
                reason = why_hopeless(item.trial, self.plan, self._states)
                if reason:
                    hopeless.append(_failure(item.trial, reason, self._work[id_].attempt))
                else:
                    self._queue.add(item.trial, self._work[id_].attempt)
        self._note(noted)

    def _note(self, rows: Sequence[AssignedRecord]) -> None:
        """Write down what trials are for, and tell of those beyond what was planned."""
        self.store.add_assignments(self.execution, rows)
        self._noted.update(row.phase.value for row in rows)
        if any(count > self._planned[phase] for phase, count in self._noted.items()):
            self._planned |= self._noted
            self.tell("extended", dict(self._planned))

    def _is_usable(self, trial: Trial) -> bool:
        """Tell whether a trial's record stands for it; a stage needs its products as well."""
        state = self._states.get(trial.id)
        if trial.phase is Phase.PRETRAINING and state is State.COMPLETE:
            return self.store.has_products(trial.id)
        return state in REUSABLE

    def _set_aside_damaged(self, trial_id: str) -> None:
        """Forget a damaged record, if that was asked for, so that its trial is trained again."""
        wanted = self.session.options.retrain_damaged and trial_id in self._states
        if wanted and self.store.set_aside_damaged(trial_id):
            del self._states[trial_id]
            self._damaged.add(trial_id)

    def _next_attempt(self, trial_id: str) -> int:
        if trial_id in self._damaged:
            return 2
        if self._states.get(trial_id) is not State.FAILED:
            return 1
        record = self.store.record(trial_id)
        return record.attempt + 1 if record else 1

    def _submit(self, executor: Executor) -> None:
        """Keep every slot busy and one pack waiting behind it."""
        while self._queue and self._packs_in_flight() < 2 * executor.slots:
            pack = self._queue.next_pack(executor.slots)
            self._in_flight |= dict.fromkeys((trial.id for trial in pack.trials), pack)
            self._provide(executor, pack)
            executor.submit(pack)
            for trial in pack.trials:
                self.tell("started", self._work[trial.id].assignments[0])

    def _provide(self, executor: Executor, pack: Pack) -> None:
        """Hand over what a pack uses of stages, when the first one needs it."""
        stages = {stage.trial.id: stage.trial for stage in self.plan.stages.values()}
        for key in pack.needed.values():
            if key not in self._provided:
                executor.provide_products(key, given_of(stages[key[0]], self.store, key[1]))
                self._provided.add(key)

    def _packs_in_flight(self) -> int:
        return len({id(pack) for pack in self._in_flight.values()})

    def _handle(self, events: Sequence[Event]) -> None:
        records, losses = [], []
        for event in events:
            if isinstance(event, Progress):
                self.tell("progressed", event)
            elif isinstance(event, Notice):
                self.tell("noticed", event.text)
            elif isinstance(event, Checked):
                continue  # `check` has waited for them all
            elif isinstance(event, Lost):
                losses.append(event)
            elif (loss := self._faults.lost_to_exception(event)) is not None:
                losses.append(loss)
            else:
                records.append(with_products(event))
        records += self._give_up(losses)
        self._take(self._settle(records))

    def _settle(self, records: Sequence[Record]) -> list[Assignment]:
        """Store records, then tell everyone; return the assignments that they unlock."""
        self.store.add_records(records)
        if self._checkpoints is not None:
            self._checkpoints.remove(record.trial_id for record in records)
        unlocked: list[Assignment] = []
        for stored in records:
            record = replace(stored, products={})  # they are safe, and large
            self._states[record.trial_id] = record.state
            work = self._work.pop(record.trial_id)
            self._in_flight.pop(record.trial_id, None)
            self.counts[record.state.value] += 1
            self._ledger.add(work.assignments[0].arm, record)
            self.counts["reused"] += len(work.assignments) - 1
            self.tell("finished", record, work.assignments, False)
            unlocked += self._schedule.completed(record)
        return unlocked

    def _give_up(self, losses: Sequence[Lost]) -> list[Record]:
        """Queue lost trials again; return failed records for those out of attempts."""
        given_up = []
        for loss in losses:
            for trial in loss.pack.trials:
                work, cause = self._work[trial.id], f"{loss.kind}: {loss.cause}"
                self.store.add_attempt(trial.id, loss.pack.attempt, cause)
                self.tell("lost", work.assignments[0], cause)
                reason = self._faults.why_given_up(trial.id, loss)
                if reason:
                    given_up.append(_failure(trial, reason, work.attempt))
                else:
                    work.attempt += 1
                    del self._in_flight[trial.id]
                    self._queue.add(trial, work.attempt, alone=self._faults.goes_alone(trial.id))
        return given_up


def _failure(trial: Trial, reason: str, attempt: int) -> Record:
    """Return the record of a trial that ends without having been trained."""
    now = time.time()
    return Record(trial, State.FAILED, reason, attempt=attempt, started=now, ended=now)


def _assigned(item: Assignment, reused: bool) -> AssignedRecord:
    return AssignedRecord(
        item.arm,
        item.phase,
        item.candidate,
        item.parameters,
        item.trial.seed,
        reused,
        item.trial.id,
        None,
    )
