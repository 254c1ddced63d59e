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
    known, found, waiting = _known(), dict[str, str](), [TRAINS, *modules]
    while waiting:
        parts = waiting.pop().split(".")
        for count in range(1, len(parts) + 1):
            name = ".".join(parts[:count])
            if name not in found and (program := known.program(name)) is not None:
                found[name], imports = program
                waiting += imports
    known.keep()
    return found


def _file(name: str) -> Path | None:
    place = _FOLDER.parent.joinpath(*name.split("."))
    files = (place / "__init__.py", place.with_suffix(".py"))
    return next((file for file in files if file.is_file()), None)


class _Known:
    """What modules are: the digest of the program, and what it imports of ours.

    To read all of them takes a second; what was found is kept by their text, beside Python's own
    cache. This process reads each once, for it runs what it has imported.
    """

    def __init__(self) -> None:
        self._reader = hashlib.sha256(Path(reach.__file__).read_bytes()).hexdigest()
        self._by_text: dict[str, tuple[str, list[str]]] = {}
        with suppress(OSError, ValueError, KeyError, TypeError):
            kept = json.loads(_KNOWN.read_text(encoding="utf-8"))
            self._by_text = kept["programs"] if kept["reader"] == self._reader else {}
        self._by_name: dict[str, tuple[str, list[str]] | None] = {}
        self._new = False

    def program(self, name: str) -> tuple[str, list[str]] | None:
        """Return the digest of a module's program, and what it imports; None if there is none."""
        if name not in self._by_name:
            file = _file(name)
            self._by_name[name] = None if file is None else self._read(file)
        return self._by_name[name]

    def _read(self, file: Path) -> tuple[str, list[str]]:
        text = file.read_bytes()
        key = hashlib.sha256(text).hexdigest()
        if key not in self._by_text:
            source = reach.read_source(text, str(file), described=False)
            imports = {
                one
                for _, base, names in source.imports
                for one in ([base, *(f"{base}.{name}" for name in names)] if base else names)
                if one.startswith("harness.")
            }
            self._by_text[key], self._new = (source.digest, sorted(imports)), True
        return self._by_text[key]

    def keep(self) -> None:
        """Keep what was read; where the package cannot be written to, it is read again."""
        if self._new:
            self._new = False
            with suppress(OSError):
                _KNOWN.parent.mkdir(exist_ok=True)
                beside = _KNOWN.with_name(f"programs.{os.getpid()}")
                document = {"reader": self._reader, "programs": self._by_text}
                beside.write_text(json.dumps(document), encoding="utf-8")
                beside.replace(_KNOWN)


@cache
def _known() -> _Known:
    return _Known()
