"""Studies on the scoreboard that need not be judged again, in a file beside it.

What the scoreboard shows of a study stands if its executions, their records, its study files, the
published files, the code and the libraries are those that it was made from.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.plugins import GROUPS, plugins
from harness.run.pages import Origins

if TYPE_CHECKING:
    from harness.report import StudyBoard

NOTES = ".scoreboard.json"
"""The file, in the folder of the reports."""


class Boards:
    """The notes on the studies in a folder of reports; damaged ones count as none."""

    def __init__(self, folder: Path, origins: Origins):
        self._file = folder / NOTES
        self._origins = origins
        self._plain = not any(plugins(kind) for kind in GROUPS)  # others draw, too
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = {}
        self._notes: dict[str, Any] = found if isinstance(found, dict) else {}

    def find(self, study: str) -> StudyBoard | None:
        """Return what the scoreboard shows of a study, if that still holds."""
        if not self._plain or study not in self._notes:
            return None
        from harness.report import StudyBoard
        from harness.report.sources import known_sources

        note = self._notes[study]
        if not isinstance(note, list) or note[:1] != [self._origins.of(study)]:
            return None
        return StudyBoard.from_dict(note[1], known_sources())

    def keep(self, study: str, board: StudyBoard | None) -> None:
        """Note what the scoreboard shows of a study; nothing, where that is not whole."""
        self._notes.pop(study, None)
        if board is not None and self._plain:
            self._notes[study] = [self._origins.of(study), board.to_dict()]

    def write(self) -> None:
        """Write the notes."""
        from harness.report.build import write

        write(self._file, json.dumps(self._notes).encode())
