"""From records to verdicts, reports and the scoreboard, training nothing.

Verdicts come first: whatever goes wrong while reports are drawn or written is told, and costs
nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.report import ProfileResult, build_page, build_scoreboard
from harness.run.outcome import Outcome
from harness.run.pages import BOARD, keep_page, made_from
from harness.run.results import Fault, Results
from harness.wording import why


@dataclass(frozen=True)
class Reports:
    """What was judged, the folder of each report that was written, and what went wrong."""

    judged: Sequence[ProfileResult]
    folders: Mapping[str, Path]
    faults: Sequence[Fault]

    def faults_of(self, studies: Sequence[str]) -> list[Fault]:
        """Return the faults of some studies, and of what belongs to no study."""
        return [fault for fault in self.faults if fault.study in (*studies, "")]


def conclude(
    results: Results,
    names: tuple[str, str],
    reports: Path,
    tell: Callable[[Outcome], None] = lambda outcome: None,
) -> tuple[Outcome, Path | None]:
    """Judge every profile of a study, tell what came of one of them, and write the report.

    Args:
        results: all that are at hand.
        names: the study, and the profile that was run.
        reports: the folder of the reports.
        tell: told as soon as the profile is judged, before anything is drawn.

    Returns:
        What came of the profile, and the folder of the report; None if it could not be written.

    Raises:
        Exception: whatever came up in judging this profile.
    """
    study, profile = names
    key = _made_from(results, study)
    judged = results.judged({study})
    mine = next((result for result in judged if result.profile == profile), None)
    if mine is None:
        fault = next(f for f in results.faults if (f.study, f.profile) == names)
        assert fault.error is not None
        raise fault.error
    tell(Outcome.of(mine))
    faults = list(results.faults_of({study}))
    folder = _write_report(results, judged, reports / study, key, faults)
    return replace(Outcome.of(mine), left_out=[str(fault) for fault in faults]), folder


def build_reports(results: Results, studies: Sequence[str], reports: Path) -> Reports:
    """Write the reports of these studies, and the scoreboard of all.

    Args:
        results: all that are at hand.
        studies: those whose report is written.
        reports: the folder that gets them.
    """
    keys = {study: _made_from(results, study) for study in (*studies, None)}
    judged = results.judged()
    faults = list(results.faults)
    folders: dict[str, Path] = {}
    for study in studies:
        mine = [result for result in judged if result.study == study]
        if mine:
            folder = _write_report(results, mine, reports / study, keys[study], faults)
            folders |= {study: folder} if folder is not None else {}
    try:
        build_scoreboard(judged, reports, [str(fault) for fault in results.faults])
        if results.store is not None and not faults and not left_out(judged):
            keep_page(results.store, reports, keys[None], {}, BOARD)
    except Exception as error:
        faults.append(Fault("", "", f"the scoreboard could not be written ({why(error)})", error))
    told = {(fault.study, fault.profile, fault.says) for fault in faults}
    faults += [f for f in left_out(judged) if (f.study, f.profile, f.says) not in told]
    return Reports(judged, folders, faults)


def _made_from(results: Results, study: str | None) -> str:
    return made_from(results.store, study) if results.store is not None else ""


def _write_report(
    results: Results,
    judged: Sequence[ProfileResult],
    folder: Path,
    key: str,
    faults: list[Fault],
) -> Path | None:
    """Write the report of a study, and add to the faults what could not be drawn or written."""
    study = judged[0].study
    try:
        build_page(judged, folder, [str(fault) for fault in results.faults_of({study})])
        faults += left_out(judged)
        if results.store is not None:
            says = [str(fault) for fault in faults if fault.study == study]
            outcomes = {r.profile: replace(Outcome.of(r), left_out=says).to_dict() for r in judged}
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
