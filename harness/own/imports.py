"""How a user's own code is imported: what identity covers, as it was read, and nothing else.

The working folder is searched for the modules that a study reaches, and for no others: a `json.py`
that lies there is not what a library gets. A module that changed in the meantime is imported anew
where that can be done, and an error where a trial was planned with another version.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from harness.own import search_last
from harness.own.files import Reads, forget_import, watch
from harness.own.lookup import (
    GENERATED,
    CodeMissingError,
    added,
    beside,
    is_installed,
    look_beside,
    look_in,
    package_version,
    roots,
)
from harness.own.reach import Module, reach, read_source, source_version

_CLOCK_SECONDS = 2.0  # by which the start of a process is known


class UnseenCodeError(ModuleNotFoundError):
    """Own code imports what its identity does not cover."""


class ChangedCodeError(ImportError):
    """Own code is not what a trial was planned with."""


# --- what is imported ----------------------------------------------------------------------------
_covered: dict[str, Module] = {}
_loaded: dict[str, Module] = {}
"""The modules of the user's own that this process holds, as they were imported."""
_hidden: dict[str, ModuleType] = {}
_entered: list[object] = []
"""The trials' own imports that are watched now, one within another."""
_in_use: set[str] = set()
"""The functions that are imported or trained now, whose modules are admitted already."""


class _Finder:
    """Finds the modules that are covered, where they were found when they were read."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        module = _covered.get(name)
        if module is None:
            if _in_use and name.rpartition(".")[0] in _covered and _submodule(name):
                raise UnseenCodeError(unseen(name), name=name)
            return None
        if not module.file:
            spec = ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = list(module.folders)
            return spec
        loader = _Loader(name, module.file) if module.file.endswith(".py") else None
        folders = list(module.folders) or None
        if loader is None:
            _loaded[name] = module
        return spec_from_file_location(
            name, module.file, loader=loader, submodule_search_locations=folders
        )


class _Loader(SourceFileLoader):
    """Compiles the very source that was compared; compiled files may be of an older one."""

    def get_code(self, fullname: str) -> Any:
        """See `importlib.abc.InspectLoader`."""
        source = self.get_data(self.path)
        forget_import(self.path)
        module = _covered.get(fullname)
        if module is not None and read_source(source, self.path).digest == module.digest:
            _loaded[fullname] = module
        elif _in_use or _entered:
            raise ChangedCodeError(changed([self.path]), name=fullname)
        else:  # between runs a user imports what is there now
            _loaded.pop(fullname, None)
        return self.source_to_code(source, self.path)


_finder = _Finder()


def own_function(name: str) -> Any:
    """Import a function `package.module:function`, of the user's own or of an installed package.

    Raises:
        CodeMissingError: if it is not to be found.
    """
    module, attribute = name.split(":")
    if name not in _in_use:
        _admit(reach(name).modules)
    with _watched(name):
        return getattr(importlib.import_module(module), attribute)


@contextmanager
def _watched(name: str) -> Iterator[None]:
    """Meanwhile nothing else of the user's is imported; note what comes to the search path."""
    before, new = set(sys.path), {name} - _in_use
    _in_use.update(new)
    try:
        yield
    finally:
        _in_use.difference_update(new)
        added.update(set(sys.path) - before)


def _admit(modules: Mapping[str, Module]) -> None:
    """Let modules be imported; those that were imported as something else are imported anew."""
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    for name in modules.keys() & _hidden.keys():
        sys.modules[name] = _hidden.pop(name)
    if any(not _is_current(module) for module in modules.values()):
        # all of them: what imported a module holds on to it
        for name in [*_loaded, *modules]:
            sys.modules.pop(name, None)
            _hidden.pop(name, None)
        _loaded.clear()
    _covered.update(modules)
    watch([module.file for module in modules.values() if module.file])


def _is_current(module: Module) -> bool:
    """Tell whether a module, if this process holds it, is the one that was read."""
    held = sys.modules.get(module.name)
    if held is None or not module.file:
        return True
    before = _loaded.get(module.name)
    if before is None:  # imported by another way: it is the same if it has not changed since then
        _loaded[module.name] = module
        file = getattr(held, "__file__", None) or ""
        same = os.path.exists(file) and os.path.samefile(file, module.file)
        return same and os.stat(file).st_mtime < _started() - _CLOCK_SECONDS
    return (before.file, before.digest) == (module.file, module.digest)


def _started() -> float:
    import psutil

    return psutil.Process().create_time()


def _submodule(name: str) -> str:
    """Return the file of a module of the user's own that is not covered; empty if there is none."""
    try:
        found = reach(name).modules.get(name)
    except CodeMissingError:
        return ""
    return found.file if found is not None else ""


