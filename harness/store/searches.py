"""The candidates that searches have asked, so that a search goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.store.checksums import columns, damage, dump, insert, is_whole
from harness.store.connection import Connection


class Searches:
    """The candidates of the searches of one results folder; once asked, one never changes."""

    def __init__(self, connection: Connection):
        self._db = connection

    def candidates(self, search_id: str) -> list[dict[str, Any]]:
        """Return the candidates that a search has asked so far, in their order.

        Raises:
            StoreError: if one is not as it was written.
        """
        rows = self._db.execute(
            f"SELECT {columns('candidates')} FROM candidates WHERE search_id = ? ORDER BY position",
            (search_id,),
        ).fetchall()
        if not all(is_whole(row) for row in rows):
            raise damage(self._db, "a candidate of a search")
        return [json.loads(row[2]) for row in rows]

    def add_candidates(
        self, search_id: str, start: int, candidates: list[Mapping[str, Any]]
    ) -> None:
        """Keep a round of candidates, the first of which is number `start`."""
        rows = [(search_id, start + i, dump(c)) for i, c in enumerate(candidates)]
        with self._db:
            insert(self._db, "candidates", rows)

    def drop_damaged(self) -> None:
        """Forget damaged candidates and those asked after them; a search asks for them again."""
        rows = self._db.execute(f"SELECT {columns('candidates')} FROM candidates").fetchall()
        damaged = [row[:2] for row in rows if not is_whole(row)]
        with self._db:
            self._db.executemany(
                "DELETE FROM candidates WHERE search_id = ? AND position >= ?", damaged
            )
