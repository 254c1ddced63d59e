"""Reports that need not be drawn again: what each was drawn from, in a file beside them.

A report stands if its records, verdicts, study files, code and libraries are those that it was
drawn from, and nobody has touched its files since. Verdicts are judged anew all the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence, Set
from dataclasses import is_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.plugins import GROUPS, plugins
from harness.provenance import package_version
from harness.study import files_of
from harness.study.bundled import SOURCES
from harness.trial import digest

if TYPE_CHECKING:
    from harness.report import ProfileResult
    from harness.run.results import Results, ShownExecution
    from harness.store import Execution, Store

NOTES = ".drawn.json"
"""The file, in the folder of the reports."""
STUDIES = Path("studies")  # where `harness.integrity` looks for a study file of today
_LIBRARIES = ("jinja2", "matplotlib", "numpy", "pandas", "pillow", "scipy", "seaborn")


def content(file: Path) -> str:
    """Digest a file; empty for one that is not there."""
    if not file.is_file():
        return ""
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()[:16]


def contents(folder: Path) -> dict[str, str]:
    """Digest every file in a folder, by its path there."""
    inside = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): content(file) for file in inside}


def study_files(execution: Execution) -> list[str]:
    """Digest the files that may be the study's file of today, and those that they extend."""
    named = Path(str(execution.context.get("file", "")))
    today = [named, STUDIES / f"{execution.study}.yaml"]
    return [content(file) for start in today for file in files_of(start)]


def code() -> list[Any]:
    """Tell the code that judges and draws from that of another version, with what it reads."""
    libraries = [version(library) for library in _LIBRARIES]
    return [package_version(), libraries, content(STUDIES / SOURCES)]


class Origins:
    """Digests of everything that decides reports and the scoreboard; files are read once for all.

    Args:
        store: of the records that were made here, if there are any.
        published: the published files.
    """

    def __init__(self, store: Store | None, published: Iterable[Path]):
        self._store = store
        self._shared = [code(), [[file.name, content(file)] for file in published]]

    def of(self, study: str | None = None) -> str:
        """Digest what decides the report of a study, or the scoreboard over all of them."""
        store = self._store
        latest = store.latest_executions() if store is not None else []
        shown = [e for e in latest if study in (None, e.study)]
        marks = [[*_execution(e, store), study_files(e)] for e in shown if store is not None]
        return digest([self._shared, marks])


def drawn_from(results: Results, judged: Sequence[ProfileResult], lacking: Sequence[str]) -> str:
    """Digest all that decides the report of a study; empty where other packages draw in it, too.

    Args:
        results: those that were judged.
        judged: the profiles of one study.
        lacking: what could not be judged of it, in sentences.
    """
    if any(plugins(kind) for kind in GROUPS):
        return ""
    entries = results.entries({judged[0].study})
    return digest(
        [
            code(),
            [[_records(entry), study_files(entry.execution)] for entry in entries],
            [_plain([r.profile, r.verdicts, r.provenance, list(r.lost)]) for r in judged],
            list(lacking),
        ]
    )


def _records(entry: ShownExecution) -> list[Any]:
    """Tell the records of an execution from those of another one, and of another time."""
    from harness.publish import PublishedFile

    execution, source = entry.execution, entry.source
    if isinstance(source, PublishedFile):
        return [content(source.file)]
    return _execution(execution, source)


def _execution(execution: Execution, store: Store) -> list[Any]:
    return [execution.id, execution.status, execution.ended, store.marks(execution.id)]


def _plain(found: Any) -> str:
    return json.dumps(found, sort_keys=True, default=_fields)


def _fields(found: Any) -> Any:
    if isinstance(found, Set):
        return sorted(found)  # it has no order of its own
    return vars(found) if is_dataclass(found) else repr(found)


class Drawn:
    """The notes on the reports in a folder; damaged ones count as none."""

    def __init__(self, folder: Path):
        self._folder = folder
        try:
            found = json.loads((folder / NOTES).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = {}
        self._notes: dict[str, Any] = found if isinstance(found, dict) else {}

    def stands(self, study: str, made_from: str) -> bool:
        """Whether the report of a study is there, drawn from this, and untouched."""
        folder = self._folder / study
        return bool(made_from) and self._notes.get(study) == [made_from, contents(folder)]

    def keep(self, study: str, made_from: str) -> None:
        """Note what the report of a study was drawn from; nothing, where that is empty."""
        from harness.report.build import write

        self._notes.pop(study, None)
        if made_from:
            self._notes[study] = [made_from, contents(self._folder / study)]
        write(self._folder / NOTES, json.dumps(self._notes).encode())
