"""From records to verdicts, reports and the scoreboard, training nothing.

Verdicts come first: whatever goes wrong while reports are drawn or written is told, and costs
nothing else. A page is decided by the executions that it shows and their records, the study files
of today, the published files and the code. It stands if all of them are as they were when it was
written, and if nobody has touched its files since; then it is not made again. What judges and
draws is imported only where something is made. Where all has to be judged anyway,
`harness.run.pages` says which reports need not be drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from harness.formatting import why
from harness.publish import FOLDER
from harness.run.boards import Boards
from harness.run.outcome import Fault, RunResult
from harness.run.pages import Drawn, Origins, content, contents, drawn_from
from harness.store import CachedReport, Store, open_store
from harness.study import InputError

if TYPE_CHECKING:
    from harness.report import ProfileResult, StudyBoard
    from harness.run.results import Results

BOARD = ("index.html", "index.md")
"""The files of the scoreboard, which lie beside the folders of the reports."""


def origins_in(store: Store) -> Origins:
    """Return what decides the reports on a folder of results."""
    return Origins(store, sorted((store.folder / FOLDER).glob("*")))


def cached_report(store: Store, folder: Path, key: str) -> CachedReport | None:
    """Return what was written to a folder, if it stands; see `Origins` for the key."""
    page = store.report_cache.find(_name(folder))
    if page is None or page.made_from != key:
        return None
    same = all(content(folder / name) == mark for name, mark in page.files.items())
    return page if same else None


def edited_files(store: Store, folder: Path) -> list[str]:
    """Return the files of a report that are not as they were when it was written."""
    page = store.report_cache.find(_name(folder))
    files = page.files if page is not None else {}
    return [name for name, mark in files.items() if content(folder / name) != mark]


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
    found = contents(folder) if files is None else {n: content(folder / n) for n in files}
    store.report_cache.keep(_name(folder), CachedReport(key, found, outcomes))


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


@dataclass(frozen=True)
class Reports:
    """Which profiles were judged of each study, where its report was written, what went wrong."""

    profiles: Mapping[str, Sequence[str]]
    folders: Mapping[str, Path]
    faults: Sequence[Fault]

    def faults_of(self, studies: Sequence[str]) -> list[Fault]:
        """Return the faults of some studies, and of what belongs to no study."""
        return [fault for fault in self.faults if fault.study in (*studies, "")]


def conclude(
    results: Results,
    names: tuple[str, str],
    reports: Path,
    tell: Callable[[RunResult], None] = lambda result: None,
) -> RunResult:
    """Judge every profile of a study, tell what came of one of them, and write the report.

    Args:
        results: all that are at hand.
        names: the study, and the profile that was run.
        reports: the folder of the reports.
        tell: told as soon as the profile is judged, before anything is drawn.

    Returns:
        What came of the profile, and where the report is.

    Raises:
        Exception: whatever came up in judging this profile.
    """
    from harness.run.arm_summaries import arm_summaries

    study, profile = names
    key = _origins(results).of(study)
    judged = results.judged({study})
    mine = next((result for result in judged if result.profile == profile), None)
    if mine is None:
        fault = next(f for f in results.faults if (f.study, f.profile) == names)
        assert fault.error is not None
        raise fault.error
    tell(RunResult.of(mine))
    faults = list(results.faults_of({study}))
    folder = _write_report(results, judged, reports / study, key, faults)
    arms = arm_summaries(mine.evidence, mine.verdicts)
    told = RunResult.of(mine, [str(fault) for fault in faults])
    return replace(told, report=folder, arms=arms)


def build_reports(
    results: Results,
    studies: Sequence[str],
    reports: Path,
    *,
    published: bool = False,
    only_own: bool = False,
) -> Reports:
    """Write the reports of these studies, unless they stand, and the scoreboard of all.

    Args:
        results: all that are at hand.
        studies: those whose report is written.
        reports: the folder that gets them.
        published: whether they are the small pages that are kept with published records.
        only_own: whether other studies, that were not run here, are not judged for the scoreboard.
    """
    origins, own = _origins(results), results.own
    board = _Board(results, reports, origins, published=published)
    folders: dict[str, Path] = {}
    profiles: dict[str, Sequence[str]] = {}  # of the evidence itself nothing is kept: it is large
    faults: list[Fault] = []
    for study in sorted(results.studies):
        if study not in studies and board.has(study):
            continue
        if only_own and study not in {*studies, *own}:
            board.leave_waiting(study)
            continue
        key = origins.of(study) if study in studies else ""
        mine = results.judged({study})
        if study in studies and mine:
            folder = _write_report(results, mine, reports / study, key, faults, published=published)
            folders |= {study: folder} if folder is not None else {}
            profiles[study] = [result.profile for result in mine]
        board.add(study, mine)
        faults += left_out(mine)
    faults += board.write()
    told = {(f.study, f.profile, f.says): f for f in (*results.faults, *faults)}
    return Reports(profiles, folders, list(told.values()))


class _Board:
    """The scoreboard while it is put together, study by study; those that stand are not judged.

    Args:
        results: all that are at hand.
        reports: the folder that gets it.
        origins: what decides it.
        published: whether it is that of published pages, for which everything is judged.
    """

    def __init__(self, results: Results, reports: Path, origins: Origins, *, published: bool):
        self._results, self._reports, self._published = results, reports, published
        self._key = origins.of()
        self._notes = Boards(reports, origins)
        self._studies: list[StudyBoard] = []
        self._lacking: list[str] = []
        self._waiting: list[str] = []

    def has(self, study: str) -> bool:
        """Put a study on the board as it was judged before; tell whether that still holds."""
        found = None if self._published else self._notes.find(study)
        self._studies += [] if found is None else [found]
        return found is not None

    def add(self, study: str, judged: Sequence[ProfileResult]) -> None:
        """Put a study on the board that was judged."""
        from harness.report import arranged

        made = arranged(judged, published=self._published)
        self._studies += made
        problems = [
            f"{r.study} ({r.profile}): {says}" for r in judged for says in r.left_out.values()
        ]
        self._lacking += sorted(problems)
        if not self._published:
            whole = made and not problems and not self._results.faults_of({study})
            self._notes.keep(study, made[0] if whole else None)

    def leave_waiting(self, study: str) -> None:
        """Say of a published study that nobody has judged it here."""
        self._waiting.append(study)

    def write(self) -> list[Fault]:
        """Write it; return what went wrong in this."""
        from harness.report import build_scoreboard

        lacking = [*map(str, self._results.faults), *self._lacking]
        store = self._results.store
        try:
            build_scoreboard(
                self._studies, self._reports, lacking, self._waiting, published=self._published
            )
            if not self._published:
                self._notes.write()
            if store is not None and not lacking:
                keep_page(store, self._reports, self._key, {}, BOARD)
        except Exception as error:
            says = f"the scoreboard could not be written ({why(error)})"
            return [Fault("", "", says, error)]
        return []


def _origins(results: Results) -> Origins:
    if results.store is not None:
        return origins_in(results.store)
    return Origins(None, results.published.files)


def _write_report(
    results: Results,
    judged: Sequence[ProfileResult],
    folder: Path,
    key: str,
    faults: list[Fault],
    *,
    published: bool = False,
) -> Path | None:
    """Write the report of a study, and add to the faults what could not be drawn or written.

    One that stands is left as it is. Published pages, which are small, are always written.
    """
    from harness.report import build_page

    study, notes = judged[0].study, Drawn(folder.parent)
    try:
        lacking = [str(fault) for fault in results.faults_of({study})]
        origin = "" if published else drawn_from(results, judged, lacking)
        if not notes.stands(study, origin):
            build_page(judged, folder, lacking, published=published)
            if not published:
                notes.keep(study, "" if left_out(judged) else origin)
        faults += left_out(judged)
        if results.store is not None:
            says = [str(fault) for fault in faults if fault.study == study]
            outcomes = {r.profile: RunResult.of(r, says).kept() for r in judged}
            keep_page(results.store, folder, key, outcomes)
    except Exception as error:
        says_why = f"the report could not be written ({why(error)}); the verdicts stand"
        faults.append(Fault(study, "", says_why, error))
        return None
    return folder


def left_out(judged: Sequence[ProfileResult]) -> list[Fault]:
    """Return the parts of reports that could not be drawn."""
    return [
        Fault(result.study, result.profile, f"left out: {says}")
        for result in judged
        for says in result.left_out.values()
    ]


def refresh_scoreboard(results: Path, reports: Path) -> Sequence[Fault]:
    """Write the scoreboard over all studies again, unless it would come out the same.

    Published records of studies that were not run here are not judged for it, which would take
    longer than many a run: the scoreboard says that they are at hand, or shows them as they were
    judged when the reports of all were written.

    Args:
        results: the folder of the records.
        reports: the folder that holds the scoreboard.

    Returns:
        What could not be judged, drawn or written.
    """
    store = open_store(results)
    if cached_report(store, reports, origins_in(store).of()) is not None:
        return []
    from harness.run.results import open_results  # what judges is slow to import

    return build_reports(open_results(results), (), reports, only_own=True).faults


def _name(folder: Path) -> str:
    return str(folder.resolve())
