"""Names that installed packages add to study files, by standard entry points.

A package that has in its pyproject.toml

    [project.entry-points."harness.models"]
    acme_net = "acme.nets:network"

lets a study say `model: {name: acme_net, settings: {...}}`, which is the same as naming the
function itself, `acme.nets:network`. Only the metadata of packages are read here: their code is
imported where a trial of a study that names it is trained, and never for a study that does not.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

Kind = Literal[
    "models",
    "adapters",
    "data",
    "optimizers",
    "schedules",
    "losses",
    "metrics",
    "augmentations",
    "tasks",
    "probes",
    "measures",
    "hypotheses",
    "designs",
    "samplers",
    "pruners",
    "panels",
    "figures",
    "launchers",
]
GROUPS: Mapping[Kind, str] = {kind: f"harness.{kind}" for kind in get_args(Kind)}


@dataclass(frozen=True)
class Plugin:
    """A registered name: the function that it stands for, and the package that says so."""

    name: str
    function: str
    package: str
    group: str

    @property
    def is_class(self) -> bool:
        """Whether it is a class of settings and code, which names of classes begin like."""
        return self.function.rpartition(":")[2][:1].isupper()

    def about(self) -> str | None:
        """Return the first line of its docstring, empty if it has none; nothing is imported.

        None if there is no such module, or it is not Python.
        """
        module, _, wanted = self.function.partition(":")
        folders, spec = None, None
        for i, _ in enumerate(parts := module.split(".")):
            name = ".".join(parts[: i + 1])
            spec = PathFinder.find_spec(name, folders) if i else find_spec(name)
            if spec is None:
                return None
            folders = spec.submodule_search_locations
        try:
            tree = ast.parse(Path(spec.origin).read_bytes()) if spec and spec.origin else None
        except (OSError, SyntaxError, ValueError):
            return None
        defined = ast.ClassDef | ast.FunctionDef
        said = [ast.get_docstring(node) for node in (tree.body if tree else ())
                if isinstance(node, defined) and node.name == wanted]  # fmt: skip
        return (said[0] or "").partition("\n")[0] if said else ""


def plugins(kind: Kind) -> dict[str, list[Plugin]]:
    """Return what installed packages register, by name; more than one is a clash."""
    return _read(GROUPS[kind], tuple(sys.path))


@cache
def _read(group: str, path: tuple[str, ...]) -> dict[str, list[Plugin]]:
    del path  # the key: where packages are looked for
    found: dict[str, list[Plugin]] = {}
    for entry in entry_points(group=group):
        package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "unknown"
        known = found.setdefault(entry.name, [])
        if all(plugin.package != package for plugin in known):
            known.append(Plugin(entry.name, entry.value, package, group))
    return dict(sorted(found.items()))


def plugin_of(kind: Kind, name: str) -> Plugin | None:
    """Return what is registered under a name, if anything is.

    Raises:
        ValueError: if two packages register it.
    """
    known = plugins(kind).get(name, [])
    if len(known) > 1:
        packages = " and ".join(plugin.package for plugin in known)
        raise ValueError(f"{packages} both register '{name}'; name the function itself")
    return known[0] if known else None


def registered(kind: Kind, built_in: Collection[str]) -> Callable[[Any], Any]:
    """Return a validator that puts a registered function in the place of its name.

    The name stands alone, or as the `name` of a mapping. What is built in goes first, so that no
    package can change what a study means.
    """

    def replace(value: Any) -> Any:
        if isinstance(value, dict):
            return {**value, "name": replace(value["name"])} if "name" in value else value
        if not isinstance(value, str) or ":" in value or value in built_in:
            return value
        known = plugin_of(kind, value)
        return known.function if known else value

    return replace
