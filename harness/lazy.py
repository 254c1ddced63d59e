"""PyTorch and NumPy under their own names, imported at the first use.

What a study file can name is described and checked without them, and trained with them. A module
that does both takes `torch`, `functional` and `numpy` from here.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy
    import torch
    from torch.nn import functional


class Lazy:
    """A module that is imported when something of it is asked for."""

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        """Return what the module has."""
        value = getattr(import_module(self._name), attribute)
        setattr(self, attribute, value)  # found at once the next time
        return value


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import without a search for garbage meanwhile, which is a sixth of the time of PyTorch.

    Imports make hundreds of thousands of objects that stay, and Python looks at all of them again
    and again. What was imported is left out of later searches too.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()


if not TYPE_CHECKING:
    numpy = Lazy("numpy")
    torch = Lazy("torch")
    functional = Lazy("torch.nn.functional")

__all__ = ["Lazy", "functional", "numpy", "quick_imports", "torch"]
