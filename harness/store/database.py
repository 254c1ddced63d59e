"""Durable records: one SQLite database under results/, written by one conductor.

A record is committed with full synchronisation before anyone is told of it, so that whatever is
killed afterwards, it is there.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.store.arrays import pack_arrays, unpack_arrays
from harness.store.pages import PAGES, Pages
from harness.store.words import AssignedRecord, Execution, StoreError
from harness.trial import Phase, Record, State

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCHEMA_VERSION = 2  # 2: weights
DATABASE = "harness.db"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    trial_id TEXT PRIMARY KEY, state TEXT NOT NULL, phase TEXT NOT NULL, seconds REAL NOT NULL,
    record TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS weights (trial_id TEXT PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS attempts (
    trial_id TEXT NOT NULL, attempt INTEGER NOT NULL, cause TEXT NOT NULL, at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS candidates (
    search_id TEXT NOT NULL, position INTEGER NOT NULL, parameters TEXT NOT NULL,
    PRIMARY KEY (search_id, position)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS executions (
    id INTEGER PRIMARY KEY, study TEXT NOT NULL, profile TEXT NOT NULL, plan_hash TEXT NOT NULL,
    declaration TEXT NOT NULL, context TEXT NOT NULL, started REAL NOT NULL,
    ended REAL, status TEXT NOT NULL, wall_seconds REAL
);
CREATE TABLE IF NOT EXISTS assignments (
    execution INTEGER NOT NULL, trial_id TEXT NOT NULL, arm TEXT NOT NULL, phase TEXT NOT NULL,
    candidate INTEGER, parameters TEXT NOT NULL, seed INTEGER NOT NULL, reused INTEGER NOT NULL,
    PRIMARY KEY (execution, arm, phase, candidate, seed)
);
CREATE TABLE IF NOT EXISTS judged (
    study TEXT NOT NULL, profile TEXT NOT NULL, claim TEXT NOT NULL, declaration TEXT NOT NULL,
    at REAL NOT NULL, PRIMARY KEY (study, profile, claim, declaration)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS identities (execution INTEGER PRIMARY KEY, identity TEXT NOT NULL);
"""


