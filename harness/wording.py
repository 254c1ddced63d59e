"""How texts are put together, wherever they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def listed(items: Sequence[str], word: str = "and") -> str:
    """Join texts the way a sentence does: "a, b and c"."""
    return f"{', '.join(items[:-1])} {word} {items[-1]}" if len(items) > 1 else "".join(items)


def level_text(level: Any) -> str:
    """Write a level as it stands in a study file: `true`, `null`, `relu`, `0.5`."""
    words = {True: "true", False: "false", None: "null"}
    return words[level] if level is None or isinstance(level, bool) else str(level)
