"""How texts are put together, wherever they are shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

_LONGEST = 80
_LONGEST_MESSAGE = 300
"""Letters of an error's message that are shown."""


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
    """Write a level as a study file does: true, null, 0.5; the text "true" is in quotes."""
    if isinstance(level, str) and level not in ("true", "false", "null"):
        return level
    return json.dumps(level, ensure_ascii=False)


def why(error: Exception) -> str:
    """Say on one line what went wrong, such as "KeyError: 'depth'"."""
    if isinstance(error, OSError) and error.strerror:
        return f"'{error.filename}': {error.strerror}" if error.filename else error.strerror
    text = " ".join(str(error).split())
    shown = text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]} …"
    return f"{type(error).__name__}: {shown}".removesuffix(": ")
