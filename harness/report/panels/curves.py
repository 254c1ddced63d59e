"""How the arms learn, epoch by epoch."""

from harness.report.panels.base import Panel


class Curves(Panel):
    """How the arms learn, epoch by epoch."""

    name = "curves"
    title = "Learning curves"
    order = 60
