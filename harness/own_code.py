"""What identifies a user's own code: every module of theirs that a named function reaches.

Nothing is imported to find it out: imports are read from the source of each module, also those
inside functions and conditions. Modules are compared as programs, so that comments, docstrings and
the layout of lines do not count. A module may declare files that it reads, beside it or below:

    DATA_FILES = ["weights.csv"]

A module is looked for where Python has its own, then where packages are installed, then among the
user's. An installed package is identified by its version, and is not looked into.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import os
import site
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    BuiltinImporter,
    FrozenImporter,
    PathFinder,
)
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

_SUFFIXES = (*EXTENSION_SUFFIXES, *SOURCE_SUFFIXES, *BYTECODE_SUFFIXES)
_STANDARD = sys.stdlib_module_names | set(sys.builtin_module_names)
_KNOWN = {"harness", "matplotlib", "numpy", "pandas", "scipy", "sklearn", "torch", "torchvision"}
"""Installed packages that a name means to everybody, whatever else lies in the folder."""


class CodeMissingError(ModuleNotFoundError):
    """A user's own function is not to be found, or it cannot be told what it is."""


@dataclass(frozen=True)
class Module:
    """One module of the user's own.

    Attributes:
        name: with dots.
        file: that holds it; empty for a folder without an `__init__.py`.
        folders: where its submodules are; empty if it is no package.
        digest: of its program.
        data: the files that it declares, by their path from its folder.
    """

    name: str
    file: str
    folders: tuple[str, ...]
    digest: str = ""
    data: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Reach:
    """What a function's module reaches: modules of the user's own, and installed packages."""

    modules: Mapping[str, Module]
    packages: frozenset[str]

    @property
    def version(self) -> str:
        """Digest of all modules and of the files that they declare (16 hexadecimal digits)."""
        hashed = hashlib.sha256()
        for name, module in sorted(self.modules.items()):
            files = [(path, _file_digest(file)) for path, file in module.data]
            hashed.update(repr((name, module.digest, files)).encode())
        return hashed.hexdigest()[:16]


@dataclass(frozen=True)
class _Source:
    """What is read from the source of one module."""

    digest: str
    imports: tuple[tuple[int, str, tuple[str, ...]], ...]
    """For each import: the dots in front, the module, the names that are taken from it."""
    exports: tuple[str, ...]
    data: tuple[str, ...]
    names: frozenset[str]
    defined: tuple[str, ...]


def source_version(name: str) -> str:
    """Return what identifies a function `package.module:function`, without importing anything.

    Raises:
        CodeMissingError: if there is no such module, or no such name in it, or if a file that it
            declares is not there.
    """
    module, _, function = name.partition(":")
    found = reach(name)
    if module in found.modules:
        file = found.modules[module].file
        if file.endswith(".py"):
            _check_name(_source(file), module, function)
        return found.version
    top = module.partition(".")[0]
    if top in _STANDARD:
        return f"Python {sys.version_info.major}.{sys.version_info.minor}"
    return f"{package_version(top)} {_named_file(module)}"


def reach(name: str) -> Reach:
    """Return what is reached from the module of `package.module:function`, by imports.

    Raises:
        CodeMissingError: if the module is not to be found, or one of them is not valid Python, or
            is named like an installed one.
    """
    module = name.partition(":")[0]
    modules: dict[str, Module] = {}
    packages: set[str] = set()
    waiting = [module]
    while waiting:
        dotted = waiting.pop()
        star = dotted.endswith(".*")
        found = _visit(dotted.removesuffix(".*"), modules, packages, waiting)
        if star and found is not None and found.file.endswith(".py"):
            waiting += [f"{found.name}.{export}" for export in _source(found.file).exports]
    top = module.partition(".")[0]
    if top in packages or top in _STANDARD:
        if top != "harness" and (own := _own(top)):
            raise CodeMissingError(_shadowed(name, top, own))
    elif module not in modules:
        parts = module.split(".")
        above = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
        lacking = next(one for one in above if one not in modules)
        raise CodeMissingError(
            f"'{name}' cannot be found: No module named '{lacking}'; modules are looked for where "
            "Python is installed, and here"
        )
    return Reach(modules, frozenset(packages))


def _visit(
    dotted: str, modules: dict[str, Module], packages: set[str], waiting: list[str]
) -> Module | None:
    """Add a module and its parent packages; return it if it is one of the user's own."""
    parent: Module | None = None
    parts = dotted.split(".")
    for count in range(1, len(parts) + 1):
        name = ".".join(parts[:count])
        if name not in modules:
            place = _top(name, packages) if parent is None else _below(parent.folders, name)
            if place is None:
                return None
            modules[name] = _module(name, *place, waiting)
        parent = modules[name]
    return parent


