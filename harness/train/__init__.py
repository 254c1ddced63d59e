"""The training engine: trials in, records out, in plain PyTorch.

PyTorch is imported when `train` is first asked for, so that `harness.train.packing_key` can be used
without it.
"""

import os
from typing import TYPE_CHECKING, Any

from harness.train.checkpoints import Checkpoints
from harness.train.packing_key import group, network_key, pack_key

if TYPE_CHECKING:
    from harness.train.engine import Setting, train, train_in

# Otherwise Intel's library rounds matrix products by how an operand is aligned in memory, so that a
# trial's last digits depend on its place in a pack. It is read once, before the first product.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

__all__ = ["Checkpoints", "Setting", "group", "network_key", "pack_key", "train", "train_in"]


def __getattr__(name: str) -> Any:
    if name in ("Setting", "train", "train_in"):
        from harness.train import engine

        return getattr(engine, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
