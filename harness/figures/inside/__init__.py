"""What networks are like inside: pictures of what probes left in the records of single trials."""

from __future__ import annotations

from harness.figures.inside.attention import attention
from harness.figures.inside.confusion import confusion_matrices
from harness.figures.inside.embedding import embeddings
from harness.figures.inside.images import filters, grad_cams

INSIDE = (confusion_matrices, embeddings, grad_cams, filters, attention)
"""Draw what the study's probes show of its networks; the pictures' names begin with "inside-"."""
