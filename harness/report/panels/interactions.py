"""Whether the effect of one factor depends on another."""

from harness.report.panels.base import Panel


class Interactions(Panel):
    """Whether the effect of one factor depends on another."""

    name = "interactions"
    title = "Interactions"
    order = 50
