"""What a trained network is like inside: what the pictures of a report are drawn from."""

from harness.train.inside.attention import probe_attention
from harness.train.inside.confusion import probe_confusion
from harness.train.inside.embedding import probe_embedding
from harness.train.inside.filters import probe_filters
from harness.train.inside.generation import probe_generation
from harness.train.inside.grad_cam import probe_grad_cam

__all__ = [
    "probe_attention",
    "probe_confusion",
    "probe_embedding",
    "probe_filters",
    "probe_generation",
    "probe_grad_cam",
]
