"""From records to verdicts, reports and the scoreboard, training nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.report import ProfileResult, build_page, build_scoreboard
from harness.run.outcome import Outcome
from harness.run.pages import BOARD, keep_page, made_from
from harness.run.results import Results


def conclude(results: Results, study: str, reports: Path) -> tuple[Mapping[str, Outcome], Path]:
    """Judge every profile of a study and write its report.

    Returns:
        What came of each profile, and the folder of the report.
    """
    key = _made_from(results, study)
    judged = results.judged({study})
    folder = _build_page(results, judged, reports / study, key)
    return {result.profile: Outcome.of(result) for result in judged}, folder


def build_reports(
    results: Results, studies: Sequence[str], reports: Path
) -> tuple[Sequence[ProfileResult], Mapping[str, Path]]:
    """Write the reports of these studies, and the scoreboard of all.

    Args:
        results: all that are at hand.
        studies: those whose report is written.
        reports: the folder that gets them.

    Returns:
        Every result, judged, and the folder of each report.
    """
    keys = {study: _made_from(results, study) for study in (*studies, None)}
    judged = results.judged()
    folders = {
        study: _build_page(
            results, [r for r in judged if r.study == study], reports / study, keys[study]
        )
        for study in studies
    }
    build_scoreboard(judged, reports)
    if results.store is not None:
        keep_page(results.store, reports, keys[None], {}, BOARD)
    return judged, folders


def _made_from(results: Results, study: str | None) -> str:
    return made_from(results.store, study) if results.store is not None else ""


def _build_page(results: Results, judged: Sequence[ProfileResult], folder: Path, key: str) -> Path:
    build_page(judged, folder)
    if results.store is not None:
        outcomes = {result.profile: Outcome.of(result).to_dict() for result in judged}
        keep_page(results.store, folder, key, outcomes)
    return folder
