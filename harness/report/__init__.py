"""Verdicts and evidence to pages under reports/."""

from harness.report.build import build_benchmark, build_page
from harness.report.compare import build_comparison, compare
from harness.report.export import export
from harness.report.scoreboard import build_scoreboard, make_board
from harness.report.study_board import StudyBoard, arranged
from harness.report.view import ProfileResult

__all__ = [
    "ProfileResult",
    "StudyBoard",
    "arranged",
    "build_benchmark",
    "build_comparison",
    "build_page",
    "build_scoreboard",
    "compare",
    "export",
    "make_board",
]