def _module(name: str, file: str, folders: tuple[str, ...], waiting: list[str]) -> Module:
    if not file.endswith(".py"):
        return Module(name, file, folders, _file_digest(file) if file else "")
    try:
        source = _source(file)
    except (SyntaxError, ValueError) as error:
        raise CodeMissingError(f"the module '{name}' is not valid Python: {error}") from None
    package = name if folders else name.rpartition(".")[0]
    for level, base, names in source.imports:
        above = _above(package, level)
        if above is None:
            continue
        start = ".".join(filter(None, [above, base]))
        waiting += [start, *(f"{start}.{taken}" for taken in names)] if start else [*names]
    return Module(name, file, folders, source.digest, tuple(_data_files(name, file, source.data)))


def _above(package: str, level: int) -> str | None:
    """Return the package that so many dots stand for; None if they lead out of it."""
    parts = package.split(".") if package else []
    if level > len(parts):
        return None
    return ".".join(parts[: len(parts) - level + 1]) if level else ""


def _data_files(name: str, file: str, declared: Sequence[str]) -> Iterator[tuple[str, str]]:
    folder = Path(file).parent
    for path in declared:
        place = folder / path
        inside = place.resolve().is_relative_to(folder.resolve())
        if not path or Path(path).is_absolute() or not inside:
            raise CodeMissingError(
                f"the module '{name}' declares '{path}' in DATA_FILES; expected a path from the "
                "folder that the module lies in, to a file there or below"
            )
        if not place.exists():
            raise CodeMissingError(
                f"the module '{name}' declares '{path}' in DATA_FILES, and '{place}' does not exist"
            )
        below = sorted(place.rglob("*")) if place.is_dir() else [place]
        for found in below:
            if found.is_file():
                yield found.relative_to(folder).as_posix(), str(found)


# --- where a module is ---------------------------------------------------------------------------
_given: list[str] = []
added: set[str] = set()
"""What own code put into the search path of modules. Nothing is looked for there beforehand:
identity must not depend on what a process ran before."""


def look_in(folders: Sequence[str]) -> None:
    """Set the folders that own modules are looked for in, instead of those of this process."""
    _given[:] = folders


def roots() -> list[str]:
    """Return the folders that own modules are looked for in, in order; the working folder last."""
    if _given:
        return list(_given)
    entries = [entry for entry in sys.path if entry not in added and os.path.isdir(entry or ".")]
    found = [folder for entry in entries if not is_installed(folder := os.path.abspath(entry))]
    return list(dict.fromkeys([*found, os.getcwd()]))


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


def _top(name: str, packages: set[str]) -> tuple[str, tuple[str, ...]] | None:
    """Find a module without dots: its file and folders; None if it is not the user's own."""
    if name in _STANDARD or name in packages or not name:
        return None
    if name == "harness":
        packages.add(name)
        return None
    place, own = _elsewhere(name), _own(name)
    if place is None:
        return own or _namespace(roots(), name)
    file, folders = place
    if own is not None and name not in _KNOWN and not os.path.samefile(own[0], file):
        raise CodeMissingError(_shadowed(name, name, own))
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
    return name in _STANDARD or _elsewhere(name) is not None


def _is_editable(finder: Any) -> bool:
    """Tell whether a finder is one that an editable installation put there."""
    kind = finder if isinstance(finder, type) else type(finder)
    return "editable" in kind.__module__.lower() or "editable" in kind.__name__.lower()


def _own(name: str) -> tuple[str, tuple[str, ...]] | None:
    """Find a module in the user's folders: its file and folders."""
    for root in roots():
        if found := _look(root, name):
            return found
    return None


def _below(folders: Sequence[str], dotted: str) -> tuple[str, tuple[str, ...]] | None:
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


def _shadowed(name: str, top: str, own: tuple[str, tuple[str, ...]]) -> str:
    kind = "one of Python's own modules" if top in _STANDARD else "an installed package"
    where = os.path.relpath(own[0])
    return (
        f"'{name}' is not your '{where}': '{top}' is also the name of {kind}, which goes first; "
        "rename your module, so that it is clear which one is meant"
    )


def _named_file(module: str) -> str:
    """Hash the file of an installed module."""
    top, _, rest = module.partition(".")
    place = _elsewhere(top)
    file = "" if place is None else place[0]
    for part in filter(None, rest.split(".")):
        found = _look(os.path.dirname(file), part) if file else None
        file = found[0] if found else ""
    if not file:
        raise CodeMissingError(f"'{module}' cannot be found where Python is installed")
    return _file_digest(file)


