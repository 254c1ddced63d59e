"""What a live page shows: read from the results, which are never written to."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.evidence import RecordsAtHand, gather, plan_of
from harness.formatting import amount, plural, seconds, why
from harness.live.effects import Effect, provisional
from harness.live.status import Running, Status, read_status
from harness.live.view import ArmRow, Bar, Failure, View, ago
from harness.plan import Plan, guessed_seconds, guessed_timing_seconds, seconds_at_pace
from harness.store import (
    DATABASE,
    AssignedRecord,
    Ended,
    Execution,
    Noted,
    Store,
    StoreError,
    conductor_of,
    ended,
    newest,
    noted,
    open_to_read,
)
from harness.study.prices import Prices
from harness.trial import COSTS, SECONDS, Phase, Record, State

RECENT = 8
"""Runs that a page has links to."""
FRESH = 1.0
"""Seconds for which what was read is shown again."""
SILENT = 120.0
"""Seconds without a word from a run from which on the page points it out."""

_GOES_ON = (
    "Everything recorded is kept. Give the same command again: it goes on from here, and this page"
    " follows."
)


@dataclass
class _Known:
    """What was read of an execution before and cannot change."""

    plan: Plan
    ended: dict[str, Ended] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    effects: Sequence[Effect] = ()
    effects_of: frozenset[str] = frozenset()
    effects_again: float = 0.0

    @cached_property
    def work(self) -> Mapping[str, float]:
        """The guessed seconds of a trial of each arm and stage."""
        return guessed_seconds(self.plan)

    @cached_property
    def timing_seconds(self) -> float:
        """The guessed seconds of one arm in one timing block."""
        return guessed_timing_seconds(self.plan)

    @cached_property
    def planned(self) -> Mapping[tuple[str, str], int]:
        """The trials of each arm and phase, as far as they are known beforehand."""
        plan, found = self.plan, {}
        for name in plan.stages:
            found[name, Phase.PRETRAINING.value] = 1
        for arm in plan.all_arms:
            found[arm.name, Phase.SEARCH.value] = plan.search_count(arm)
            found[arm.name, Phase.CONFIRMATION.value] = plan.study.first_seeds
        for arm in plan.timed_arms:
            timing = plan.study.timing
            found[arm.name, Phase.TIMING.value] = timing.blocks if timing else 0
        return found


class Watch:
    """Reads the results of a folder for its live page; what was read once is not read again."""

    def __init__(self, results: Path):
        self.results = results
        self._lock = threading.Lock()
        self._known: dict[int, _Known] = {}
        self._shown: dict[int | None, View] = {}
        self._until: dict[int | None, float] = {}

    def view(self, run: int | None = None) -> View:
        """Return what there is to show of a run, by its number; of the newest one without.

        Nothing is read again for a second, or for four times as long as the reading took.
        """
        with self._lock:
            if time.monotonic() < self._until.get(run, 0.0):
                return self._shown[run]
            begin = time.monotonic()
            try:
                found = self._read(run)
            except StoreError as error:
                found = View("The results cannot be read", str(error), time.time())
            except Exception as error:  # of another version, or by own code; the run is not touched
                found = View("The results cannot be shown", why(error), time.time())
            self._shown[run] = found
            end = time.monotonic()
            self._until[run] = end + max(FRESH, 4 * (end - begin))
            return found

    def _read(self, run: int | None) -> View:
        now = time.time()
        conductor = conductor_of(self.results)
        preparing = "A run is being prepared, which checks its networks first; or a pilot is run."
        if not (self.results / DATABASE).is_file():
            return View("none", preparing if conductor else "This page begins with a run.", now)
        with closing(open_to_read(self.results)) as store:
            runs = newest(store, RECENT, run)
            chosen = next((e for e in runs if run in (None, e.id)), None)
            if chosen is None:
                text = f"There is no run {run} in these results." if runs else ""
                return View("none", text or (preparing if conductor else ""), now, runs=runs)
            if chosen.id not in self._known:
                self._known = {k: v for k, v in self._known.items() if len(self._known) < RECENT}
                self._known[chosen.id] = _Known(plan_of(chosen))
            reading = _Reading(store, chosen, self._known[chosen.id], self.results, now)
            latest = chosen.id == runs[0].id
            holds = conductor is not None and conductor[1] <= chosen.started
            state = chosen.status
            if state == "running" and not (latest and holds):
                state = "gone"
            waits = preparing if conductor and latest and not holds else ""
            if conductor and latest and holds and state != "running":
                waits = "The claims are judged and the report is written now."
            return replace(reading.view(state, waits), runs=runs, current=latest)


class _Reading:
    """One look at one execution."""

    def __init__(
        self, store: Store, execution: Execution, known: _Known, results: Path, now: float
    ):
        self.store, self.execution, self.known, self.now = store, execution, known, now
        self.rows = noted(store, execution.id)
        self._read_ended()
        told = read_status(results)
        self.told = told if told and told.execution == execution.id else Status(execution.id)
        files = [results / f"{DATABASE}{end}" for end in ("", "-wal")]
        self.written = max((f.stat().st_mtime for f in files if f.is_file()), default=0.0)

    def _read_ended(self) -> None:
        """Read what is new; of trials that failed all again, since they may be tried again."""
        known = self.known.ended
        wanted = {
            row.trial_id
            for row in self.rows
            if row.state and (row.trial_id not in known or row.state == State.FAILED)
        }
        known |= {one.trial_id: one for one in ended(self.store, sorted(wanted))}

    def view(self, state: str, waits: str) -> View:
        """Return all that the page says."""
        running = self.told.running if state in ("running", "gone") else ()
        over = state not in ("running", "gone", "interrupted")
        shown = bool(self.execution.context.get("live"))
        hidden = (
            "This run was started without --live: its effects are shown with their verdicts, when"
            " all trials have ended."
        )
        return View(
            state,
            self._detail(state, waits),
            self.now,
            self.execution,
            bars=self._bars(),
            arms=self._arms(running),
            effects=self._effects() if shown and not over else (),
            effects_hidden="" if shown or over else hidden,
            verdicts=self.told.verdicts if over else (),
            report=self.told.report if over else "",
            failures=self._failures(),
            running=sorted(running, key=lambda trial: trial.epochs == 0),
            slots=self.told.slots,
            devices=self._devices(),
            facts=self._facts(state),
            notices=list(reversed(self.told.notices)),
            question=self.known.plan.study.question,
        )

    def _detail(self, state: str, waits: str) -> str:
        if state == "gone":
            says = "It ended without closing the run: it was killed, or the machine stopped."
            return f"{says} {waits or _GOES_ON}"
        if state == "interrupted":
            return waits or _GOES_ON
        if state == "running":
            since = self.now - max(self.written, self.told.at)
            if since > SILENT:
                return (
                    f"The run has written nothing for {seconds(since)}: its trials may be long, or"
                    " it waits for workers."
                )
            return "Numbers on this page change until all trials have ended."
        if not self.told.report:
            return (
                waits or "Claims are judged and the report is written when all trials have ended."
            )
        return waits

    # --- trials ----------------------------------------------------------------------------------
    def _is_done(self, row: Noted) -> bool:
        """Whether a trial has ended; a failure of an earlier run is tried again in this one."""
        if row.state is None:
            return False
        earlier = self.known.ended[row.trial_id].ended < self.execution.started
        return not (row.state == State.FAILED and earlier)

    @cached_property
    def _counts(self) -> Mapping[tuple[str, str], tuple[int, int]]:
        """(ended, planned) of every arm and phase."""
        met: Counter[tuple[str, str]] = Counter((row.arm, row.phase) for row in self.rows)
        done = Counter((row.arm, row.phase) for row in self.rows if self._is_done(row))
        found = {}
        for key in [*self.known.planned, *(k for k in met if k not in self.known.planned)]:
            arm, phase = key
            planned = max(self.known.planned.get(key, 0), met[key])
            if phase == Phase.SEARCH and met[arm, Phase.CONFIRMATION.value]:
                planned = met[key]  # it is over, with fewer candidates where a budget was spent
            if planned:
                found[key] = done[key], planned
        return found

    def _bars(self) -> list[Bar]:
        sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for (_, phase), (done, planned) in self._counts.items():
            sums[phase][0] += done
            sums[phase][1] += planned
        return [Bar(phase, *sums[phase]) for phase in Phase if phase in sums]

    def _arms(self, running: Sequence[Running]) -> list[ArmRow]:
        arms = dict.fromkeys(arm for arm, _ in self._counts)
        ends = Counter((row.arm, row.state) for row in self.rows if self._is_done(row))
        now = Counter(trial.arm for trial in running)
        return [
            ArmRow(
                arm,
                [Bar(p, *self._counts[arm, p]) for p in Phase if (arm, p) in self._counts],
                ends[arm, State.FAILED.value],
                ends[arm, State.DIVERGED.value],
                now[arm],
            )
            for arm in arms
        ]

    def _failures(self) -> list[Failure]:
        """Return what went wrong, the newest first; a trial of several arms once."""
        rows, known = {row.trial_id: row for row in reversed(self.rows)}, self.known.ended
        found = [
            (known[row.trial_id].ended, row)
            for row in rows.values()
            if row.state in (State.FAILED, State.DIVERGED) and self._is_done(row)
        ]
        lost = [
            Failure("lost, tried again", _where(rows[id_]), id_, f"attempt {attempt}: {cause}")
            for id_, attempt, cause in reversed(self.store.lost_attempts(rows))
        ]
        return [
            Failure(str(row.state), _where(row), row.trial_id, known[row.trial_id].reason)
            for _, row in sorted(found, key=lambda pair: pair[0], reverse=True)
        ] + lost

    # --- effects ---------------------------------------------------------------------------------
    def _effects(self) -> Sequence[Effect]:
        known = self.known
        rows = [row for row in self.rows if row.phase == Phase.CONFIRMATION and self._is_done(row)]
        ids = frozenset(row.trial_id for row in rows)
        unchanged = bool(known.effects) and ids == known.effects_of
        if unchanged or time.monotonic() < known.effects_again:
            return known.effects
        begin = time.monotonic()
        for id_ in ids - set(known.records):
            record = self.store.record(id_)
            if record is not None:
                known.records[id_] = replace(record, curve=(), environment={})
        assigned = tuple(
            AssignedRecord(row.arm, Phase(row.phase), row.candidate, {}, row.seed, row.reused,
                           row.trial_id, known.records.get(row.trial_id))
            for row in rows
        )  # fmt: skip
        evidence = gather(RecordsAtHand(assigned), self.execution, known.plan)
        known.effects, known.effects_of = list(provisional(evidence)), ids
        known.effects_again = time.monotonic() + 4 * (time.monotonic() - begin)
        return known.effects

    # --- workers, time, cost ---------------------------------------------------------------------
    @cached_property
    def _ran(self) -> list[Ended]:
        """The trials that were trained in this run and have ended."""
        ran = {row.trial_id for row in self.rows if not row.reused and self._is_done(row)}
        return [self.known.ended[id_] for id_ in ran]

    def _devices(self) -> list[tuple[str, int]]:
        return Counter(one.device or "unknown" for one in self._ran).most_common()

    def _facts(self, state: str) -> list[tuple[str, str]]:
        execution = self.execution
        until = execution.ended or (self.now if state == "running" else self.written)
        left = None
        if state == "running":
            left = seconds_at_pace(until - execution.started, self._worked, self._left)
        took = seconds(until - execution.started)
        facts = [("Since its start" if state == "running" else "Took", took)]
        if state == "running" and self._left:
            facts.append(
                ("Time left", f"about {seconds(left)}" if left is not None else "not known yet")
            )
        costs = {
            unit: sum(one.costs[unit] for one in self._ran)
            for unit in COSTS
            if self._ran and all(unit in one.costs for one in self._ran)
        }
        names = {SECONDS: "Work of workers", "gpu_seconds": "Time of GPUs", "joules": "Energy"}
        facts += [(names[unit], amount(unit, value)) for unit, value in costs.items()]
        facts += self._money(costs, left)
        if reused := sum(row.reused for row in self.rows):
            facts.append(("There before", plural(reused, "trial")))
        if state in ("running", "gone"):
            facts.append(("Last record", ago(self.now - self.written)))
        return facts

    def _money(self, costs: Mapping[str, float], left: float | None) -> list[tuple[str, str]]:
        prices: Mapping[str, Any] | None = self.execution.context.get("prices")
        if not prices or SECONDS not in costs:
            return []
        study, priced = self.known.plan.study, Prices.model_validate(prices)
        bill = priced.bill(study.resources, costs[SECONDS], costs.get("joules"))
        found = [("Cost so far", str(bill))] if str(bill) else []
        if found and left is not None and self._worked:
            rest = costs[SECONDS] * self._left / self._worked
            found.append(("Cost left", f"about {priced.bill(study.resources, rest, None)}"))
        return [(name, text) for name, text in found if text not in ("", "about ")]

    @cached_property
    def _worked(self) -> float:
        """The guessed seconds of the trials that this run has trained."""
        return sum(self._weight(row.arm, row.phase) for row in self.rows
                   if not row.reused and self._is_done(row))  # fmt: skip

    @cached_property
    def _left(self) -> float:
        """The guessed seconds of the trials that are left."""
        counts = self._counts.items()
        return sum((planned - done) * self._weight(*key) for key, (done, planned) in counts)

    def _weight(self, arm: str, phase: str) -> float:
        if phase == Phase.TIMING:
            return self.known.timing_seconds
        return self.known.work.get(arm, 1.0)


def _where(row: Noted) -> str:
    """Name a trial by what it is for."""
    candidate = f", candidate {row.candidate}" if row.phase == Phase.SEARCH else ""
    return f"{row.arm}, {row.phase}, seed {row.seed}{candidate}"
