"""Lines that end where words end, on a terminal; in a file or a pipe they stay whole."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TextIO

_NARROWEST = 40


def in_width(text: str, indent: int = 2, stream: TextIO | None = None) -> str:
    """Return a text whose lines are broken between words, where a terminal would break words.

    Words longer than a line stay whole, so that paths can be copied.

    Args:
        text: of one or several lines.
        indent: spaces before all parts of a line but the first.
        stream: where it will be printed; standard output if not given.
    """
    stream = sys.stdout if stream is None else stream
    if not stream.isatty():
        return text
    width = max(shutil.get_terminal_size().columns, _NARROWEST)
    lines = [
        textwrap.fill(
            line, width, subsequent_indent=" " * min(indent, width // 2),
            break_long_words=False, break_on_hyphens=False, drop_whitespace=True,
            replace_whitespace=False,
        ) if len(line) > width else line
        for line in text.split("\n")
    ]  # fmt: skip
    return "\n".join(lines)
