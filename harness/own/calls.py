"""Calls of the user's own functions: what is wrong with one, and where it raised an exception."""

from __future__ import annotations

import inspect
import sys
import sysconfig
import traceback
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import harness
from harness.errors import nearest
from harness.own.imports import missing


def call_mistakes(
    parameters: Sequence[inspect.Parameter],
    given: Sequence[str],
    settings: Mapping[str, Any],
    ours: Sequence[str],
) -> list[tuple[str, str]]:
    """Return what is wrong with a call, as pairs of a setting (or nothing) and a sentence.

    Args:
        parameters: of the function.
        given: what it gets by position.
        settings: what it gets by name.
        ours: names of what it may get beside that.
    """
    kinds = inspect.Parameter
    placed = [
        p for p in parameters if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)
    ]
    wanted = f"takes ({', '.join(map(str, parameters))}); it is called with ({', '.join(given)})"
    if len(placed) < len(given) and not any(p.kind is kinds.VAR_POSITIONAL for p in parameters):
        return [("", wanted)]
    first = {p.name for p in placed[: len(given)]}
    by_name = (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)
    named = {p.name: p for p in parameters if p.kind in by_name and p.name not in first}
    valid = [name for name in named if name not in ours]
    found = []
    for key in settings:
        if key in first or key in ours:
            found.append((key, f"gets '{key}' from the harness; it is no setting"))
        elif key not in named and not any(p.kind is kinds.VAR_KEYWORD for p in parameters):
            known = ", ".join(valid) or "none"
            found.append((key, f"has no setting '{key}'{nearest(key, valid)} (known: {known})"))
    needed = [p for p in placed[len(given) :] if p.kind is kinds.POSITIONAL_ONLY]
    needed += list(named.values())
    missing = [p.name for p in needed if p.default is p.empty and p.name not in (*settings, *ours)]
    if missing and ours:
        found.append(("", f"needs a value for {' and '.join(missing)} under `settings`"))
    elif missing:
        found.append(("", wanted))
    return found


def described(error: BaseException, names: Iterable[str]) -> str:
    """Say what was raised, and at which line of the user's own code, if at one.

    Args:
        error: what was raised.
        names: of the user's functions, `package.module:function`.
    """
    text = ". ".join(filter(None, [str(error).strip().partition("\n")[0], missing(error)]))
    told = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if place := line_of(error, names):
        return f"{place}: {told}"
    return text if isinstance(error, ValueError | TypeError) and text else told


def line_of(error: BaseException, names: Iterable[str]) -> str:
    """Return the line of the user's own code that raised it, `file.py:3`; empty if none did."""
    own = {
        str(file)
        for name in names
        if (file := getattr(sys.modules.get(name.partition(":")[0]), "__file__", None))
    }
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _is_own(f.filename, own)]
    return f"{_shown(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""


def _is_own(file: str, own: set[str]) -> bool:
    """Whether a file is the user's, and no library's."""
    if file in own:
        return True
    libraries = [sysconfig.get_path(kind) for kind in ("stdlib", "purelib", "platlib")]
    libraries.append(str(Path(harness.__file__).parent))
    return not file.startswith(("<", *libraries))


def _shown(file: str) -> str:
    """Return a file's path from where modules are looked for, without folders of the machine."""
    for folder in (Path.cwd(), *map(Path, sys.path)):
        if Path(file).is_relative_to(folder.absolute()):
            return str(Path(file).relative_to(folder.absolute()))
    return Path(file).name