# --- what a trial may import ---------------------------------------------------------------------
class OwnImports:
    """The own code of one trial: while it is trained, nothing else of the user's is imported,
    nor read beside its modules.

    Args:
        names: of its functions.
        planned: what identified each when the trial was planned, where that is known.
    """

    def __init__(self, names: Sequence[str], planned: Mapping[str, str]):
        self._names, self._planned = list(dict.fromkeys(names)), planned
        self._before: set[str] = set()
        self._path: set[str] = set()
        self._outside: dict[str, Module] = {}
        self._reads = Reads()
        self._fault = ""
        self._packages: list[str] = []

    def __enter__(self) -> Self:
        if not self._names:
            return self
        try:
            found = [reach(name) for name in self._names]
            self._fault = self._changed()
        except CodeMissingError as error:
            found, self._fault = [], str(error)
        modules = {name: module for one in found for name, module in one.modules.items()}
        self._reads = Reads(
            [module.file for module in modules.values() if module.file],
            [file for module in modules.values() for _, file in module.data],
        )
        self._packages = sorted({name for one in found for name in one.packages})
        _in_use.update(self._names)
        _entered.append(self)
        self._outside = dict(_covered)
        _covered.clear()
        _admit(modules)
        for name in [name for name in _loaded if name not in modules]:
            if name in sys.modules:
                _hidden[name] = sys.modules.pop(name)
        self._before, self._path = set(sys.modules), set(sys.path)
        self._reads.begin()
        return self

    def __exit__(self, *raised: object) -> None:
        if not self._names:
            return
        self._reads.end()
        self._uncovered()
        added.update(set(sys.path) - self._path)
        _in_use.difference_update(self._names)
        for name, module in self._outside.items():
            _covered.setdefault(name, module)
        _entered.remove(self)
        for name in [] if _entered else list(_hidden):  # what is around it is still to lack them
            sys.modules.setdefault(name, _hidden.pop(name))

    def fault(self) -> str:
        """Say what own code was imported that is not what identifies the trial; empty if none."""
        if self._names and not self._fault:
            try:
                self._fault = self._uncovered() or self._changed() or self._reads.fault()
            except CodeMissingError as error:
                self._fault = str(error)
        return self._fault

    def environment(self) -> dict[str, str]:
        """Return the versions of the installed packages that own code imports, for the record."""
        found = [package_version(name) for name in self._packages if name != "harness"]
        return {"packages": ", ".join(found)} if found else {}

    def _changed(self) -> str:
        for name in self._names:
            version = self._planned.get(name)
            if version is None or " " in version or version == source_version(name):
                continue
            files = [module.file for module in reach(name).modules.values() if module.file]
            return changed([file for file in files if os.stat(file).st_mtime > _started()], name)
        return ""

    def _uncovered(self) -> str:
        """Find modules of the user's own that came by another way."""
        own = [*roots(), *(set(sys.path) - self._path), *added]
        found = {}
        for name in set(sys.modules) - self._before - _covered.keys():
            file = getattr(sys.modules[name], "__dict__", {}).get("__file__")
            if name.partition(".")[0] != "harness" and isinstance(file, str) and _is_own(file, own):
                found[name] = file
        if not found:
            return ""
        for name in [*found, *_loaded]:  # the next trial is to import them again, and to be told
            sys.modules.pop(name, None)
        _loaded.clear()
        return unseen(*min(found.items()))


def _is_own(file: str, folders: Sequence[str]) -> bool:
    """Tell whether a module that is not covered is the user's: in a folder of theirs, or in none.

    Not in hidden folders and in that of PyTorch's compiler: programs keep there what they generate.
    """
    if not os.path.isfile(file) or is_installed(file):
        return False
    if any(part.startswith(GENERATED) for part in Path(os.path.realpath(file)).parts):
        return False
    if _is_below(file, folders):
        return True
    return not _is_below(file, [entry for entry in sys.path if os.path.isdir(entry)])


def _is_below(file: str, folders: Sequence[str]) -> bool:
    starts = tuple(os.path.join(os.path.realpath(folder or "."), "") for folder in folders)
    return os.path.realpath(file).startswith(starts)


def missing(error: BaseException | None) -> str:
    """Say what to do where a module was not found that lies in the user's folder; else nothing."""
    if not isinstance(error, ModuleNotFoundError) or isinstance(error, UnseenCodeError):
        return ""
    name = error.name or ""
    return unseen(name) if name and name not in _covered and _submodule(name) else ""


def unseen(name: str, file: str = "") -> str:
    """Say that a module is not covered by identity, and what to do."""
    file = file or _submodule(name)
    return (
        f"own code imports '{name}' ({os.path.relpath(file)}) in a way that its source does not "
        "show, so that a change in it would go unnoticed; import it plainly, with "
        f"`import {name}`, in the module that uses it"
    )


def changed(files: Sequence[str], name: str = "") -> str:
    """Say that own code changed while a study ran, and what to do."""
    what = " and ".join(os.path.relpath(file) for file in files) or f"what '{name}' reaches"
    return (
        f"{what} changed after this trial was planned; run the study again, so that every trial is "
        "trained by one version of the code"
    )


# --- taken to another process --------------------------------------------------------------------
@dataclass(frozen=True)
class Luggage:
    """What a worker needs to find own code as this process does.

    Attributes:
        folders: of this machine that it is looked for in.
        files: instead, for a worker on another machine: by their path from its folder.
        environment: variables as the user had them.
        beside: folders of study files, where data are looked for too.
    """

    folders: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    environment: Mapping[str, str | None] = field(default_factory=dict)
    beside: tuple[str, ...] = ()

    @classmethod
    def pack(cls, modules: Sequence[str] | None = None) -> Luggage:
        """Return what workers are given: folders, or the files of modules to be sent along."""
        names = ("PYTHONSAFEPATH", "PYTHONPATH")
        usual = {name: os.environ.get(name) for name in names}
        if modules is None:
            return cls(tuple(roots()), environment=usual, beside=tuple(beside()))
        files: dict[str, bytes] = {}
        for name in modules:
            for module in reach(name).modules.values():
                if not module.file:
                    continue
                place = Path(*module.name.split("."))
                folder = place if module.folders else place.parent
                given = [(Path(module.file).name, module.file), *module.data]
                for path, file in given:
                    files[(folder / path).as_posix()] = Path(file).read_bytes()
        return cls(files=files)

    def unpack(self, make_folder: Any) -> None:
        """Look for own code where this says, in a process that has just started."""
        folders = list(self.folders)
        if self.files:
            folders = [str(make_folder())]
            for path, content in self.files.items():
                place = Path(folders[0], path)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
        for name, value in self.environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        look_beside(self.beside)
        if folders:
            look_in(folders)
            search_last(folders)
