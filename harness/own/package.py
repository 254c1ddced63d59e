"""What identifies this package's own code: the modules that a training can reach.

They are found as a user's own modules are (`harness.own.reach`): by the imports in their source, as
programs, so that comments, docstrings, descriptions of settings and the layout of lines do not
count. What a study names is imported by its name alone, so the training loop reaches none of it: a
trial depends on the modules of the things that its own workload names, and on no others.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection
from contextlib import suppress
from functools import cache
from pathlib import Path

import harness
from harness.own import reach

TRAINS = "harness.train.engine"
"""Where a worker begins with a trial."""

_FOLDER = Path(harness.__file__).parent
_KNOWN = _FOLDER / "__pycache__" / "programs.json"


def code_version(modules: Collection[str] = ()) -> str:
    """Return what identifies the code of a trial (16 hexadecimal digits).

    Args:
        modules: of the things that its workload names; the training loop always counts.
    """
    return _version(tuple(sorted(set(modules))))


@cache
def _version(modules: tuple[str, ...]) -> str:
    hashed = hashlib.sha256()
    for name, program in sorted(_reached(modules).items()):
        hashed.update(f"{name} {program}\n".encode())
    return hashed.hexdigest()[:16]


def reached(modules: Collection[str]) -> list[str]:
    """Return the names of the modules of this package that trials with these things depend on."""
    return sorted(_reached(modules))


def _reached(modules: Collection[str]) -> dict[str, str]:
    """Return the digest of the program of every module that is reached, by its name."""
    known, found, waiting = _Known(), dict[str, str](), [TRAINS, *modules]
    while waiting:
        parts = waiting.pop().split(".")
        for count in range(1, len(parts) + 1):
            name = ".".join(parts[:count])
            if name not in found and (file := _file(name)) is not None:
                found[name], imports = known.read(file)
                waiting += imports
    known.keep()
    return found


def _file(name: str) -> Path | None:
    place = _FOLDER.parent.joinpath(*name.split("."))
    files = (place / "__init__.py", place.with_suffix(".py"))
    return next((file for file in files if file.is_file()), None)


class _Known:
    """What modules are, by their text: the digest of the program, and what it imports of ours.

    To read all of them takes a second; what was found is kept beside Python's own cache.
    """

    def __init__(self) -> None:
        self._reader = hashlib.sha256(Path(reach.__file__).read_bytes()).hexdigest()
        self._programs: dict[str, tuple[str, list[str]]] = {}
        with suppress(OSError, ValueError, KeyError, TypeError):
            kept = json.loads(_KNOWN.read_text(encoding="utf-8"))
            self._programs = kept["programs"] if kept["reader"] == self._reader else {}
        self._new = False

    def read(self, file: Path) -> tuple[str, list[str]]:
        """Return the digest of a module's program, and what it imports of this package."""
        text = file.read_bytes()
        key = hashlib.sha256(text).hexdigest()
        if key not in self._programs:
            source = reach.read_source(text, str(file), described=False)
            imports = {
                one
                for _, base, names in source.imports
                for one in ([base, *(f"{base}.{name}" for name in names)] if base else names)
                if one.startswith("harness.")
            }
            self._programs[key], self._new = (source.digest, sorted(imports)), True
        return self._programs[key]

    def keep(self) -> None:
        """Keep what was read; where the package cannot be written to, it is read again."""
        if self._new:
            with suppress(OSError):
                _KNOWN.parent.mkdir(exist_ok=True)
                beside = _KNOWN.with_name(f"programs.{os.getpid()}")
                document = {"reader": self._reader, "programs": self._programs}
                beside.write_text(json.dumps(document), encoding="utf-8")
                beside.replace(_KNOWN)
