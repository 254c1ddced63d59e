"""Open the database of a results folder, as its one writer or to be read."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from harness.store.checksums import add_checksums
from harness.store.connection import connect
from harness.store.database import Store
from harness.store.records import StoreError
from harness.store.report_cache import PAGES

SCHEMA_VERSION = 3  # 2: weights, 3: checksums
DATABASE = "harness.db"
LOCK = "conductor.lock"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    trial_id TEXT PRIMARY KEY, state TEXT NOT NULL, phase TEXT NOT NULL, seconds REAL NOT NULL,
    record TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS states ON records (trial_id, state);
CREATE TABLE IF NOT EXISTS weights (trial_id TEXT PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS outcomes (
    trial_id TEXT PRIMARY KEY, data BLOB NOT NULL, checksum INTEGER
);
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
CREATE TABLE IF NOT EXISTS damaged (trial_id TEXT NOT NULL, record TEXT NOT NULL, at REAL NOT NULL);
"""


def open_store(folder: Path, *, create: bool = True) -> Store:
    """Open the database of a results folder.

    Raises:
        StoreError: if the folder cannot be written, or the database is damaged or too new.
    """
    file = folder / DATABASE
    if not create and not file.is_file():
        raise StoreError(f"there are no results in '{folder}' yet; run a study first")
    with _usable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        connection = connect(file)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise StoreError(f"'{file}' was written by a newer version of harness; update harness")
        with connection:
            connection.executescript(_SCHEMA + PAGES)
        if version < SCHEMA_VERSION:
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                add_checksums(connection)
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    return Store(connection, folder)


def open_to_read(folder: Path) -> Store:
    """Open the database of a results folder so that nothing can be written to it.

    Raises:
        StoreError: if there is none, it cannot be used, or was written by another version.
    """
    file = folder / DATABASE
    if not file.is_file():
        raise StoreError(f"there are no results in '{folder}' yet; run a study first")
    connection = connect(file, read_only=True)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != SCHEMA_VERSION:
        connection.close()
        raise StoreError(f"'{file}' was written by another version of harness; run a study first")
    return Store(connection, folder)


def conductor_of(folder: Path) -> tuple[int, float] | None:
    """Return the process that holds the right to write to a results folder, if it lives here.

    It is asked without taking the lock, which could keep a run from beginning. A number that the
    system gave to another process meanwhile does not count: that one began after the lock's file
    was written.

    Returns:
        Its number, and since when it holds it, in seconds since 1970.
    """
    file = folder / LOCK
    try:
        number, written = int(file.read_text()), file.stat().st_mtime
        process = psutil.Process(number)
        lives = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        return (number, written) if lives and process.create_time() <= written + 1.0 else None
    except (OSError, ValueError, psutil.Error):
        return None


@contextmanager
def conductor_lock(folder: Path) -> Iterator[None]:
    """Hold the right to write to a results folder; the system frees it when the process ends.

    Raises:
        StoreError: if another conductor holds it, or the folder cannot be written.
    """
    with _usable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = open(folder / LOCK, "a+")  # noqa: SIM115  (held until the end)
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                raise StoreError(
                    f"the file system of '{folder}' cannot lock files ({error.strerror}); choose "
                    "--results on one that can"
                ) from None
            file.seek(0)
            raise StoreError(
                f"another run is writing to '{folder}' (process {file.read(20).strip()}); wait for "
                "it, or choose another --results"
            ) from None
        with suppress(OSError):  # a full disk; the number only helps to find the process
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
        yield


@contextmanager
def _usable(folder: Path) -> Iterator[None]:
    """Say what is wrong with a folder that the system does not let us use."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(
            f"the results folder '{folder}' cannot be used ({reason}); check its permissions and "
            "the disk, or choose another --results"
        ) from None
