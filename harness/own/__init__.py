"""A user's own code: where it is, what identifies it, and how it is imported.

What stands here keeps processes apart from the working folder, and imports next to nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from types import ModuleType

TRAININGS = "HARNESS_TRAININGS"
"""Names a folder in which own trainings get theirs; whoever sets it removes it in any case."""


def search_last(folders: Sequence[str]) -> None:
    """Put folders behind all others, for processes that own code starts.

    In this process Python's own search passes over them.
    """
    sys.path[:] = [entry for entry in sys.path if entry not in folders]
    for folder in folders:
        sys.path.append(folder)
        sys.path_importer_cache[folder] = _PassedOver()


class _PassedOver:
    """A folder in which nothing is found: see `sys.path_importer_cache`."""

    def find_spec(self, _name: str, _target: ModuleType | None = None) -> None:
        """Find nothing."""

    def invalidate_caches(self) -> None:
        """Hold nothing."""


def isolated(*extra: str) -> dict[str, str]:
    """Return what the environment of a process needs so that it starts apart from this folder.

    Args:
        extra: folders in front of those that the user's PYTHONPATH has.
    """
    here = os.getcwd()
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = [entry for entry in given if entry and os.path.realpath(entry) != here]
    return {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join([*extra, *kept])}
