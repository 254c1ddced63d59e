"""JSON documents on standard output: with `--json` one of them, and nothing else."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any, TextIO

OPTION = "--json"
_alone: list[TextIO] = []
"""Where documents go while everything else that is printed goes to standard error."""


def emit(document: Any, indent: int | None = None) -> None:
    """Print a document."""
    out = _alone[-1] if _alone else sys.stdout
    out.write(json.dumps(document, indent=indent) + "\n")
    out.flush()


@contextmanager
def documents_alone(arguments: Sequence[str]) -> Iterator[None]:
    """Keep what anything else prints, such as a user's function, off standard output.

    It goes to standard error, if the arguments of a command ask for a document.
    """
    if OPTION not in arguments:
        yield
        return
    sys.stdout.flush()
    own = sys.stdout is sys.__stdout__
    kept = os.dup(1) if own else None
    out = sys.stdout if kept is None else os.fdopen(kept, "w")
    _alone.append(out)
    try:
        if kept is not None:  # for what is written without Python, too
            os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _alone.pop()
        if kept is not None:
            os.dup2(kept, 1)
            out.close()