class Store:
    """The database of one results folder. Open it with `open_store`."""

    def __init__(self, connection: sqlite3.Connection, folder: Path):
        self._db = connection
        self.folder = folder
        self.pages = Pages(self._committing, connection)

    # --- records ---------------------------------------------------------------------------
    def add_records(self, records: Iterable[Record]) -> None:
        """Commit records together, with their weights. A failed record gives way to a later one."""
        records = list(records)
        rows = [
            (
                r.trial_id,
                r.state.value,
                r.trial.phase.value,
                r.ended - r.started,
                _dump(r.to_dict()),
            )
            for r in records
        ]
        with self._committing():
            self._db.executemany(
                "INSERT INTO records VALUES (?, ?, ?, ?, ?) ON CONFLICT (trial_id) DO UPDATE SET"
                " state = excluded.state, seconds = excluded.seconds, record = excluded.record"
                " WHERE records.state = 'failed'",
                rows,
            )
            self._db.executemany(
                "INSERT OR IGNORE INTO weights VALUES (?, ?)",
                [(r.trial_id, pack_arrays(r.weights)) for r in records if r.weights is not None],
            )

    def record(self, trial_id: str) -> Record | None:
        """Return the record of a trial, or None."""
        row = self._db.execute(
            "SELECT record FROM records WHERE trial_id = ?", (trial_id,)
        ).fetchone()
        return Record.from_dict(json.loads(row[0])) if row else None

    def weights(self, trial_id: str) -> dict[str, NDArray[Any]] | None:
        """Return the weights that a trial was recorded with, by parameter name, or None."""
        row = self._db.execute(
            "SELECT data FROM weights WHERE trial_id = ?", (trial_id,)
        ).fetchone()
        return unpack_arrays(row[0]) if row else None

    def has_weights(self, trial_id: str) -> bool:
        """Tell whether a trial was recorded with weights."""
        query = "SELECT 1 FROM weights WHERE trial_id = ?"
        return self._db.execute(query, (trial_id,)).fetchone() is not None

    def states(self) -> dict[str, State]:
        """Return the state of every recorded trial."""
        return {id_: State(s) for id_, s in self._db.execute("SELECT trial_id, state FROM records")}

    def find_trials(self, prefix: str) -> list[str]:
        """Return the recorded trials whose id starts with a prefix."""
        return [
            row[0]
            for row in self._db.execute(
                "SELECT trial_id FROM records WHERE substr(trial_id, 1, ?) = ?",
                (len(prefix), prefix),
            )
        ]

    def add_attempt(self, trial_id: str, attempt: int, cause: str) -> None:
        """Note that an attempt ended without a record, and why."""
        with self._committing():
            self._db.execute(
                "INSERT INTO attempts VALUES (?, ?, ?, ?)", (trial_id, attempt, cause, time.time())
            )

    def lost_attempts(self, trial_ids: Iterable[str]) -> list[tuple[str, int, str]]:
        """Return (trial_id, attempt, cause) of the attempts of these trials that were lost."""
        wanted = set(trial_ids)
        rows = self._db.execute("SELECT trial_id, attempt, cause FROM attempts ORDER BY at")
        return [row for row in rows if row[0] in wanted]

    # --- searches --------------------------------------------------------------------------
    def candidates(self, search_id: str) -> list[dict[str, Any]]:
        """Return the candidates that a search has asked so far, in their order."""
        rows = self._db.execute(
            "SELECT parameters FROM candidates WHERE search_id = ? ORDER BY position", (search_id,)
        )
        return [json.loads(row[0]) for row in rows]

    def add_candidates(
        self, search_id: str, start: int, candidates: list[Mapping[str, Any]]
    ) -> None:
        """Keep a round of candidates; once asked, a candidate never changes."""
        rows = [(search_id, start + i, _dump(c)) for i, c in enumerate(candidates)]
        with self._committing():
            self._db.executemany("INSERT OR IGNORE INTO candidates VALUES (?, ?, ?)", rows)

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
        with self._committing():
            cursor = self._db.execute(
                "INSERT INTO executions (study, profile, plan_hash, declaration, context, started,"
                " status) VALUES (?, ?, ?, ?, ?, ?, 'running')",
                (study, profile, plan_hash, _dump(declaration), _dump(context), time.time()),
            )
            assert cursor.lastrowid is not None
            self._db.execute("INSERT INTO identities VALUES (?, ?)", (cursor.lastrowid, identity))
        return cursor.lastrowid

    def identity(self, execution: int) -> str:
        """Return the identity that an execution was opened with, or nothing."""
        row = self._db.execute(
            "SELECT identity FROM identities WHERE execution = ?", (execution,)
        ).fetchone()
        return row[0] if row else ""

    def end_execution(self, execution: int, status: str, wall_seconds: float) -> None:
        """Close an execution as finished, failed or interrupted."""
        with self._committing():
            self._db.execute(
                "UPDATE executions SET ended = ?, status = ?, wall_seconds = ? WHERE id = ?",
                (time.time(), status, wall_seconds, execution),
            )

    def executions(self, study: str | None = None) -> list[Execution]:
        """Return executions, the oldest first."""
        rows = self._db.execute(
            "SELECT id, study, profile, plan_hash, declaration, context, started, ended, status,"
            " wall_seconds FROM executions WHERE ? IS NULL OR study = ? ORDER BY id",
            (study, study),
        )
        return [_execution(row) for row in rows]

    def latest_executions(self) -> list[Execution]:
        """Return the newest execution of every study and profile that has any assignment."""
        latest = {}
        for execution in self.executions():
            has_any = self._db.execute(
                "SELECT 1 FROM assignments WHERE execution = ? LIMIT 1", (execution.id,)
            ).fetchone()
            if has_any:
                latest[execution.study, execution.profile] = execution
        return list(latest.values())

    def add_assignments(self, execution: int, rows: Iterable[AssignedRecord]) -> None:
        """Note what trials are for."""
        values = [
            (
                execution,
                row.trial_id,
                row.arm,
                row.phase.value,
                -1 if row.candidate is None else row.candidate,
                _dump(row.parameters),
                row.seed,
                int(row.reused),
            )
            for row in rows
        ]
        with self._committing():
            self._db.executemany(
                "INSERT OR IGNORE INTO assignments VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values
            )

    def assigned_records(self, execution: int) -> Iterator[AssignedRecord]:
        """Return what an execution's trials were for, each with its record."""
        rows = self._db.execute(
            "SELECT a.arm, a.phase, a.candidate, a.parameters, a.seed, a.reused, a.trial_id,"
            " r.record FROM assignments a LEFT JOIN records r ON r.trial_id = a.trial_id"
            " WHERE a.execution = ? ORDER BY a.rowid",
            (execution,),
        )
        for arm, phase, candidate, parameters, seed, reused, trial_id, record in rows:
            yield AssignedRecord(
                arm,
                Phase(phase),
                None if candidate < 0 else candidate,
                json.loads(parameters),
                seed,
                bool(reused),
                trial_id,
                Record.from_dict(json.loads(record)) if record else None,
            )

    def assigned_states(self, execution: int) -> list[tuple[str, Phase, State | None]]:
        """Return (trial_id, phase, state of its record) of an execution's assignments."""
        rows = self._db.execute(
            "SELECT a.trial_id, a.phase, r.state FROM assignments a"
            " LEFT JOIN records r ON r.trial_id = a.trial_id WHERE a.execution = ?",
            (execution,),
        )
        return [(id_, Phase(phase), State(state) if state else None) for id_, phase, state in rows]

    def marks(self, execution: int) -> list[tuple[str, str, int]]:
        """Return what tells the records of an execution from those of another time.

        Outcomes are final, so that their numbers by state do; a failed record gives way to a later
        one, so that it stands here itself; and so does what was lost.
        """
        assigned = "FROM assignments a LEFT JOIN records r USING (trial_id) WHERE a.execution = ?"
        counts = self._db.execute(
            f"SELECT 'state', coalesce(r.state, ''), count(*) {assigned} GROUP BY r.state",
            (execution,),
        )
        failed = self._db.execute(
            f"SELECT DISTINCT 'failed', r.record, 0 {assigned} AND r.state = 'failed'", (execution,)
        )
        lost = self._db.execute("SELECT 'lost', coalesce(max(at), ''), count(*) FROM attempts")
        return sorted(
            (str(a), str(b), int(c)) for rows in (counts, failed, lost) for a, b, c in rows
        )

    # --- claims ----------------------------------------------------------------------------
    def mark_judged(self, study: str, profile: str, claims: Mapping[str, str]) -> None:
        """Note that these claims (id: hash of the declaration) have met their evidence."""
        now = time.time()
        rows = [(study, profile, claim, declared, now) for claim, declared in claims.items()]
        with self._committing():
            self._db.executemany("INSERT OR IGNORE INTO judged VALUES (?, ?, ?, ?, ?)", rows)

    def judged(self, study: str, profile: str) -> list[tuple[str, str, float]]:
        """Return (claim, hash of its declaration, moment) of the claims that met evidence."""
        rows = self._db.execute(
            "SELECT claim, declaration, at FROM judged WHERE study = ? AND profile = ?"
            " ORDER BY at, claim",
            (study, profile),
        )
        return [(claim, declared, at) for claim, declared, at in rows]

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    @contextmanager
    def _committing(self) -> Iterator[None]:
        try:
            with self._db:
                yield
        except sqlite3.Error as error:
            raise StoreError(_explain(error, self.folder)) from None


