"""What is wrong with an input: one sentence with file, line, path and the nearest valid name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One mistake, placed where a person can mend it. Line and column count from 1."""

    message: str
    file: str = ""
    line: int | None = None
    column: int | None = None
    path: str = ""

    def __str__(self) -> str:
        place = self.file
        if self.line is not None:
            place += f":{self.line}:{self.column}"
        return ": ".join(part for part in (place, self.path, self.message) if part)


class InputError(Exception):
    """The input is wrong; nothing was run and nothing was written."""

    def __init__(self, problems: Iterable[Problem] | str):
        self.problems = [Problem(problems)] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(map(str, self.problems)))


def in_main(function: str) -> str:
    """Say what to do with code of a notebook or of the script that runs."""
    return (
        f"'{function}' is code of this notebook or script, which other processes cannot import; put"
        " it into a file (in a notebook: a cell that begins with `%%writefile my_code.py`) and name"
        f" it 'my_code:{function}'"
    )


def returned(method: str, name: str, found: object, expected: str) -> str:
    """Say that a method of a thing that has a name returned something else than it should."""
    return f"`{method}` of {name} returned {type(found).__name__}, expected {expected}"


def nearest(name: object, valid: Iterable[object]) -> str:
    """Return "; did you mean 'x'?" for the valid name closest to `name`, or an empty string."""
    match = difflib.get_close_matches(str(name), [str(v) for v in valid], n=1, cutoff=0.5)
    return f"; did you mean '{match[0]}'?" if match else ""
