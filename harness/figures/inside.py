"""What networks are like inside: the picture of each probe of the study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.errors import returned
from harness.evidence import Evidence, shown_by
from harness.figures.base import Figure, Picture
from harness.judged import Verdict
from harness.probes import Probe


class Inside(Figure):
    """What probes show of single networks: confusions, maps, attention, filters."""

    name = "inside"
    section = "inside"
    order = 10
    flow = "pair"
    published = True

    def draw(self, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Picture]:
        """See `Figure`."""
        del verdicts
        probes = {probe.name: probe for probe in evidence.plan.study.probes}
        made = [picture_of(probe, evidence) for probe in probes.values()]
        return [picture for picture in made if picture is not None]


def picture_of(probe: Probe, evidence: Evidence) -> Picture | None:
    """Draw what a probe of the study shows; its picture is called after it."""
    try:
        picture: Any = probe.draw(shown_by(evidence, type(probe)), evidence)
    except Exception as error:
        error.add_note(f"probe {probe.name}")  # which the report tells
        raise
    if not isinstance(picture, Picture | None):
        raise TypeError(returned("draw", probe.name, picture, "a harness.figures.Picture"))
    name = f"inside-{probe.name.replace('_', '-')}"
    return None if picture is None else replace(picture, name=name)
