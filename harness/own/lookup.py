"""Where a module is: among Python's own, where packages are installed, or in the user's folders.

Nothing is imported to find it out.
"""

from __future__ import annotations

import hashlib
import os
import site
import sys
import sysconfig
from collections.abc import Sequence
from functools import cache
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    BuiltinImporter,
    FrozenImporter,
    PathFinder,
)
from pathlib import Path
from typing import Any

from harness.own import search_last

_SUFFIXES = (*EXTENSION_SUFFIXES, *SOURCE_SUFFIXES, *BYTECODE_SUFFIXES)
STANDARD = sys.stdlib_module_names | set(sys.builtin_module_names)
_KNOWN = {"harness", "matplotlib", "numpy", "pandas", "scipy", "sklearn", "torch", "torchvision"}
"""Installed packages that a name means to everybody, whatever else lies in the folder."""
GENERATED = (".", "torchinductor")
"""How folders begin in which programs keep what they make: hidden ones, PyTorch's compiler's."""


class CodeMissingError(ModuleNotFoundError):
    """A user's own function is not to be found, or it cannot be told what it is."""


_given: list[str] = []
added: set[str] = set()
"""What own code put into the search path of modules. Nothing is looked for there beforehand:
identity must not depend on what a process ran before."""


_beside: list[str] = []
_appended: list[str] = []


def look_beside(folders: Sequence[str]) -> None:
    """Set the folders of study files, where own modules and data are looked for as well.

    Those of installed packages are left out.
    """
    sys.path[:] = [entry for entry in sys.path if entry not in _appended]
    _beside[:] = dict.fromkeys(f for one in folders if not is_installed(f := os.path.abspath(one)))
    here = os.getcwd()
    _appended[:] = [f for f in _beside if f not in sys.path and os.path.realpath(f) != here]
    search_last(_appended)


def beside() -> list[str]:
    """Return the folders of study files, as far as they are known."""
    return list(_beside)


def one_of(places: Sequence[str], name: str) -> str | None:
    """Return the first of some places where something is; None if it is in none.

    Raises:
        CodeMissingError: if another one, beside the study file, is not the same.
    """
    there = [place for place in places if os.path.exists(place)]
    for other in there[1:]:
        if not _alike(there[0], other):
            raise CodeMissingError(
                f"'{name}' is in '{os.path.relpath(there[0])}' and, beside the study file, in"
                f" '{os.path.relpath(other)}', and they differ; keep one of them"
            )
    return there[0] if there else None


def _alike(one: str, other: str) -> bool:
    """Tell whether two paths are the same file or folder, or files of the same content."""
    if os.path.samefile(one, other):
        return True
    files = os.path.isfile(one) and os.path.isfile(other)
    return files and file_digest(one) == file_digest(other)


def look_in(folders: Sequence[str]) -> None:
    """Set the folders that own modules are looked for in, instead of those of this process."""
    _given[:] = folders


def roots() -> list[str]:
    """Return the folders that own modules are looked for in, in order.

    The last ones are the working folder and those of study files.
    """
    if _given:
        return list(_given)
    aside = added.union(_appended)
    entries = [entry for entry in sys.path if entry not in aside and os.path.isdir(entry or ".")]
    found = [folder for entry in entries if not is_installed(folder := os.path.abspath(entry))]
    return list(dict.fromkeys([*found, os.getcwd(), *_beside]))


