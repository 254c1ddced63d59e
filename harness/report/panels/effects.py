"""The effect of every claim beside where the claim puts it."""

from harness.report.panels.base import Panel


class Effects(Panel):
    """The effect of every claim beside where the claim puts it."""

    name = "effects"
    title = "Effects"
    order = 20
