"""What networks are like inside: pictures of what probes left in the records of single trials."""

from __future__ import annotations

from harness.evidence import Evidence
from harness.figures.inside.attention import attention
from harness.figures.inside.confusion import confusion_matrices
from harness.figures.inside.embedding import embeddings
from harness.figures.inside.images import filters, grad_cams
from harness.figures.style import Picture

_DRAWN = (confusion_matrices, embeddings, grad_cams, filters, attention)


def draw_inside(evidence: Evidence) -> list[Picture]:
    """Draw what the study's probes show of its networks; their names begin with "inside-"."""
    pictures = [draw(evidence) for draw in _DRAWN]
    return [picture for picture in pictures if picture is not None]
