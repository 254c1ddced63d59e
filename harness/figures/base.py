"""What every figure is: when a report has it, how it is drawn, and what is said of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

from matplotlib.figure import Figure as Drawing

from harness.evidence import Evidence
from harness.figures._style import pdf_bytes, png_bytes, svg_text
from harness.judged import Verdict

Flow = Literal["grid", "pair", "narrow"]
"""Panels on a page: as many beside each other as fit, at most two, or one below the other."""


@dataclass(frozen=True)
class Picture:
    """One figure of a report: panels of equal size that flow beside or below each other.

    Attributes:
        name: stem of its files.
        title: heading, as a person would say it.
        caption: what is drawn, and what the intervals mean.
        alt: what it shows, in words, for those who cannot see it.
        panels: the figures; one for a plain picture.
        columns: panels side by side in the PNG.
        section: the panel of the report that shows it, by its name; its figure says so.
        flow: how its panels stand on a page: see `Figure`.
        data: the numbers that are drawn, in rows; none where a picture shows no numbers.
    """

    name: str
    title: str
    caption: str
    alt: str
    panels: tuple[Drawing, ...]
    columns: int = 1
    section: str = ""
    flow: Flow | Literal[""] = ""
    data: Sequence[Mapping[str, Any]] = ()

    def svgs(self) -> list[str]:
        """Return the SVG text of each panel; equal panels give equal texts."""
        return self._svgs

    @cached_property
    def _svgs(self) -> list[str]:  # both a page and a file are made of them
        return [svg_text(panel) for panel in self.panels]

    def pdfs(self) -> list[bytes]:
        """Return each panel as a PDF with embedded fonts; equal panels give equal bytes."""
        return [pdf_bytes(panel) for panel in self.panels]

    def _repr_png_(self) -> bytes:  # what a notebook shows
        return self.png()

    def png(self) -> bytes:
        """Return all panels as one PNG on white, twice as fine as a plain screen."""
        return png_bytes(self.panels, self.columns)


class Figure(ABC):
    """A figure of a report; the module that holds it has its name.

    Attributes:
        name: the module; its pictures are named after it, with hyphens.
        section: the panel of the report that shows it, by its name. Figures whose panel does not
            exist stand in the section "more".
        order: its place among the figures of its section.
        flow: how its panels stand on a page.
        published: whether the small page shows it that is kept with published records.
    """

    name: ClassVar[str]
    section: ClassVar[str] = "more"
    order: ClassVar[int] = 100
    flow: ClassVar[Flow] = "grid"
    published: ClassVar[bool] = False

    @abstractmethod
    def draw(
        self, evidence: Evidence, verdicts: Sequence[Verdict]
    ) -> Picture | Sequence[Picture] | None:
        """Draw it; several pictures if it is one for each of several things.

        Args:
            evidence: of one profile of a study.
            verdicts: on its claims.

        Returns:
            Nothing if the report has no use for it. The same evidence gives the same picture.
        """