def open_store(folder: Path, *, create: bool = True) -> Store:
    """Open the database of a results folder.

    Raises:
        StoreError: if the folder cannot be written, or the database is damaged or too new.
    """
    file = folder / DATABASE
    if not create and not file.is_file():
        raise StoreError(f"there are no results in '{folder}' yet; run a study first")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(file, timeout=30)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise StoreError(f"'{file}' was written by a newer version of harness; update harness")
        with connection:
            connection.executescript(_SCHEMA + PAGES)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except OSError as error:
        raise StoreError(
            f"the results folder '{folder}' cannot be used: {error.strerror}"
        ) from None
    except sqlite3.Error as error:
        raise StoreError(_explain(error, folder)) from None
    return Store(connection, folder)


@contextmanager
def conductor_lock(folder: Path) -> Iterator[None]:
    """Hold the right to write to a results folder; the system frees it when the process ends.

    Raises:
        StoreError: if another conductor holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "conductor.lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreError(
                f"another run is writing to '{folder}'; wait for it, or choose another --results"
            ) from None
        file.write(str(os.getpid()))
        file.flush()
        yield


def _explain(error: sqlite3.Error, folder: Path) -> str:
    reason = str(error)
    file = folder / DATABASE
    if "malformed" in reason or "not a database" in reason:
        return f"'{file}' is damaged ({reason}); move it away, or restore a copy"
    if "full" in reason:
        return f"there is no space left for '{file}'; free some and run again, nothing was lost"
    if "readonly" in reason or "unable to open" in reason:
        return f"'{file}' cannot be written ({reason}); check the folder's permissions"
    return f"'{file}' cannot be used: {reason}"


def _execution(row: tuple[Any, ...]) -> Execution:
    id_, study, profile, plan_hash, declaration, context, started, ended, status, seconds = row
    declared, known = json.loads(declaration), json.loads(context)
    return Execution(
        id_, study, profile, plan_hash, declared, known, started, ended, status, seconds
    )


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
