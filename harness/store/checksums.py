"""Checksums of what decides verdicts, so that nothing changed by accident is used."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterable
from typing import Any

from harness.store.connection import Connection
from harness.store.records import StoreError

COVERED = {
    "records": ("trial_id", "state", "phase", "record"),
    "weights": ("trial_id", "data"),
    "outcomes": ("trial_id", "data"),
    "candidates": ("search_id", "position", "parameters"),
    "executions": ("id", "study", "profile", "plan_hash", "declaration", "context"),
    "assignments": (
        "execution", "trial_id", "arm", "phase", "candidate", "parameters", "seed", "reused",
    ),
    "pages": ("folder", "made_from", "files", "outcomes"),
}  # fmt: skip
"""The columns of each table that its checksum is made of, in this order."""


def checksum(*values: str | bytes | int) -> int:
    """Return the CRC-32 of a row's values."""
    parts = [v if isinstance(v, bytes) else str(v).encode(errors="surrogateescape") for v in values]
    return zlib.crc32(b"\0".join(parts))


def columns(table: str, alias: str = "") -> str:
    """Return the covered columns of a table and its checksum, as a query names them."""
    prefix = f"{alias}." if alias else ""
    return ", ".join(f"{prefix}{name}" for name in (*COVERED[table], "checksum"))


def dump(value: object) -> str:
    """Return plain data as the JSON that is kept."""
    return json.dumps(value, separators=(",", ":"))


def insert(connection: Connection, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Add rows with their checksums, but for those that are there."""
    places = ", ".join("?" for _ in (*COVERED[table], "checksum"))
    connection.executemany(
        f"INSERT OR IGNORE INTO {table} ({columns(table)}) VALUES ({places})",
        [(*row, checksum(*row)) for row in rows],
    )


def add_checksums(connection: Connection) -> None:
    """Give every table its checksums, in a database from before there were any."""
    connection.create_function("checksum", -1, checksum, deterministic=True)
    for table, names in COVERED.items():
        known = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        if "checksum" not in known:
            values = ", ".join(f"CAST({name} AS BLOB)" for name in names)
            connection.execute(f"ALTER TABLE {table} ADD COLUMN checksum INTEGER")
            connection.execute(f"UPDATE {table} SET checksum = checksum({values})")


def is_whole(row: tuple[Any, ...]) -> bool:
    """Tell whether a row is as it was written; its checksum is its last value."""
    return bool(row[-1] == checksum(*row[:-1]))


def set_aside(
    connection: Connection, trial_id: str, cause: str = "its record was damaged and is set aside"
) -> None:
    """Move a record that is not used to a table of its own; it counts as a lost attempt."""
    now = time.time()
    with connection:
        connection.execute(
            "INSERT INTO damaged SELECT trial_id, record, ? FROM records WHERE trial_id = ?",
            (now, trial_id),
        )
        connection.execute("DELETE FROM records WHERE trial_id = ?", (trial_id,))
        for beside in ("weights", "outcomes"):
            connection.execute(f"DELETE FROM {beside} WHERE trial_id = ?", (trial_id,))
        connection.execute(
            "INSERT INTO attempts VALUES (?, 1, ?, ?)",
            (trial_id, cause, now),
        )


def damage(connection: Connection, what: str) -> StoreError:
    """Return the error that something is not as it was written, and what to do."""
    return StoreError(
        f"'{connection.file}' is damaged: {what} is not as it was written, and is not used; check "
        "the disk, then run the study with --retrain-damaged, which sets aside what is damaged and "
        "trains it again (of runs of MLflow: import them again)"
    )


def of_trial(connection: Connection, trial_id: str) -> str:
    """Name a trial, and what it was for last, where that is known."""
    row = connection.execute(
        "SELECT e.study, e.profile, a.arm, a.seed FROM assignments a JOIN executions e"
        " ON e.id = a.execution WHERE a.trial_id = ? ORDER BY e.id DESC LIMIT 1",
        (trial_id,),
    ).fetchone()
    where = f" (study {row[0]}, profile {row[1]}, arm {row[2]}, seed {row[3]})" if row else ""
    return f"the trial '{trial_id}'{where}"


def of_execution(connection: Connection, execution: int) -> str:
    """Name an execution and its study."""
    row = connection.execute(
        "SELECT study, profile FROM executions WHERE id = ?", (execution,)
    ).fetchone()
    return f"in run {execution} of the study {row[0]} (profile {row[1]})"
