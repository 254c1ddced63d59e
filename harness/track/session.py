"""One execution's mirror: what is to be in MLflow, and the rounds of work that bring it there.

Every step may fail and be done again: the session holds what should be, asks MLflow after any
trouble what is, and sends the difference. So nothing is doubled by an answer that got lost.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.track.client import Found, Refused, TrackingStore, keep_one
from harness.track.messages import Ending, ExecutionInfo, MirrorStatus, TrialInfo
from harness.track.runs import (
    LOST,
    Point,
    TrialRun,
    Update,
    metric_key,
    metric_points,
    milliseconds,
    stands_for,
    tags_of,
)
from harness.track.summaries import Summaries, description
from harness.track.views import note, views
from harness.trial import Record, Trial

ROUND = 1.0
"""Seconds of work between two looks at what has arrived."""
TRIES = 3
"""How often a refused item is offered."""
HEARTBEAT = 60.0
"""Seconds between two signs of life on the parent run."""
SILENT = 3600.0
"""Seconds without a heartbeat after which another conductor's execution is taken for dead."""
RUNS, POINTS = 100, 20_000
"""Runs and points of one transaction: no reader or other writer waits long for its end."""

Batch = list[tuple[str, TrialRun, Update]]


class Session:
    """Mirrors one execution. All methods but `work` and `abandon` are instant and never fail."""

    def __init__(
        self,
        execution: ExecutionInfo,
        connect: Callable[[], TrackingStore],
        sample: Callable[[], Sequence[Point]] = tuple,
    ) -> None:
        self.execution = execution
        self._sample = sample
        self.status = MirrorStatus()
        self._connect = connect
        self._store: TrackingStore | None = None
        self._experiment = ""
        self._experiment_tags: dict[str, str] = {}
        self._parent = ""
        self._beat = time.monotonic()
        self._live: dict[str, TrialRun] = {}
        self._waiting: dict[str, TrialRun] = {}
        self._refused: dict[str, TrialRun] = {}
        self._mirrored: dict[str, str] = {}
        self._found: dict[str, list[Found]] = {}
        self._looked = False
        self._in_doubt = True
        self._had_trouble = False
        self._ending: Ending | None = None
        self._uploads, self._uploaded = 0, False
        self._refusal = ""
        self._summaries: Summaries | None = None

    # What the conductor tells.

    def begin(self, trial: Trial, info: TrialInfo, began: float) -> None:
        """A trial starts, for the first time or again after its worker was lost."""
        known = (self._live, self._waiting, self._refused)
        if not any(trial.id in runs for runs in known):
            self._live[trial.id] = TrialRun.of(trial, info, self.execution, began)

    def progress(self, trial_id: str, curve: Sequence[Mapping[str, float]], when: float) -> None:
        """A trial finished epochs."""
        if trial_id in self._live:
            self._live[trial_id].progress(curve, when)

    def record(self, record: Record, info: TrialInfo) -> None:
        """A trial ended, now or in an earlier execution."""
        trial_id = record.trial_id
        run = self._live.pop(trial_id, None) or self._refused.pop(trial_id, None)
        if run is None:
            if trial_id in self._waiting or trial_id in self._mirrored:
                return
            run = TrialRun.of(record.trial, info, self.execution, record.started)
        run.record, run.refused = record, 0
        self._waiting[trial_id] = run

    def end(self, ending: Ending) -> None:
        """The execution is over; close it as soon as all its records are there."""
        self._ending = ending

    # What is done about it.

    @property
    def busy(self) -> bool:
        """Whether there is something to do right now."""
        return bool(self._waiting) or (self._ending is not None and not self.status.done)

    def work(self) -> None:
        """Do about a second's worth of what is to be done.

        Raises:
            Exception: whatever MLflow raises when it is in trouble; nothing is lost by it.
        """
        if self.status.done:
            return
        store = self._open()
        deadline = time.monotonic() + ROUND
        self._recognize(store)
        self._send(store, self._waiting, deadline)
        self._send(store, self._live, deadline + ROUND)
        if self._ending is not None and not self._waiting:
            self._close(store, self._ending)
        else:
            self._report(error=self._refusal, slow_reason=store.slow_reason)

    def trouble(self, error: str) -> None:
        """Note that the last round failed: what was asked for may or may not have happened."""
        self._in_doubt = self._had_trouble = True
        self._store = None
        self._report(error=error)

    def abandon(self) -> None:
        """The conductor is gone or has no time left: leave no run running, if that can be done."""
        if self.status.done or not self._parent:
            return
        store = self._store or self._connect()
        store.lose(self._parent)  # first: time may be short, and the next run finds the others
        self._lose(store, [*self._live.values(), *self._waiting.values()])

    def _report(self, **changes: Any) -> None:
        pending = len(self._waiting) + len(self._refused)
        self.status = replace(self.status, pending=pending, **changes)

    def _open(self) -> TrackingStore:
        """Connect, and know what is there, as far as that is not so already."""
        store = self._store or self._connect()
        self._store = store
        if self._in_doubt:
            self._experiment, self._experiment_tags = store.experiment(self.execution.study)
            self._look(store)
            self._in_doubt = False
        if not self._parent:
            self._parent = self._create_parent(store)
        if time.monotonic() - self._beat > HEARTBEAT:
            self._beat = time.monotonic()
            store.log(self._parent, tags={"heartbeat": str(int(time.time()))})
        measured = self._sample()
        if measured:
            store.log(self._parent, measured)
        return store

    def _create_parent(self, store: TrackingStore) -> str:
        execution = self.execution
        moment = time.strftime("%Y-%m-%d %H:%M", time.localtime(execution.started))
        tags: dict[str, object] = {
            "role": "execution",
            "study": execution.study,
            "profile": execution.profile,
            "execution_id": execution.execution_id,
            "mirror": execution.mirror,
            "owner": execution.owner,
            "plan_hash": execution.plan_hash,
            "heartbeat": int(time.time()),
            "mlflow.source.name": f"harness run {execution.study}",
            "mlflow.source.type": "LOCAL",
        }
        labels = {
            "mlflow.experimentKind": "custom_model_development",
            "mlflow.experiment.primaryMetric.name": metric_key(execution.primary_metric),
            "question": execution.question,
            **dict(view.tag for view in views(execution)),
        }
        if execution.goal is not None:
            better = "mlflow.experiment.primaryMetric.greaterIsBetter"
            labels[better] = str(execution.goal == "maximize")
        self._describe_experiment(store, labels)
        name = f"{execution.study} {execution.profile} {moment}"
        return store.create(self._experiment, name, milliseconds(execution.started), tags_of(tags))

    def _describe_experiment(self, store: TrackingStore, labels: Mapping[str, str]) -> None:
        """Tag the experiment, and compose its description from the tags."""
        tags = {**self._experiment_tags, **labels}
        sections = {
            name: text for name, text in tags.items() if name.startswith("verdicts.") and text
        }
        tags["mlflow.note.content"] = note(self.execution, self._experiment, sections)
        new = {name: tags[name] for name in tags if tags[name] != self._experiment_tags.get(name)}
        store.tag_experiment(self._experiment, new)
        self._experiment_tags = tags

    # What is there.

    def _look(self, store: TrackingStore) -> None:
        """Ask which runs exist: all at first, later only those that this execution made."""
        own = self.execution.mirror
        found = list(store.runs(self._experiment, own if self._looked else ""))
        if not self._looked:
            found = self._close_dead(store, found)
            self._looked = True
        mine: dict[str, list[str]] = defaultdict(list)
        others: dict[str, list[Found]] = defaultdict(list)
        for run in found:
            trial_id = run.tags.get("trial_id", "")
            ours = run.tags.get("mirror") == own
            if ours and run.tags.get("role") == "execution":
                mine[""].append(run.run_id)
            elif trial_id and run.run_id != self._mirrored.get(trial_id):
                if ours:
                    mine[trial_id].append(run.run_id)
                else:
                    others[trial_id].append(run)
        self._parent = keep_one(store, self._parent, mine.pop("", []))
        self._found = dict(others) or self._found
        for trial_id, unfinished in {**self._live, **self._waiting, **self._refused}.items():
            run_id = keep_one(store, unfinished.run_id, mine.pop(trial_id, []))
            if run_id != unfinished.run_id:
                unfinished.described = False
                unfinished.steps = {point.step for point in unfinished.points}
            unfinished.run_id = run_id
        for doubles in mine.values():
            for run_id in doubles:
                store.remove(run_id)

    def _close_dead(self, store: TrackingStore, runs: Sequence[Found]) -> list[Found]:
        """Close what dead executions left running; return all runs as they are now, by age.

        An execution is dead when the present one works in its results folder, which has one
        conductor at a time, or when its parent run has been silent for long.
        """
        beats = {
            run.tags.get("mirror"): float(run.tags.get("heartbeat") or 0)
            for run in runs
            if run.tags.get("role") == "execution"
        }
        now = time.time()
        closed = []
        for run in sorted(runs, key=lambda run: (run.started, run.run_id)):
            mirror = run.tags.get("mirror")
            ours = run.tags.get("owner") == self.execution.owner
            silent = now - beats.get(mirror, 0.0) > SILENT
            if run.running and mirror != self.execution.mirror and (ours or silent):
                store.lose(run.run_id)
                tags = {**run.tags, "state": LOST}
                closed.append(replace(run, status="KILLED", tags=tags))
            else:
                closed.append(run)
        return closed

    def _recognize(self, store: TrackingStore) -> None:
        """Count the records for which a run of an earlier execution stands."""
        for trial_id, run in list(self._waiting.items()):
            if run.record is None or run.run_id:
                continue
            for found in self._found.get(trial_id, ()):
                if not found.running and stands_for(found.tags.get("state", ""), run.record):
                    self._report(present=self.status.present + 1)
                    for run_id in self._settled(trial_id, found.run_id):
                        store.remove(run_id)
                    break

    def _settled(self, trial_id: str, kept: str) -> set[str]:
        """Note which run stands for a trial, and return those that it replaces."""
        former = {run.run_id for run in self._found.get(trial_id, ()) if not run.running}
        former |= {self._mirrored.get(trial_id, kept)}
        self._mirrored[trial_id] = kept
        del self._waiting[trial_id]
        return former - {kept}

    # What is sent.

    def _send(self, store: TrackingStore, runs: dict[str, TrialRun], deadline: float) -> None:
        """Write what trials have to say: together where the store takes that, else one by one."""
        for batch in self._batches(runs, together=store.takes_batches):
            if time.monotonic() > deadline:
                return
            updates = [update for _, _, update in batch]
            together = store.takes_batches and batch[0][1].fits_a_batch
            try:
                if together:
                    for _, run, _ in batch:
                        run.together = False  # until it is known to have worked
                    store.write(self._experiment, updates)
                else:
                    try:
                        store.write_one(self._experiment, updates[0])
                    finally:
                        batch[0][1].run_id = updates[0].run_id
            except Refused as refusal:
                if not together:
                    self._note_refusal(runs, batch[0][0], refusal)
                continue
            for run_id in self._written(batch):
                store.remove(run_id)

    def _batches(self, runs: Mapping[str, TrialRun], *, together: bool) -> Iterator[Batch]:
        """Yield those that have something to say, with it; what may go together in portions."""
        now = time.monotonic()
        batch: Batch = []
        points = 0
        for trial_id, run in list(runs.items()):
            if not run.is_due(now):
                continue
            update = run.update(self._parent)
            if not (together and run.fits_a_batch):
                yield [(trial_id, run, update)]
                continue
            batch.append((trial_id, run, update))
            points += len(update.points)
            if len(batch) >= RUNS or points >= POINTS:
                yield batch
                batch, points = [], 0
        if batch:
            yield batch

    def _written(self, batch: Batch) -> set[str]:
        """Note what the store has now, and return the runs that are replaced by it."""
        former: set[str] = set()
        for trial_id, run, update in batch:
            run.written(update)
            if run.record is not None:
                self._report(sent=self.status.sent + 1)
                former |= self._settled(trial_id, run.run_id)
        return former

    def _note_refusal(self, runs: dict[str, TrialRun], trial_id: str, refusal: Refused) -> None:
        """Set a trial aside when the store keeps refusing it."""
        run = runs[trial_id]
        run.refused += 1
        self._in_doubt |= run.refused == TRIES - 1  # someone may have removed its run
        if run.refused >= TRIES:
            self._refused[trial_id] = runs.pop(trial_id)
            self._refusal = f"{run.name}: {refusal}"

    def _close(self, store: TrackingStore, ending: Ending) -> None:
        """Close the parent run, with verdicts and report, and what never came to a record."""
        if self._had_trouble:  # an answer that got lost may have left a double behind
            self._look(store)
        # A slow server may have begun a run after we looked: for a conductor that was killed, or
        # for a request of our own that it seemed to have lost.
        running = list(store.runs(self._experiment, running=True))
        self._close_dead(store, running)
        unfinished = [*self._live.values(), *self._refused.values()]
        summaries: Sequence[Update] = self._summaries.runs if self._summaries else []
        known = {self._parent, *(r.run_id for r in unfinished), *(r.run_id for r in summaries)}
        for run in running:
            if run.tags.get("mirror") == self.execution.mirror and run.run_id not in known:
                store.remove(run.run_id)
        self._lose(store, unfinished)
        self._live.clear()
        verdicts = {f"verdict.{verdict.id}": verdict.verdict for verdict in ending.verdicts}
        tags = tags_of({**verdicts, "state": ending.status})
        end = milliseconds(ending.ended)
        if ending.verdicts or ending.arms:
            tags |= self._sum_up(store, ending)
        store.log(self._parent, metric_points(ending.metrics, end), {}, tags)
        if ending.report is not None and not self._uploaded and self._uploads < TRIES:
            self._uploads += 1
            store.upload(self._parent, ending.report, "report")
            self._uploaded = True
        status = {"finished": "FINISHED", "failed": "FAILED"}.get(ending.status, "KILLED")
        store.end(self._parent, status, end)
        missing = ending.report is not None and not self._uploaded
        error = self.status.error if missing else self._refusal
        self._report(error=error, done=True, slow_reason=store.slow_reason)

    def _sum_up(self, store: TrackingStore, ending: Ending) -> dict[str, str]:
        """Write a run for each arm and claim, lead to them, and return the parent's tags."""
        if self._summaries is None:
            self._summaries = Summaries(self.execution, ending, self._parent)
        self._summaries.write(store, self._experiment)
        self._refusal = self._summaries.refused or self._refusal
        section, labels = description(self.execution, ending, self._experiment, self._parent)
        self._describe_experiment(store, labels)
        return tags_of({"mlflow.note.content": section, "summaries": len(self._summaries.runs)})

    def _lose(self, store: TrackingStore, runs: Sequence[TrialRun]) -> None:
        for run in runs:
            if run.run_id:
                store.lose(run.run_id)
