"""The cache of written reports: what each was made from, so that equal ones are not made again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.store.checksums import checksum, columns
from harness.store.connection import Connection

PAGES = """
CREATE TABLE IF NOT EXISTS pages (
    folder TEXT PRIMARY KEY, made_from TEXT NOT NULL, files TEXT NOT NULL, outcomes TEXT NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class CachedReport:
    """A folder that was written.

    Attributes:
        made_from: a digest of everything that decides its content.
        files: a digest of the content of each, by its path inside the folder.
        outcomes: what came of each profile that it shows, as plain data.
    """

    made_from: str
    files: Mapping[str, str]
    outcomes: Mapping[str, Any]


class ReportCache:
    """The pages that were made from the records of one results folder."""

    def __init__(self, db: Connection):
        self._db = db

    def keep(self, folder: str, page: CachedReport) -> None:
        """Note what was written to a folder."""
        row = (folder, page.made_from, json.dumps(page.files), json.dumps(page.outcomes))
        with self._db:
            self._db.execute(
                f"INSERT OR REPLACE INTO pages ({columns('pages')}) VALUES (?, ?, ?, ?, ?)",
                (*row, checksum(*row)),
            )

    def find(self, folder: str) -> CachedReport | None:
        """Return what was written to a folder last, or None; also where the note is damaged."""
        row = self._db.execute(
            f"SELECT {columns('pages')} FROM pages WHERE folder = ?", (folder,)
        ).fetchone()
        if row is None or row[-1] != checksum(*row[:-1]):
            return None
        return CachedReport(row[1], json.loads(row[2]), json.loads(row[3]))
