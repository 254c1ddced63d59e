"""A results folder that was copied or moved: its database names the artifacts that lie beside it.

MLflow keeps the whole address of every run's artifacts. In a copy they would be looked for where
the original lies, or lay.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def follow_artifacts(database: Path, root: Path) -> int:
    """Write into a SQLite database of MLflow where the artifacts lie now.

    Only of experiments whose artifacts the harness put beside another database, and which are
    found under `root`. A database without MLflow's tables stays as it is.

    Args:
        database: that is to be corrected; may be absent.
        root: folder of the artifacts that lie beside it.

    Returns:
        How many experiments had another address.
    """
    if not database.is_file():
        return 0
    with closing(sqlite3.connect(database, timeout=20)) as connection, connection:
        known = _columns(connection)
        if ("experiments", "artifact_location") not in known:
            return 0
        found = connection.execute("SELECT name, artifact_location FROM experiments").fetchall()
        moved = [(old, new) for name, old in found if (new := _now(name, old or "", root)) != old]
        for table, column in known if moved else ():
            connection.executemany(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?)"
                f" WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                [(new, len(old) + 1, old, len(old) + 1, f"{old}/") for old, new in moved],
            )
    return len(moved)


def _columns(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return the columns with addresses that these tables have."""
    ask = "SELECT count(*) FROM pragma_table_info(?) WHERE name = ?"
    return [one for one in _COLUMNS if connection.execute(ask, one).fetchone()[0]]


def _now(name: str, address: str, root: Path) -> str:
    """Return where artifacts lie: under `root` if they are there, else where they did."""
    folder = root / quote(name, safe="")
    tail = folder.absolute().as_uri().removeprefix(root.parent.absolute().as_uri())
    ours = address.startswith("file:") and address.endswith(tail)
    return folder.absolute().as_uri() if ours and folder.is_dir() else address