@cache
def _installed_folders() -> tuple[str, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib", "scripts")
    found = [sysconfig.get_path(name) for name in names]
    found += [*site.getsitepackages(), site.getusersitepackages()]
    return tuple({os.path.join(form(path), "") for path in found
                  for form in (os.path.abspath, os.path.realpath)})  # fmt: skip


def is_installed(file: str) -> bool:
    """Tell whether a file or folder lies where Python and packages are installed."""
    return os.path.join(os.path.abspath(file), "").startswith(_installed_folders())


def top_level(name: str, packages: set[str]) -> tuple[str, tuple[str, ...]] | None:
    """Find a module without dots: its file and folders; None if it is not the user's own."""
    if name in STANDARD or name in packages or not name:
        return None
    if name == "harness":
        packages.add(name)
        return None
    place, own = _elsewhere(name), own_module(name)
    if place is None:
        return own or _namespace(roots(), name)
    file, folders = place
    if own is not None and name not in _KNOWN and not os.path.samefile(own[0], file):
        raise CodeMissingError(shadowed(name, name, own))
    if folders is not None and not is_installed(file):
        return file, folders
    packages.add(name)
    return None


def _elsewhere(name: str) -> tuple[str, tuple[str, ...] | None] | None:
    """Find an installed module: its file, and its folders if it was installed to be edited."""
    mine = set(roots())
    others = [e for e in sys.path if os.path.abspath(e) not in mine and e not in added]
    spec = PathFinder.find_spec(name, others)
    if spec is not None and spec.origin is not None:
        return spec.origin, None
    for finder in sys.meta_path:
        if finder in (BuiltinImporter, FrozenImporter, PathFinder) or not _is_editable(finder):
            continue
        found = finder.find_spec(name, None)
        if found is not None and found.origin is not None:
            return found.origin, tuple(found.submodule_search_locations or ())
    return None


def is_importable(name: str) -> bool:
    """Tell whether a top-level module is found without the user's folders."""
    return name in STANDARD or _elsewhere(name) is not None


def _is_editable(finder: Any) -> bool:
    """Tell whether a finder is one that an editable installation put there."""
    kind = finder if isinstance(finder, type) else type(finder)
    return "editable" in kind.__module__.lower() or "editable" in kind.__name__.lower()


def own_module(name: str) -> tuple[str, tuple[str, ...]] | None:
    """Find a module in the user's folders: its file and folders.

    Raises:
        CodeMissingError: if another one of this name is beside the study file.
    """
    first = next((found for root in roots() if (found := _look(root, name))), None)
    others = [found for folder in _beside if (found := _look(folder, name))]
    if first is not None:
        one_of([(found[1] or (found[0],))[0] for found in (first, *others)], name)
    return first


def submodule(folders: Sequence[str], dotted: str) -> tuple[str, tuple[str, ...]] | None:
    """Find a submodule in the folders of its package."""
    name = dotted.rpartition(".")[2]
    for folder in folders:
        if found := _look(folder, name):
            return found
    return _namespace(folders, name)


def _look(folder: str, name: str) -> tuple[str, tuple[str, ...]] | None:
    base = os.path.join(folder, name)
    if os.path.isdir(base):
        for suffix in _SUFFIXES:
            if os.path.isfile(file := os.path.join(base, f"__init__{suffix}")):
                return file, (base,)
    for suffix in _SUFFIXES:
        if os.path.isfile(base + suffix):
            return base + suffix, ()
    return None


def _namespace(folders: Sequence[str], name: str) -> tuple[str, tuple[str, ...]] | None:
    found = tuple(base for f in folders if os.path.isdir(base := os.path.join(f, name)))
    return ("", found) if found else None


def shadowed(name: str, top: str, own: tuple[str, tuple[str, ...]]) -> str:
    """Say that a module of the user's has a name that is taken."""
    kind = "one of Python's own modules" if top in STANDARD else "an installed package"
    where = os.path.relpath(own[0])
    return (
        f"'{name}' is not your '{where}': '{top}' is also the name of {kind}, which goes first; "
        "rename your module, so that it is clear which one is meant"
    )


def named_file(module: str) -> str:
    """Hash the file of an installed module."""
    top, _, rest = module.partition(".")
    place = _elsewhere(top)
    file = "" if place is None else place[0]
    for part in filter(None, rest.split(".")):
        found = _look(os.path.dirname(file), part) if file else None
        file = found[0] if found else ""
    if not file:
        raise CodeMissingError(f"'{module}' cannot be found where Python is installed")
    return file_digest(file)


@cache
def package_version(module: str) -> str:
    """Return the name and version of the installed package that holds a top-level module."""
    from importlib.metadata import Distribution

    place = _elsewhere(module)
    folder = "" if place is None else os.path.dirname(place[0])
    if os.path.basename(place[0] if place else "").startswith("__init__."):
        folder = os.path.dirname(folder)
    inside = (f"\n{module}/".encode(), *(f"\n{module}{s},".encode() for s in _SUFFIXES))
    for record in sorted(Path(folder or ".").glob("*.dist-info/RECORD")):
        listed = b"\n" + record.read_bytes()
        if any(entry in listed for entry in inside):
            found = Distribution.at(record.parent)
            return f"{found.metadata['Name']} {found.version}"
    return module


def stamp(file: str) -> tuple[int, int]:
    """Return what tells whether a file has changed since it was read."""
    state = os.stat(file)
    return state.st_size, state.st_mtime_ns


def file_digest(file: str) -> str:
    """Hash a file (16 hexadecimal digits), once for as long as it does not change."""
    return _hash(file, *stamp(file))


@cache
def _hash(file: str, _size: int, _changed: int) -> str:
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()[:16]
