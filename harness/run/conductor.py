"""The conductor of a study: it feeds workers with trials, and stores what comes back."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from harness.cluster import Event, Executor, Loss, Lost, Notice, Pack
from harness.formatting import plural
from harness.plan import Assignment, Plan
from harness.run.ahead import import_what_judges
from harness.run.dry_runs import check_networks, subjects_of
from harness.run.limits import Meter
from harness.run.observer import Observer, Opening
from harness.run.outcome import Costs, Ledger, RunOptions
from harness.run.prepare import (
    REUSABLE,
    Walk,
    is_usable,
)
from harness.run.schedule import Schedule
from harness.run.sequential_confirmation import deciding_from
from harness.run.stages import why_hopeless, with_products
from harness.run.trial_queue import FaultPolicy, PackQueue
from harness.run.workers import Workers, checkpoints_of
from harness.search import best, next_round
from harness.store import AssignedRecord, Store
from harness.study import LoadedStudy
from harness.trial import Checked, Progress, Record, State, Trial

WAIT_SECONDS = 0.5


@dataclass(frozen=True)
class Session:
    """A study that is run: its file, how, who watches, and since when."""

    loaded: LoadedStudy
    options: RunOptions
    observers: Sequence[Observer]
    begin: float

    def seconds(self) -> float:
        """Return how long it has taken."""
        return time.monotonic() - self.begin


@dataclass
class _Work:
    """A trial that is queued or running, and everything it is for."""

    assignments: list[Assignment] = field(default_factory=list)
    attempt: int = 1


class Conductor:
    """Feeds an executor from the schedule, and the store from the executor."""

    def __init__(self, plan: Plan, store: Store, session: Session, workers: Workers):
        self.plan = plan
        self.store = store
        self.execution = 0  # until it has begun
        self.session = session
        self._workers = workers
        self.counts: Counter[str] = Counter(complete=0, pruned=0, diverged=0, failed=0, reused=0)
        self._schedule = Schedule(plan, store.searches, next_round, best, deciding_from(store))
        self._states = store.states()
        self._damaged: set[str] = set()
        self._work: dict[str, _Work] = {}
        self._queue = PackQueue(packs=plan.study.resources.workers == 1)
        self._faults = FaultPolicy(plan.study.faults)
        self._checkpoints = checkpoints_of(plan.study, session.options.results)
        self._in_flight: dict[str, Pack] = {}
        self._planned = Counter(plan.trial_counts())
        self._noted: Counter[str] = Counter()
        self._room = 0
        self._forecast: Mapping[str, float] = {}
        self._ledger = Ledger()
        limits = session.options.limits
        self._meter = Meter(limits, plan.study) if limits else None
        self.stopped = ""  # by which limit

    def tell(self, event: str, *arguments: Any) -> None:
        """Pass an event on to every observer."""
        for observer in self.session.observers:
            getattr(observer, event)(*arguments)

    def costs(self) -> Costs:
        """Return what the trials of this run cost so far, and what they were forecast to."""
        return self._ledger.costs(self._forecast)

    def check(self) -> None:
        """Have a worker build every distinct network that is to be trained, and take a step.

        Raises:
            InputError: with every mistake of any of them.
        """
        subjects = subjects_of(self.plan, self.store, self._states)
        if subjects:
            executor, tell = self._workers.executor(), partial(self.tell, "noticed")
            check_networks(executor, self.session.loaded, self.plan, subjects, tell)

    def run(self) -> None:
        """Run every trial that has no record yet; when it returns, workers may still be ending."""
        self.tell("opened", Opening(self.plan, self.execution, dict(self._planned)))
        walk = Walk(self.plan)
        self._take(self._schedule.start(), walk)
        outlook = walk.outlook()
        self._forecast = outlook.costs
        self.store.note_context(self.execution, "forecast", outlook.by_arm)
        if not self._queue:
            self._workers.dismiss()
            return
        for lacking in self._workers.lacking():
            self.tell("noticed", lacking)
        executor = self._workers.executor()
        if executor.crowd:
            self.tell("noticed", executor.crowd)
        try:
            while self._work and not self._is_stopped():
                self._submit(executor)
                self._handle(executor.events(WAIT_SECONDS))
        finally:
            executor.release()

    def _is_stopped(self) -> bool:
        """Tell whether a limit is reached and all trials that were started have ended."""
        if self._meter is not None and not self.stopped:
            self.stopped = self._meter.reached(len(self._in_flight))
            if self.stopped:
                running = plural(len(self._in_flight), "trial")
                self.tell("noticed", f"{self.stopped}: {running} may end, no other is started")
        return bool(self.stopped) and not self._in_flight

    def time_blocks(self) -> None:
        """Measure every timing block that has no records yet, one after another.

        All else of the study has ended, and the workers are gone by then.
        """
        if self.plan.study.timing is None or self.stopped:
            return
        for items in self._schedule.timing_blocks(self._workers.timing_machine()):
            ids = {item.trial.id: item.trial for item in items}
            for id_ in ids:
                self._set_aside_damaged(id_)
            done = [id_ for id_ in ids if self._states.get(id_) in REUSABLE]
            if len(done) == len(ids):
                self._take(items)
                continue
            if self._is_stopped():
                return
            self.store.set_aside(done, "others of its block have no record, and it is timed anew")
            self._note([AssignedRecord.of(item, reused=False) for item in items])
            for id_ in ids:
                mine = [item for item in items if item.trial.id == id_]
                self._work[id_] = _Work(mine)
                self.tell("started", mine[0])
            self.tell("settle")
            self._settle(self._workers.measure(list(ids.values())))

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
            usable = is_usable(self.store, id_, item.trial.phase, self._states.get(id_))
            noted.append(AssignedRecord.of(item, reused=usable))
            if walk is not None:
                walk.meet(item, done=usable)
            if usable:
                record = self.store.record(id_)
                assert record is not None
                if walk is not None and walk.wants(item):
                    walk.measure(record)
                if self._meter is not None:
                    self._meter.add_earlier(record)
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
        if self.stopped:
            return
        if executor.slots != self._room:
            self._room = executor.slots
            self.tell("room", self._room)
        most = executor.slots * (2 if self._meter is None else 1)  # what is handed over is run
        running = len({id(pack) for pack in self._in_flight.values()})
        while self._queue and running < most:
            pack = self._queue.next_pack(executor.slots)
            running += 1
            self._in_flight |= dict.fromkeys((trial.id for trial in pack.trials), pack)
            self._workers.submit(pack)
            for trial in pack.trials:
                self.tell("started", self._work[trial.id].assignments[0])
        last = self._planned.total() - self.counts.total() <= len(self._in_flight)
        # not where this process trains: two imports at once can collide if one is PyTorch's
        if last and running < max(2, executor.slots) and not self.session.options.in_process:
            import_what_judges()

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
            record = replace(stored, products={}, outcomes={})  # they are safe, and large
            self._states[record.trial_id] = record.state
            work = self._work.pop(record.trial_id)
            self._in_flight.pop(record.trial_id, None)
            self.counts[record.state.value] += 1
            self._ledger.add(work.assignments[0].arm, record)
            if self._meter is not None:
                self._meter.add(record)
            self.counts["reused"] += len(work.assignments) - 1
            self.tell("finished", record, work.assignments, False)
            unlocked += self._schedule.completed(record)
        return unlocked

    def _give_up(self, losses: Sequence[Lost]) -> list[Record]:
        """Queue lost trials again; return failed records for those out of attempts."""
        given_up = []
        for loss in losses:
            if loss.kind is Loss.MEMORY:
                self._queue.halve(loss.pack)
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
