"""How texts are put together, wherever they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

_LONGEST = 80


def as_file_name(name: str, allowed: str = "_-") -> str:
    """Return a name that others take; different names give different ones.

    One of Latin letters, digits and what is `allowed` stays; any other ends in a hash of itself.
    """
    kept = "".join(c if (c.isascii() and c.isalnum()) or c in allowed else "-" for c in name)
    safe = kept.strip("-.")[:_LONGEST]
    return safe if safe == name else f"{safe}-{sha256(name.encode()).hexdigest()[:8]}".lstrip("-")


def listed(items: Sequence[str], word: str = "and") -> str:
    """Join texts the way a sentence does: "a, b and c"."""
    return f"{', '.join(items[:-1])} {word} {items[-1]}" if len(items) > 1 else "".join(items)


def level_text(level: Any) -> str:
    """Write a level as it stands in a study file: `true`, `null`, `relu`, `0.5`."""
    words = {True: "true", False: "false", None: "null"}
    return words[level] if level is None or isinstance(level, bool) else str(level)
