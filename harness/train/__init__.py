"""The training engine: trials in, records out, in plain PyTorch."""

from harness.train.engine import train
from harness.train.version import code_version

__all__ = ["code_version", "train"]
