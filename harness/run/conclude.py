"""From records to verdicts, reports and the scoreboard, training nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.report import ProfileResult, build_page, build_scoreboard
from harness.run.results import Results


def conclude(
    results: Results, study: str, reports: Path
) -> tuple[Mapping[str, ProfileResult], Path]:
    """Judge every profile of a study and write its report.

    Returns:
        What came of each profile, and the folder of the report.
    """
    judged = results.judged({study})
    folder = build_page(judged, reports / study)
    return {result.profile: result for result in judged}, folder


def build_reports(
    judged: Sequence[ProfileResult], studies: Sequence[str], reports: Path
) -> dict[str, Path]:
    """Write the reports of these studies, and the scoreboard of all.

    Args:
        judged: every result at hand.
        studies: those whose report is written.
        reports: the folder that gets them.

    Returns:
        The folder of each report.
    """
    folders = {
        study: build_page([r for r in judged if r.study == study], reports / study)
        for study in studies
    }
    build_scoreboard(judged, reports)
    return folders
