"""Verdicts and evidence to pages under reports/."""

from harness.report.build import build_report

__all__ = ["build_report"]
