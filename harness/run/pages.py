"""Whether a page that was written would come out the same today.

A page is decided by the executions that it shows and their records, the study files of today, the
published files and the code. It stands if all of them are as they were when it was written, and if
nobody has touched its files since.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from harness.provenance import package_version
from harness.publish import FOLDER
from harness.store import Execution, Page, Store, open_store
from harness.study import InputError, files_of
from harness.trial import digest

if TYPE_CHECKING:
    from harness.run.results import Fault

STUDIES = Path("studies")  # where `harness.integrity` looks for a study file of today
BOARD = ("index.html", "index.md")
"""The files of the scoreboard, which lie beside the folders of the reports."""


def made_from(store: Store, study: str | None = None) -> str:
    """Digest everything that decides the report of a study, or the scoreboard over all of them."""
    shown = [e for e in store.latest_executions() if study in (None, e.study)]
    published = sorted((store.folder / FOLDER).glob("*"))
    return digest(
        [
            package_version(),
            [[e.id, e.status, e.ended, store.marks(e.id), _study_files(e)] for e in shown],
            [[file.name, _content(file)] for file in published],
        ]
    )


def standing_page(store: Store, folder: Path, key: str) -> Page | None:
    """Return what was written to a folder, if it stands; see `made_from` for the key."""
    page = store.pages.find(_name(folder))
    if page is None or page.made_from != key:
        return None
    same = all(_content(folder / name) == content for name, content in page.files.items())
    return page if same else None


def keep_page(
    store: Store,
    folder: Path,
    key: str,
    outcomes: Mapping[str, Any],
    files: Iterable[str] | None = None,
) -> None:
    """Note that a page was written, with the key from before its records were read.

    Args:
        store: of the records.
        folder: that holds the page.
        key: what it was made from.
        outcomes: what came of each profile that it shows, as plain data.
        files: that belong to it; all in the folder if not given.
    """
    if files is None:
        inside = sorted(file for file in folder.rglob("*") if file.is_file())
        files = [file.relative_to(folder).as_posix() for file in inside]
    contents = {name: _content(folder / name) for name in files}
    store.pages.keep(_name(folder), Page(key, contents, outcomes))


def refresh_scoreboard(results: Path, reports: Path) -> Sequence[Fault]:
    """Write the scoreboard over all studies again, unless it would come out the same.

    Args:
        results: the folder of the records.
        reports: the folder that holds the scoreboard.

    Returns:
        What could not be judged, drawn or written.
    """
    store = open_store(results)
    if standing_page(store, reports, made_from(store)) is not None:
        return []
    from harness.run.conclude import build_reports  # what judges and draws is slow to import
    from harness.run.results import open_results

    return build_reports(open_results(results), (), reports).faults


def check_writable(folder: Path, study: str = "") -> None:
    """Make the folder of the reports if it is not there, and see that files can be written to it.

    Args:
        folder: that gets the reports.
        study: whose report will be written; the folder of an earlier one is looked at as well.

    Raises:
        InputError: if they cannot, so that nothing is trained for a report that cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for place in (folder, folder / study) if (folder / study).exists() else (folder,):
            with TemporaryFile(dir=place) as file:
                file.write(b"x")
    except OSError as error:
        raise InputError(
            f"the folder of the reports, '{folder}', cannot be written: {error.strerror}; free it,"
            " or choose another one with --out"
        ) from None


def _name(folder: Path) -> str:
    return str(folder.resolve())


def _study_files(execution: Execution) -> list[str]:
    """Digest the files that may be the study's file of today, and those that they extend."""
    named = Path(str(execution.context.get("file", "")))
    today = [named, STUDIES / f"{execution.study}.yaml"]
    return [_content(file) for start in today for file in files_of(start)]


def _content(file: Path) -> str:
    """Digest a file; empty for one that is not there."""
    if not file.is_file():
        return ""
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()[:16]
