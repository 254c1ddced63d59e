"""How texts are put together, wherever they are shown."""

from __future__ import annotations

from collections.abc import Sequence

_LONGEST = 300
"""Letters of an error's message that are shown."""


def listed(items: Sequence[str], word: str = "and") -> str:
    """Join texts the way a sentence does: "a, b and c"."""
    return f"{', '.join(items[:-1])} {word} {items[-1]}" if len(items) > 1 else "".join(items)


def why(error: Exception) -> str:
    """Say on one line what went wrong, such as "KeyError: 'depth'"."""
    if isinstance(error, OSError) and error.strerror:
        return f"'{error.filename}': {error.strerror}" if error.filename else error.strerror
    text = " ".join(str(error).split())
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
    return f"{type(error).__name__}: {shown}".removesuffix(": ")
