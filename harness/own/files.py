"""Which files own code reads beside its modules: only what they declare, or wrote themselves.

Another file is no part of what identifies a trial: once it changes, records of before would be
taken for those of now. Python tells of every file that it opens (`sys.addaudithook`); what
libraries open by themselves, such as HDF5's, and what other processes open is not seen.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Collection
from pathlib import Path
from types import FrameType
from typing import Any

import harness
from harness.own.lookup import GENERATED, is_installed

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_TICK = 0.02  # seconds by which a file system's clock may be behind
_CODE = (".py", ".pyc", ".pyi")
_OURS = os.path.join(os.path.dirname(os.path.abspath(harness.__file__)), "")

_modules: set[str] = set()
"""The files of modules whose code is watched."""
_at_import: dict[str, set[str]] = {}
"""What each module read while it was imported, which happens once in the life of a process."""
_listening: list[Reads] = []


class UndeclaredFileError(OSError):
    """Own code reads a file beside its modules that none of them declares."""


class Reads:
    """What the own code of a trial opens, from `begin` to `end`.

    Args:
        modules: the files of the modules that identify the trial.
        declared: the files that they declare.
    """

    def __init__(self, modules: Collection[str] = (), declared: Collection[str] = ()) -> None:
        self._modules = list(modules)
        self._folders = {os.path.dirname(os.path.realpath(file)): file for file in modules}
        self._known = {os.path.realpath(file) for file in [*modules, *declared]}
        self._written: set[str] = set()
        self._fault = ""
        self._began = 0.0

    def begin(self) -> None:
        """Listen from now on."""
        self._began = time.time() - _TICK
        _listening.append(self)

    def end(self) -> None:
        """Listen no more."""
        _listening.remove(self)

    def wrote(self, path: str) -> None:
        """Note a file that is written: the training may read it."""
        self._written.add(os.path.realpath(path))

    def refusal(self, path: str, module: str) -> str | None:
        """Say why a module may not read a file, empty if it may; None of another trial's module."""
        return self._said_of(path) if module in self._modules else None

    def refuse(self, said: str) -> None:
        """Keep a refusal, whatever own code makes of it.

        Raises:
            UndeclaredFileError: always.
        """
        self._fault = said
        raise UndeclaredFileError(said)

    def fault(self) -> str:
        """Say which file was read that no module declares; empty if none."""
        read = (path for module in self._modules for path in _at_import.get(module, ()))
        return self._fault or next(filter(None, map(self._said_of, sorted(read))), "")

    def _said_of(self, path: str) -> str:
        path = os.path.realpath(path)
        if path in self._known or path in self._written or path.endswith(_CODE):
            return ""
        if not os.path.isfile(path) or os.stat(path).st_ctime >= self._began:
            return ""  # written since, if not by Python
        above = next((str(p) for p in Path(path).parents if str(p) in self._folders), None)
        inside = Path(path).relative_to(above) if above is not None else None
        if inside is None or above is None or is_installed(path):
            return ""
        if any(part.startswith((*GENERATED, "__pycache__")) for part in inside.parts):
            return ""  # what programs keep for themselves
        module = os.path.basename(self._folders[above])
        return (
            f"own code reads '{inside.as_posix()}', which it did not write in this training and no"
            " DATA_FILES declares, so that a change in it would go unnoticed; write"
            f' DATA_FILES = ["{inside.as_posix()}"] in {module} (a folder stands for all files in'
            " it), or keep what never changes in another place than beside your modules"
        )


def watch(modules: Collection[str]) -> None:
    """Watch the code of modules, for as long as this process lives.

    Args:
        modules: their files, as their code names them.
    """
    if modules and not _modules:  # the first
        sys.addaudithook(_heard)
    _modules.update(modules)


def forget_import(module: str) -> None:
    """Forget what a module read: it is imported anew."""
    _at_import.pop(module, None)


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "open" or not isinstance(arguments[0], str | bytes | os.PathLike):
        return
    module, importing = _who(sys._getframe(1))
    if not module:
        return
    path, flags = os.path.abspath(os.fsdecode(arguments[0])), arguments[2]
    if isinstance(flags, int) and flags & _WRITING:
        for one in _listening:
            one.wrote(path)
        return
    if importing:
        _at_import.setdefault(importing, set()).add(path)
    # trials may be trained one within another: what one of them may read is read
    refusals = [
        (one, said) for one in _listening if (said := one.refusal(path, module)) is not None
    ]
    if refusals and all(said for _, said in refusals):
        one, said = refusals[-1]
        one.refuse(said)


def _who(frame: FrameType | None) -> tuple[str, str]:
    """Return the own module at work, and the one that is being imported; empty if there is none.

    What the harness does for own code that called it, such as `report`, is the harness's work.
    """
    module = ""
    while frame is not None:
        file = frame.f_code.co_filename
        if file in _modules:
            module = module or file
            if frame.f_code.co_name == "<module>":
                return module, file
        elif not module and file.startswith(_OURS):
            break
        frame = frame.f_back
    return module, ""