@cache
def package_version(module: str) -> str:
    """Return the name and version of the installed package that holds a top-level module."""
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


# --- what a module says --------------------------------------------------------------------------
def _stamp(file: str) -> tuple[int, int]:
    state = os.stat(file)
    return state.st_size, state.st_mtime_ns


def _source(file: str) -> _Source:
    """Read a module, once for as long as its file does not change.

    Raises:
        SyntaxError: if it is not Python.
        ValueError: likewise.
    """
    return _read(file, *_stamp(file))


@cache
def _read(file: str, _size: int, _changed: int) -> _Source:
    return read_source(Path(file).read_bytes(), file)


def _file_digest(file: str) -> str:
    return _hash(file, *_stamp(file))


@cache
def _hash(file: str, _size: int, _changed: int) -> str:
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()[:16]


def read_source(source: bytes, file: str) -> _Source:
    """Read what a module imports, declares and is.

    Raises:
        SyntaxError: if it is not Python.
        ValueError: likewise.
    """
    tree = ast.parse(source, file)
    try:
        program = repr(_program(tree)).encode()
    except RecursionError:  # an expression of a thousand terms
        program = source
    nodes = list(ast.walk(tree))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    defined = [node.name for node in nodes if isinstance(node, kinds)]
    names = {node.id for node in nodes if isinstance(node, ast.Name)} | set(defined)
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
    return _Source(
        hashlib.sha256(program).hexdigest()[:16],
        tuple(found for node in nodes if (found := _imported(node)) is not None),
        tuple(_texts(tree, "__all__") or ()),
        _declared(tree, file),
        frozenset(names),
        tuple(sorted(set(defined))),
    )


def _program(node: Any) -> Any:
    """Return a syntax tree as plain values, without docstrings and places.

    Fields that are empty are left out: which ones there are depends on the version of Python.
    """
    if isinstance(node, list):
        return [_program(item) for item in node]
    if not isinstance(node, ast.AST):
        return node
    fields = []
    for name, value in ast.iter_fields(node):
        kept = value
        if name == "body" and isinstance(node, _DOCUMENTED) and ast.get_docstring(node, False):
            kept = value[1:]
        if kept is not None and kept != [] and name != "kind":
            fields.append((name, _program(kept)))
    return type(node).__name__, fields


_DOCUMENTED = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _imported(node: ast.AST) -> tuple[int, str, tuple[str, ...]] | None:
    """Return what an import statement, or a call that imports a literal name, imports."""
    if isinstance(node, ast.Import):
        return 0, "", tuple(alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return node.level, node.module or "", tuple(alias.name for alias in node.names)
    if not isinstance(node, ast.Call) or not node.args:
        return None
    called = getattr(node.func, "attr", getattr(node.func, "id", ""))
    name = getattr(node.args[0], "value", None)
    if called not in ("import_module", "__import__") or not isinstance(name, str):
        return None
    package = [*node.args[1:2], *(k.value for k in node.keywords if k.arg == "package")]
    given = getattr(package[0], "value", None) if package else None
    plain = name.lstrip(".")
    level = len(name) - len(plain)
    if level and isinstance(given, str):
        above = _above(given, level)
        return None if above is None else (0, f"{above}.{plain}", ())
    return level, plain, ()


def _assigned(tree: ast.Module, name: str) -> ast.expr | None:
    """Return what a module assigns to a name at its top level, last."""
    found = None
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign | ast.AugAssign):
            targets = [node.target]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            found = getattr(node, "value", None)
    return found


def _texts(tree: ast.Module, name: str) -> list[str] | None:
    """Return the texts of a literal list that a module assigns at its top level."""
    value = _assigned(tree, name)
    if not isinstance(value, ast.List | ast.Tuple):
        return None
    found = [getattr(item, "value", None) for item in value.elts]
    return found if all(isinstance(item, str) for item in found) else None  # type: ignore[return-value]


def _declared(tree: ast.Module, file: str) -> tuple[str, ...]:
    value = _assigned(tree, "DATA_FILES")
    found = _texts(tree, "DATA_FILES")
    if value is not None and found is None:
        raise CodeMissingError(
            f"{os.path.relpath(file)}:{value.lineno}: DATA_FILES is read without running your "
            'module; expected a list of plain texts, such as ["weights.csv"]'
        )
    return tuple(found or ())


def _check_name(source: _Source, module: str, function: str) -> None:
    """Refuse a name that a module's source does not mention."""
    if function not in source.names and "*" not in source.names:
        close = difflib.get_close_matches(function, source.defined, n=1, cutoff=0.5)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        raise CodeMissingError(f"the module '{module}' has no '{function}'{hint}")
