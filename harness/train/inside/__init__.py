"""What a trained network is like inside: what the pictures of a report are drawn from."""

from harness.train.inside.confusion import probe_confusion

__all__ = ["probe_confusion"]
