"""Where results come from: the version of the code, of packages, and the machine."""

from __future__ import annotations

import ast
import difflib
import hashlib
import importlib.util
import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PARTS = ("form.py", "seeding.py", "models", "workloads", "train")


@cache
def code_version() -> str:
    """Hash the source of everything that a trial's outcome depends on (16 hexadecimal digits)."""
    package = Path(__file__).parent
    hashed = hashlib.sha256()
    for part in _PARTS:
        root = package / part
        for file in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
            hashed.update(str(file.relative_to(package)).encode())
            hashed.update(file.read_bytes())
    return hashed.hexdigest()[:16]


@cache
def package_version() -> str:
    """Hash the whole package (16 hexadecimal digits): equal ones make equal plans and reports."""
    package = Path(__file__).parent
    hashed = hashlib.sha256()
    for file in sorted(file for file in package.rglob("*") if file.is_file()):
        if file.suffix != ".pyc":
            hashed.update(str(file.relative_to(package)).encode())
            hashed.update(file.read_bytes())
    return hashed.hexdigest()[:16]


class CodeMissingError(ModuleNotFoundError):
    """A user's own function is not to be found."""


def source_version(name: str) -> str:
    """Hash the file of a user's own `package.module:function`, without importing it.

    Raises:
        CodeMissingError: if there is no such module, or no such name at its top level.
    """
    module, _, function = name.partition(":")
    try:
        found = importlib.util.find_spec(module)
        if found is None or found.origin is None:
            raise ModuleNotFoundError(f"No module named '{module}'")
        source = Path(found.origin).read_bytes()
    except Exception as error:  # importing a parent package runs its code, which may raise anything
        raise CodeMissingError(
            f"'{name}' cannot be found: {error}; modules are looked for here and where Python is "
            "installed"
        ) from None
    if found.origin.endswith(".py"):
        _check_name(source, module, function)
    return hashlib.sha256(source).hexdigest()[:16]


def _check_name(source: bytes, module: str, function: str) -> None:
    """Refuse a name that a module's source does not mention, or source that is not Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise CodeMissingError(f"the module '{module}' is not valid Python: {error}") from None
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    defined = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    imported = {
        (alias.asname or alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    if function not in names | defined | imported and "*" not in imported:
        close = difflib.get_close_matches(function, sorted(defined), n=1, cutoff=0.5)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        raise CodeMissingError(f"the module '{module}' has no '{function}'{hint}")


PACKAGES = (
    "harness", "torch", "torchvision", "numpy", "scipy", "scikit-learn", "optuna", "ray", "mlflow",
    "pandas", "transformers",
)  # fmt: skip


def environment() -> dict[str, str]:
    """Return versions and the kind of machine; host names, users and paths stay out."""
    found = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count()),
        "code": code_version(),
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
