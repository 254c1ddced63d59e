"""One execution's mirror: what is to be in MLflow, and the rounds of work that bring it there.

Every step may fail and be done again: the session holds what should be, asks MLflow after any
trouble what is, and sends the difference. So nothing is doubled by an answer that got lost.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from harness.track import facts
from harness.track.entries import Batch, Ending, Entry, batches
from harness.track.facts import Point, TrialFacts, metric_key, milliseconds
from harness.track.messages import ExecutionInfo, MirrorStatus
from harness.track.mlflow_store import Found, Refused, TrackingStore, lose, only, sweep
from harness.track.views import run_link, views
from harness.trial import Record

ROUND = 1.0
"""Seconds of work between two looks at what has arrived."""
TRIES = 3
"""How often a refused item is offered."""
HEARTBEAT = 60.0
"""Seconds between two signs of life on the parent run."""


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
        self._live: dict[str, Entry] = {}
        self._waiting: dict[str, Entry] = {}
        self._refused: dict[str, Entry] = {}
        self._mirrored: dict[str, str] = {}
        self._found: dict[str, list[Found]] = {}
        self._looked = False
        self._in_doubt = True
        self._had_trouble = False
        self._ending: Ending | None = None
        self._sent = self._present = self._uploads = 0
        self._error = self._refusal = ""
        self._closed = False

    # What the conductor tells.

    def begin(self, trial_id: str, described: TrialFacts, began: float) -> None:
        """A trial starts, for the first time or again after its worker was lost."""
        known = (self._live, self._waiting, self._refused)
        if not any(trial_id in entries for entries in known):
            self._live[trial_id] = Entry(described, began, time.monotonic())

    def progress(self, trial_id: str, curve: Sequence[Mapping[str, float]], when: float) -> None:
        """A trial finished epochs; those of a repeated attempt are known already."""
        entry = self._live.get(trial_id)
        if entry is None:
            return
        for point in facts.curve_points(curve, milliseconds(when)):
            if point.step not in entry.steps:
                entry.points.append(point)
        entry.steps.update(point.step for point in entry.points)

    def record(self, described: TrialFacts, record: Record) -> None:
        """A trial ended, now or in an earlier execution."""
        trial_id = record.trial_id
        entry = self._live.pop(trial_id, None) or self._refused.pop(trial_id, None)
        if entry is None:
            if trial_id in self._waiting or trial_id in self._mirrored:
                return
            entry = Entry(described, record.started, time.monotonic())
        entry.record, entry.refused = record, 0
        self._waiting[trial_id] = entry

    def end(self, ending: Ending) -> None:
        """The execution is over; close it as soon as all its records are there."""
        self._ending = ending

    # What is done about it.

    @property
    def busy(self) -> bool:
        """Whether there is something to do right now."""
        return bool(self._waiting) or (self._ending is not None and not self._closed)

    def work(self) -> None:
        """Do about a second's worth of what is to be done.

        Raises:
            Exception: whatever MLflow raises when it is in trouble; nothing is lost by it.
        """
        if self._closed:
            return
        store = self._open()
        deadline = time.monotonic() + ROUND
        if store.takes_pages:
            self._write_pages(store, deadline)
        for trial_id in list(self._waiting):
            if time.monotonic() > deadline:
                break
            self._guarded(self._waiting, trial_id, self._settle, store)
        self._update_live(store, deadline + ROUND)
        if self._ending is not None and not self._waiting:
            self._close(store, self._ending)
        if self._uploads < TRIES:  # else the report is missing, which is to be known
            self._error = ""
        self._report()

    def trouble(self, error: str) -> None:
        """Note that the last round failed: what was asked for may or may not have happened."""
        self._in_doubt = self._had_trouble = True
        self._store = None
        self._error = error
        self._report()

    def abandon(self) -> None:
        """The conductor is gone or has no time left: leave no run running, if that can be done."""
        if self._closed or not self._parent:
            return
        store = self._store or self._connect()
        lose(store, self._parent)  # first: time may be short, and the next run finds the others
        for entry in [*self._live.values(), *self._waiting.values()]:
            if entry.run_id:
                lose(store, entry.run_id)

    def _report(self) -> None:
        self.status = MirrorStatus(
            self._sent,
            self._present,
            len(self._waiting) + len(self._refused),
            self._error or self._refusal,
            self._closed,
        )

    def _guarded(
        self,
        entries: dict[str, Entry],
        trial_id: str,
        act: Callable[[TrackingStore, str, Entry], None],
        store: TrackingStore,
    ) -> None:
        """Act on one trial; set it aside when the store keeps refusing it."""
        entry = entries[trial_id]
        try:
            act(store, trial_id, entry)
        except Refused as refusal:
            entry.refused += 1
            self._in_doubt |= entry.refused == TRIES - 1  # someone may have removed its run
            if entry.refused >= TRIES:
                self._refused[trial_id] = entries.pop(trial_id)
                self._refusal = f"{entry.facts.name}: {refusal}"

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
            **execution.tags,
        }
        labels = {
            "mlflow.experimentKind": "custom_model_development",
            "mlflow.experiment.primaryMetric.name": metric_key(execution.primary_metric),
            "question": execution.question,
            **_direction(execution.goal),
            **dict(view.tag for view in views(execution)),
        }
        self._describe_experiment(store, labels)
        name = f"{execution.study} {execution.profile} {moment}"
        started = milliseconds(execution.started)
        return store.create(self._experiment, name, started, facts.tags_of(tags))

    def _describe_experiment(self, store: TrackingStore, labels: Mapping[str, str]) -> None:
        """Tag the experiment, and compose its description from the tags."""
        tags = {**self._experiment_tags, **labels}
        sections = {
            name: text for name, text in tags.items() if name.startswith("verdicts.") and text
        }
        links = [(v.title, v.link(self._experiment)) for v in views(self.execution)]
        tags["mlflow.note.content"] = facts.note(self.execution.question, links, sections)
        new = {name: tags[name] for name in tags if tags[name] != self._experiment_tags.get(name)}
        store.tag_experiment(self._experiment, new)
        self._experiment_tags = tags

    # What is there.

    def _look(self, store: TrackingStore) -> None:
        """Ask which runs exist: all at first, later only those that this execution made."""
        own = self.execution.mirror
        found = list(store.runs(self._experiment, own if self._looked else ""))
        if not self._looked:
            found = sweep(store, found, self.execution)
            self._looked = True
        parents = [
            run
            for run in found
            if run.tags.get("role") == "execution" and run.tags.get("mirror") == own
        ]
        self._parent = only(store, self._parent, parents)
        mine: dict[str, list[Found]] = defaultdict(list)
        others: dict[str, list[Found]] = defaultdict(list)
        for run in found:
            trial_id = run.tags.get("trial_id", "")
            if trial_id and run.run_id != self._mirrored.get(trial_id):
                group = mine if run.tags.get("mirror") == own else others
                group[trial_id].append(run)
        self._found = dict(others) or self._found
        for trial_id, entry in {**self._live, **self._waiting, **self._refused}.items():
            run_id = only(store, entry.run_id, mine.pop(trial_id, []))
            if run_id != entry.run_id:
                entry.described = False
                entry.steps = {point.step for point in entry.points}
            entry.run_id = run_id
        for doubles in mine.values():
            for run in doubles:
                store.remove(run.run_id)

    # What is sent.

    def _create(
        self, store: TrackingStore, entry: Entry, ending: Mapping[str, str] | None = None
    ) -> None:
        tags = {**entry.facts.tags, **(ending or {}), facts.PARENT_TAG: self._parent}
        began = (entry.record.started if entry.record else 0.0) or entry.began
        entry.run_id = store.create(self._experiment, entry.facts.name, milliseconds(began), tags)

    def _update_live(self, store: TrackingStore, deadline: float) -> None:
        for trial_id, entry in list(self._live.items()):
            if entry.is_due(time.monotonic()):
                self._guarded(self._live, trial_id, self._update, store)
            if time.monotonic() > deadline:
                return

    def _update(self, store: TrackingStore, _: str, entry: Entry) -> None:
        """Send the epochs that a running trial has finished since the last time."""
        if not entry.run_id:
            self._create(store, entry)
        points = list(entry.points)
        store.log(entry.run_id, points, {} if entry.described else entry.facts.params)
        if not entry.described:
            store.log_data(entry.run_id, entry.facts)
        entry.described = True
        del entry.points[: len(points)]
        entry.sent = time.monotonic()

    def _write_pages(self, store: TrackingStore, deadline: float) -> None:
        """Write what all trials have to say as few transactions, in a store that takes them."""
        now = time.monotonic()
        running = [(id_, entry) for id_, entry in self._live.items() if entry.is_due(now)]
        ended = [(id_, e) for id_, e in self._waiting.items() if not self._standing(id_, e)]
        news = ((id_, entry) for id_, entry in running + ended if entry.fits_a_page)
        for batch in batches(news, self._parent):
            self._write(store, batch)
            if time.monotonic() > deadline:
                return

    def _write(self, store: TrackingStore, batch: Batch) -> None:
        """Write a batch; if that fails, each of it is left to calls of its own."""
        for _, entry, _ in batch:
            entry.together = False
        try:
            run_ids = store.write(self._experiment, [page for _, _, page in batch])
        except Refused:
            return
        former: set[str] = set()
        for (trial_id, entry, _), run_id in zip(batch, run_ids, strict=True):
            entry.run_id, entry.described, entry.together = run_id, True, True
            entry.points.clear()
            entry.sent = time.monotonic()
            if entry.record is not None:
                self._sent += 1
                former |= self._settled(trial_id, run_id)
        for run_id in former:
            store.remove(run_id)

    def _settle(self, store: TrackingStore, trial_id: str, entry: Entry) -> None:
        """Bring a record's run to its end, unless one stands for it already."""
        record = entry.record
        assert record is not None
        kept = self._standing(trial_id, entry)
        if kept:
            self._present += 1
        else:
            ending = facts.record_tags(record)
            if not entry.run_id:
                self._create(store, entry, ending)
                ending = {}
            points = entry.points + facts.record_points(record, entry.steps)
            params = {} if entry.described else entry.facts.params
            store.log(entry.run_id, points, params, ending)
            if not entry.described:
                store.log_data(entry.run_id, entry.facts)
            store.end(entry.run_id, facts.RUN_STATUS[record.state], milliseconds(record.ended))
            self._sent += 1
            kept = entry.run_id
        for run_id in self._settled(trial_id, kept):
            store.remove(run_id)

    def _standing(self, trial_id: str, entry: Entry) -> str:
        """Return the run of an earlier execution that stands for a record, or nothing."""
        record = entry.record
        if record is None or entry.run_id:
            return ""
        found = self._found.get(trial_id, ())
        there = (r for r in found if not r.running and facts.answers(r.state, record))
        return next((run.run_id for run in there), "")

    def _settled(self, trial_id: str, kept: str) -> set[str]:
        """Note which run stands for a trial, and return those that it replaces."""
        former = {run.run_id for run in self._found.get(trial_id, ()) if not run.running}
        former |= {self._mirrored.get(trial_id, kept)}
        self._mirrored[trial_id] = kept
        del self._waiting[trial_id]
        return former - {kept}

    def _close(self, store: TrackingStore, ending: Ending) -> None:
        """Close the parent run, with verdicts and report, and what never came to a record."""
        if self._had_trouble:  # an answer that got lost may have left a double behind
            self._look(store)
        # A slow server may have begun a run for a conductor that was killed, after we looked.
        sweep(store, list(store.runs(self._experiment, running=True)), self.execution)
        for entries in (self._live, self._refused):
            for entry in entries.values():
                if entry.run_id:
                    lose(store, entry.run_id)
        self._live.clear()
        verdicts = {f"verdict.{verdict['id']}": verdict["verdict"] for verdict in ending.verdicts}
        tags = facts.tags_of({**verdicts, "state": ending.status})
        section = self._verdicts(ending)
        if section:
            tags["mlflow.note.content"] = section[: facts.LONGEST_TAG]
        end = milliseconds(ending.ended)
        points = [Point(metric_key(k), float(v), end, 0) for k, v in ending.metrics.items()]
        store.log(self._parent, points, {}, tags)
        if section:
            self._describe_experiment(store, {f"verdicts.{self.execution.profile}": section})
        if ending.report is not None and self._uploads < TRIES:
            self._uploads += 1
            store.upload(self._parent, ending.report, "report")
        status = {"finished": "FINISHED", "failed": "FAILED"}.get(ending.status, "KILLED")
        store.end(self._parent, status, end)
        self._closed = True

    def _verdicts(self, ending: Ending) -> str:
        """Return the verdicts in Markdown, with a link to the report; nothing without verdicts."""
        if not ending.verdicts:
            return ""
        report = run_link(self._experiment, self._parent, "artifacts/report/index.html")
        return facts.verdict_section(
            self.execution, ending.verdicts, report if ending.report else ""
        )


def _direction(goal: str | None) -> dict[str, str]:
    """Say which way the primary metric is better, in MLflow's words; nothing where nobody knows."""
    name = "mlflow.experiment.primaryMetric.greaterIsBetter"
    return {} if goal is None else {name: str(goal == "maximize")}
