"""Figures that name no section of the report."""

from harness.report.panels.base import Panel


class More(Panel):
    """Figures that name no section of the report."""

    name = "more"
    title = "More figures"
    order = 97
