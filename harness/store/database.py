"""Durable records: one SQLite database under results/, written by one conductor.

A record is committed with full synchronisation before anyone is told of it, so that whatever is
killed afterwards, it is there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.store.arrays import ArraysDamagedError, pack_products, unpack_products
from harness.store.checksums import (
    COVERED,
    checksum,
    columns,
    damage,
    dump,
    insert,
    is_whole,
    of_execution,
    of_trial,
    set_aside,
)
from harness.store.connection import Connection, damaged
from harness.store.looks import Look, seen_before, timed_otherwise, without_origin
from harness.store.outcomes import pack_outcomes, read_outcomes
from harness.store.records import AssignedRecord, Execution, StoreError
from harness.store.report_cache import ReportCache
from harness.store.searches import Searches
from harness.trial import Outcomes, Phase, Products, Record, State

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Through the index, which holds a state beside every id; the records themselves are a thousandfold.
_STATES = "FROM assignments a LEFT JOIN records r INDEXED BY states ON r.trial_id = a.trial_id"


class Store:
    """The database of one results folder. Open it with `open_store`."""

    def __init__(self, connection: Connection, folder: Path):
        self._db = self.connection = connection
        self.folder = folder
        self.report_cache = ReportCache(connection)
        self.searches = Searches(connection)

    # --- records ---------------------------------------------------------------------------
    def add_records(self, records: Iterable[Record]) -> None:
        """Commit records together, with products. A failed record gives way to a later one."""
        records = list(records)
        rows = []
        for r in records:
            row = (r.trial_id, r.state.value, r.trial.phase.value, dump(r.to_dict()))
            rows.append((*row, checksum(*row), r.ended - r.started))
        with self._db:
            self._db.executemany(
                f"INSERT INTO records ({columns('records')}, seconds) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (trial_id) DO UPDATE SET state = excluded.state,"
                " seconds = excluded.seconds, record = excluded.record,"
                " checksum = excluded.checksum WHERE records.state = 'failed'",
                rows,
            )
            packed = [(r.trial_id, pack_products(r.products)) for r in records if r.products]
            insert(self._db, "weights", packed)
            bytes_ = [(r.trial_id, pack_outcomes(r.outcomes)) for r in records if r.outcomes]
            insert(self._db, "outcomes", bytes_)

    def _row(self, table: str, key: str, value: object) -> tuple[Any, ...] | None:
        """Return the row of a table whose key has a value, with its checksum, or None."""
        found: tuple[Any, ...] | None = self._db.execute(
            f"SELECT {columns(table)} FROM {table} WHERE {key} = ?", (value,)
        ).fetchone()
        return found

    def record(self, trial_id: str) -> Record | None:
        """Return the record of a trial, or None.

        Raises:
            StoreError: if it is not as it was written.
        """
        row = self._row("records", "trial_id", trial_id)
        return self._record(row) if row else None

    def set_aside_damaged(self, trial_id: str) -> bool:
        """Move the record of a trial aside if it or its outcomes are damaged; tell whether so."""
        rows = [self._row(table, "trial_id", trial_id) for table in ("records", "outcomes")]
        if rows[0] is None or all(row is None or is_whole(row) for row in rows):
            return False
        set_aside(self._db, trial_id)
        return True

    def set_aside(self, trial_ids: Iterable[str], cause: str) -> None:
        """Move records aside that are whole, but cannot be used; they count as lost attempts."""
        for trial_id in trial_ids:
            set_aside(self._db, trial_id, cause)

    def weights(self, trial_id: str) -> Mapping[str, NDArray[Any]] | None:
        """Return the weights that a trial was recorded with, by parameter name, or None."""
        return self.products(trial_id).get("weights")

    def products(self, trial_id: str, wanted: Collection[str] | None = None) -> Products:
        """Return what a stage's trial was recorded with: those products, or all of them.

        Raises:
            StoreError: if they are not as they were written.
        """
        row = self._row("weights", "trial_id", trial_id)
        if row is None:
            return {}
        try:
            if not is_whole(row):
                raise ArraysDamagedError("their checksum differs")
            return unpack_products(row[1], wanted)
        except ArraysDamagedError as error:
            with self._db:
                self._db.execute("DELETE FROM weights WHERE trial_id = ?", (trial_id,))
            raise StoreError(
                f"the weights of the pretraining trial '{trial_id}' in '{self._db.file}' were "
                f"damaged ({error}) and are removed; run again to train them anew, and check the "
                "disk"
            ) from None

    def outcomes(self, trial_ids: Iterable[str]) -> dict[str, Outcomes]:
        """Return what each test example came out as in these trials, where it was recorded.

        Raises:
            StoreError: if it is not as it was written.
        """
        return read_outcomes(self._db, trial_ids)

    def has_products(self, trial_id: str) -> bool:
        """Tell whether a trial was recorded with products, such as weights."""
        query = "SELECT 1 FROM weights WHERE trial_id = ?"
        return self._db.execute(query, (trial_id,)).fetchone() is not None

    def states(self) -> dict[str, State]:
        """Return the state of every recorded trial."""
        rows = self._db.execute("SELECT trial_id, state FROM records")
        return {trial_id: _state(state) for trial_id, state in rows}

    def find_trials(self, prefix: str) -> list[str]:
        """Return the recorded trials whose id starts with a prefix."""
        query = "SELECT trial_id FROM records WHERE substr(trial_id, 1, ?) = ?"
        return [trial_id for (trial_id,) in self._db.execute(query, (len(prefix), prefix))]

    def add_attempt(self, trial_id: str, attempt: int, cause: str) -> None:
        """Note that an attempt ended without a record, and why."""
        with self._db:
            self._db.execute(
                "INSERT INTO attempts VALUES (?, ?, ?, ?)", (trial_id, attempt, cause, time.time())
            )

    def lost_attempts(self, trial_ids: Iterable[str]) -> list[tuple[str, int, str]]:
        """Return (trial_id, attempt, cause) of the attempts of these trials that were lost."""
        wanted = set(trial_ids)
        rows = self._db.execute("SELECT trial_id, attempt, cause FROM attempts ORDER BY at")
        return [row for row in rows if row[0] in wanted]

    # --- executions ------------------------------------------------------------------------
    def start_execution(
        self,
        study: str,
        profile: str,
        plan_hash: str,
        declaration: Mapping[str, Any],
        context: Mapping[str, Any],
        identity: str = "",
    ) -> int:
        """Open an execution and return its number.

        Args:
            study: its name.
            profile: its name.
            plan_hash: of what was declared.
            declaration: the resolved study.
            context: where and on what it runs.
            identity: of all that decides its trials; empty if that cannot be told.
        """
        with self._db:
            cursor = self._db.execute(
                "INSERT INTO executions (study, profile, plan_hash, declaration, context, started,"
                " status) VALUES (?, ?, ?, ?, ?, ?, 'running')",
                (study, profile, plan_hash, dump(declaration), dump(context), time.time()),
            )
            assert cursor.lastrowid is not None
            self._sum_execution(cursor.lastrowid)
            self._db.execute("INSERT INTO identities VALUES (?, ?)", (cursor.lastrowid, identity))
        return cursor.lastrowid

    def identity(self, execution: int) -> str:
        """Return the identity that an execution was opened with, or nothing."""
        row = self._db.execute(
            "SELECT identity FROM identities WHERE execution = ?", (execution,)
        ).fetchone()
        return row[0] if row else ""

    def note_context(self, execution: int, name: str, value: Mapping[str, Any]) -> None:
        """Add to the context of an execution what was not known yet when it was opened."""
        with self._db:
            self._db.execute(
                "UPDATE executions SET context = json_set(context, '$.' || ?, json(?))"
                " WHERE id = ?",
                (name, dump(value), execution),
            )
            self._sum_execution(execution)

    def _sum_execution(self, execution: int) -> None:
        row = self._row("executions", "id", execution)
        assert row is not None
        self._db.execute(
            "UPDATE executions SET checksum = ? WHERE id = ?", (checksum(*row[:-1]), execution)
        )

    def end_execution(self, execution: int, status: str, wall_seconds: float) -> None:
        """Close an execution as finished, failed or interrupted."""
        with self._db:
            self._db.execute(
                "UPDATE executions SET ended = ?, status = ?, wall_seconds = ? WHERE id = ?",
                (time.time(), status, wall_seconds, execution),
            )

    def executions(self, study: str | None = None) -> list[Execution]:
        """Return executions, the oldest first.

        A damaged one is among them, so that it is no matter to others; its records cannot be had.
        """
        rows = self._db.execute(
            "SELECT id, study, profile, plan_hash, declaration, context, started, ended, status,"
            " wall_seconds FROM executions WHERE ? IS NULL OR study = ? ORDER BY id",
            (study, study),
        )
        return [
            Execution(id_, name, profile, plan_hash, _loaded(declaration), _loaded(context), *rest)
            for id_, name, profile, plan_hash, declaration, context, *rest in rows
        ]

    def latest_executions(self) -> list[Execution]:
        """Return the newest execution of every study and profile that has any assignment."""
        query = (
            "SELECT id FROM executions"
            " WHERE EXISTS (SELECT 1 FROM assignments WHERE execution = executions.id)"
        )
        found = {id_ for (id_,) in self._db.execute(query)}
        latest = {(e.study, e.profile): e for e in self.executions() if e.id in found}
        return list(latest.values())

    def looks(self, execution: int) -> list[Look]:
        """Return the earlier executions that used its confirmation trials, the oldest first.

        Only trials count whose record was there when the execution came to them.
        """
        seen = seen_before(self._db, execution)
        earlier = [e for e in self.executions() if e.id in seen] if seen else []
        return [self._look(e, *seen[e.id]) for e in earlier]

    def _look(self, execution: Execution, trials: set[str], arms: set[str]) -> Look:
        """Return what an execution was; one that is not as it was written declares nothing."""
        row = self._row("executions", "id", execution.id)
        if row is None or not is_whole(row):
            execution = replace(execution, declaration={})
        look = Look.at_execution(execution, trials, arms)
        names = execution.study, execution.profile
        shown = any(at >= execution.started for *_, at in self.judged(*names))
        return replace(look, judged=look.judged or shown)

    def without_origin(self, execution: int) -> int:
        """Count its confirmation trials that were there before, but that no execution trained."""
        return without_origin(self._db, execution)

    def timed_otherwise(self, execution: int) -> int:
        """Count earlier executions of its study and profile that have other timing blocks."""
        return timed_otherwise(self._db, execution)

    def add_assignments(self, execution: int, rows: Iterable[AssignedRecord]) -> None:
        """Note what trials are for."""
        values = [  # in the order of the checksums
            (execution, r.trial_id, r.arm, r.phase.value,
             -1 if r.candidate is None else r.candidate, dump(r.parameters), r.seed, int(r.reused))
            for r in rows
        ]  # fmt: skip
        with self._db:
            insert(self._db, "assignments", values)

    def assigned_records(self, execution: int) -> Iterator[AssignedRecord]:
        """Return what an execution's trials were for, each with its record.

        Raises:
            StoreError: at once if what was declared is damaged; later if any of these is.
        """
        row = self._row("executions", "id", execution)
        if row is None or not is_whole(row):
            raise damage(self._db, f"what was declared {of_execution(self._db, execution)}")
        return self._assigned_records(execution)

    def _assigned_records(self, execution: int) -> Iterator[AssignedRecord]:
        rows = self._db.execute(
            f"SELECT {columns('assignments', 'a')}, {columns('records', 'r')}"
            " FROM assignments a LEFT JOIN records r ON r.trial_id = a.trial_id"
            " WHERE a.execution = ? ORDER BY a.rowid",
            (execution,),
        )
        width = len(COVERED["assignments"]) + 1
        for row in rows:
            assigned, record = row[:width], row[width:]
            if not is_whole(assigned):
                raise damage(self._db, f"what a trial was for {of_execution(self._db, execution)}")
            _, trial_id, arm, phase, candidate, parameters, seed, reused, _ = assigned
            yield AssignedRecord(
                arm, Phase(phase), None if candidate < 0 else candidate, json.loads(parameters),
                seed, bool(reused), trial_id, None if record[0] is None else self._record(record),
            )  # fmt: skip

    def assigned_states(self, execution: int) -> list[tuple[str, Phase, State | None]]:
        """Return (trial_id, phase, state of its record) of an execution's assignments."""
        rows = self._db.execute(
            f"SELECT a.trial_id, a.phase, r.state {_STATES} WHERE a.execution = ?", (execution,)
        )
        try:
            return [(i, Phase(phase), _state(state) if state else None) for i, phase, state in rows]
        except ValueError:
            where = of_execution(self._db, execution)
            raise damage(self._db, f"what a trial was for {where}") from None

    def marks(self, execution: int) -> list[tuple[str, str, int]]:
        """Return what tells the records of an execution from those of another time.

        Outcomes are final, so that their numbers by state do; a failed record gives way to a later
        one, so that it stands here itself; and so does what was lost. Executions that began before
        it are counted: a merge may bring one more, which has shown its trials.
        """
        assigned = f"{_STATES} WHERE a.execution = ?"
        counts = self._db.execute(
            f"SELECT 'state', coalesce(r.state, ''), count(*) {assigned} GROUP BY r.state",
            (execution,),
        )
        failed = self._db.execute(
            f"SELECT DISTINCT 'failed', r.record, 0 {assigned} AND r.state = 'failed'", (execution,)
        )
        lost = self._db.execute("SELECT 'lost', coalesce(max(at), ''), count(*) FROM attempts")
        earlier = self._db.execute(
            "SELECT 'earlier', study, count(*) FROM executions"
            " WHERE started < (SELECT started FROM executions WHERE id = ?) GROUP BY study",
            (execution,),
        )
        return sorted(
            (str(a), str(b), int(c)) for rows in (counts, failed, lost, earlier) for a, b, c in rows
        )

    # --- claims ----------------------------------------------------------------------------
    def mark_judged(self, study: str, profile: str, claims: Mapping[str, str]) -> None:
        """Note that these claims (id: hash of the declaration) have met their evidence."""
        now = time.time()
        rows = [(study, profile, claim, declared, now) for claim, declared in claims.items()]
        with self._db:
            self._db.executemany("INSERT OR IGNORE INTO judged VALUES (?, ?, ?, ?, ?)", rows)

    def judged(self, study: str, profile: str) -> list[tuple[str, str, float]]:
        """Return (claim, hash of its declaration, moment) of the claims that met evidence."""
        rows = self._db.execute(
            "SELECT claim, declaration, at FROM judged WHERE study = ? AND profile = ?"
            " ORDER BY at, claim",
            (study, profile),
        )
        return [(claim, declared, at) for claim, declared, at in rows]

    def check(self) -> None:
        """Look for damage in the structure of the whole file, before more is written to it.

        Raises:
            StoreError: if there is any.
        """
        (found,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise StoreError(damaged(self._db.file, " ".join(found.split())))

    def _record(self, row: tuple[Any, ...]) -> Record:
        try:
            if is_whole(row):
                return Record.from_dict(json.loads(row[3]))
        except (KeyError, TypeError, ValueError):  # as it was written, but by another version
            pass
        raise damage(self._db, f"the record of {of_trial(self._db, row[0])}")

    def close(self) -> None:
        """Close the database."""
        self._db.close()


def _state(text: str) -> State:
    """Return a state; a damaged one counts as an end, until reading the record tells."""
    return State(text) if text in {state.value for state in State} else State.COMPLETE


def _loaded(text: str) -> dict[str, Any]:
    """Return a mapping, empty if it is damaged, which its checksum tells whoever relies on it."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
