"""The training engine: trials in, records out, in plain PyTorch."""

from harness.train.engine import train

__all__ = ["train"]
