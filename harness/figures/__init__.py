"""Evidence to figures, a module for each; the only place that knows seaborn and matplotlib."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from harness.errors import returned
from harness.evidence import Evidence
from harness.figures._style import new_axes, new_figure, theme
from harness.figures.base import Figure, Picture
from harness.judged import Verdict
from harness.registry import FIGURES

__all__ = ["FIGURES", "Figure", "Picture", "draw", "new_axes", "new_figure", "theme"]


def draw(name: str, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Picture]:
    """Draw the figure of a name; no pictures if the evidence has no use for it."""
    figure: Figure = FIGURES.find(name)()
    made: Any = figure.draw(evidence, verdicts)
    found = [made] if isinstance(made, Picture) or not isinstance(made, Iterable) else list(made)
    found = [] if made is None else found
    if not all(isinstance(one, Picture) for one in found):
        raise TypeError(returned("draw", name, made, "a harness.figures.Picture, or several"))
    return [replace(one, section=figure.section, flow=one.flow or figure.flow) for one in found]
