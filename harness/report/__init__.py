"""Verdicts and evidence to pages under reports/."""

from harness.report.build import build_page
from harness.report.scoreboard import build_scoreboard, make_board
from harness.report.view import ProfileResult

__all__ = ["ProfileResult", "build_page", "build_scoreboard", "make_board"]
