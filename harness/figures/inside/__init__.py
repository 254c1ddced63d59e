"""What networks are like inside: pictures of what probes left in the records of single trials."""

from __future__ import annotations

from collections.abc import Sequence

from harness.evidence import Evidence
from harness.figures.base import Figure, Picture
from harness.figures.inside.attention import attention
from harness.figures.inside.confusion import confusion_matrices
from harness.figures.inside.embedding import embeddings
from harness.figures.inside.images import filters, grad_cams
from harness.trial import Verdict

INSIDE = (confusion_matrices, embeddings, grad_cams, filters, attention)
"""Draw what the study's probes show of its networks; the pictures' names begin with "inside-"."""


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
        return [made for draw in INSIDE if (made := draw(evidence)) is not None]
