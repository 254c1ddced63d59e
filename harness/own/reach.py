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
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import in_main
from harness.own.lookup import (
    STANDARD,
    CodeMissingError,
    file_digest,
    named_file,
    own_module,
    package_version,
    shadowed,
    stamp,
    submodule,
    top_level,
)


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
            files = [(path, file_digest(file)) for path, file in module.data]
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
    if top in STANDARD:
        return f"Python {sys.version_info.major}.{sys.version_info.minor}"
    return f"{package_version(top)} {named_file(module)}"


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
    if top in packages or top in STANDARD:
        if top != "harness" and (own := own_module(top)):
            raise CodeMissingError(shadowed(name, top, own))
    elif module == "__main__":
        raise CodeMissingError(in_main(name.partition(":")[2]))
    elif module not in modules:
        parts = module.split(".")
        above = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
        lacking = next(one for one in above if one not in modules)
        raise CodeMissingError(
            f"'{name}' cannot be found: No module named '{lacking}'; modules are looked for where "
            "Python is installed, here, and beside the study file"
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
            place = top_level(name, packages) if parent is None else submodule(parent.folders, name)
            if place is None:
                return None
            modules[name] = _module(name, *place, waiting)
        parent = modules[name]
    return parent


def _module(name: str, file: str, folders: tuple[str, ...], waiting: list[str]) -> Module:
    if not file.endswith(".py"):
        return Module(name, file, folders, file_digest(file) if file else "")
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
        inside = folder.resolve() in place.resolve().parents
        if not path or Path(path).is_absolute() or not inside:
            raise CodeMissingError(
                f"the module '{name}' declares '{path}' in DATA_FILES; expected a path from the "
                "folder that the module lies in, to a file there or below"
            )
        if not place.exists():
            raise CodeMissingError(
                f"the module '{name}' declares '{path}' in DATA_FILES, and '{place}' does not exist"
            )
        files = sorted(place.rglob("*")) if place.is_dir() else [place]
        for found in files:
            if found.is_file():
                yield found.relative_to(folder).as_posix(), str(found)


# --- what a module says --------------------------------------------------------------------------
def _source(file: str) -> _Source:
    """Read a module, once for as long as its file does not change.

    Raises:
        SyntaxError: if it is not Python.
        ValueError: likewise.
    """
    return _read(file, *stamp(file))


@cache
def _read(file: str, _size: int, _changed: int) -> _Source:
    return read_source(Path(file).read_bytes(), file)


def read_source(source: bytes, file: str, *, described: bool = True) -> _Source:
    """Read what a module imports, declares and is.

    Args:
        source: of the module.
        file: that holds it.
        described: whether descriptions of settings, `Field(description=...)`, count.

    Raises:
        SyntaxError: if it is not Python.
        ValueError: likewise.
    """
    tree = ast.parse(source, file)
    try:
        program = repr(_program(tree if described else _Undescribed().visit(tree))).encode()
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
        tuple(found for node in _running(tree) if (found := _imported(node)) is not None),
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


class _Undescribed(ast.NodeTransformer):
    """Leaves out the descriptions of settings."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Leave out the description of a field."""
        self.generic_visit(node)
        if getattr(node.func, "id", "") == "Field":
            node.keywords = [one for one in node.keywords if one.arg != "description"]
        return node


_DOCUMENTED = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield every node but those that only a type checker reads."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        children = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.If):
            named = getattr(node.test, "attr", getattr(node.test, "id", ""))
            children = [*node.orelse] if named == "TYPE_CHECKING" else children
        waiting += children


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
