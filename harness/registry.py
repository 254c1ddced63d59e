"""What a study can name: one module for each thing, found by its name, imported when it is needed.

The built-in things of a kind are the modules of its package; packages of others register theirs by
entry points (`harness.tasks` and so on). Names are known without importing anything.
"""

from __future__ import annotations

import ast
import json
import pkgutil
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Union, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    Discriminator,
    SerializeAsAny,
    Tag,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from harness.plugins import Kind as PluginKind
from harness.plugins import Plugin, plugin_of, plugins

SHARED = ("base",)
"""Modules of a package that are no things of their own; so are those that begin with `_`."""

OWN = "custom"
"""What stands in error messages for a function of the user's."""


@dataclass(frozen=True)
class Kind:
    """A kind of things, such as tasks: the package that holds the built-in ones.

    `plugged` is the kind of entry points by which other packages add theirs, if they can.
    """

    package: str
    plugged: PluginKind | None = None

    def own(self) -> tuple[str, ...]:
        """Return the names of the built-in things."""
        return _built_in(self.package)

    def names(self) -> list[str]:
        """Return the names of all things of this kind; a built-in one goes first."""
        others = plugins(self.plugged) if self.plugged is not None else {}
        return list(dict.fromkeys([*self.own(), *others]))

    def plugin(self, name: str) -> Plugin | None:
        """Return what a package registers under a name, unless a thing of that name is built in.

        Raises:
            ValueError: if two packages register it.
        """
        if name in self.own() or self.plugged is None:
            return None
        return plugin_of(self.plugged, name)

    def find(self, name: str) -> type[Any]:
        """Import the thing of a name and return its class.

        Raises:
            KeyError: if nothing of this kind has the name.
            ValueError: if two packages register it.
        """
        if name in self.own():
            return _class_of(f"{self.package}.{name}", name)
        plugin = self.plugin(name)
        if plugin is None or not plugin.is_class:
            raise KeyError(name)
        module, attribute = plugin.function.split(":")
        found: type[Any] = getattr(import_module(module), attribute)
        return found

    def about(self, name: str) -> str:
        """Return what a thing says of itself in a line: the first of its module, or of its class.

        Nothing is imported for a built-in one.

        Raises:
            KeyError: if nothing of this kind has the name.
            ValueError: if two packages register it.
        """
        if name not in self.own():
            return _first_line(self.find(name).__doc__)
        file = _folder(self.package) / name
        file = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
        return _first_line(ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))))


TASKS = Kind("harness.tasks", "tasks")
PROBES = Kind("harness.probes", "probes")
FIGURES = Kind("harness.figures", "figures")
PANELS = Kind("harness.report.panels", "panels")


@cache
def _built_in(package: str) -> tuple[str, ...]:
    names = sorted(module.name for module in pkgutil.iter_modules([str(_folder(package))]))
    return tuple(name for name in names if name not in SHARED and not name.startswith("_"))


def _folder(package: str) -> Path:
    """Return the folder of a package of ours; importing a package to find it may take seconds."""
    return Path(__file__).parent.joinpath(*package.split(".")[1:])


@cache
def _class_of(module: str, name: str) -> type[Any]:
    """Return the class of a module whose field, or class attribute, `name` has this one value."""
    for value in vars(import_module(module)).values():
        if isinstance(value, type) and _says(value, name):
            return value
    raise LookupError(f"{module} has no class with the field `name: Literal['{name}']`")


def _says(value: type[Any], name: str) -> bool:
    if not issubclass(value, BaseModel):
        return bool(vars(value).get("name") == name)
    field = value.model_fields.get("name")
    return field is not None and get_args(field.annotation) == (name,)


def setting(kind: Kind, *, own: type[BaseModel] | None = None, **others: type[BaseModel]) -> Any:
    """Return the type of a field that names a thing of a kind, as pydantic checks it.

    The built-in things are a union, told apart by `name`; a registered one is imported where a
    study names it, and never for a study that does not.

    Args:
        kind: of the things.
        own: settings of a function of the user's, `package.module:function`. A registered function
            stands for its address.
        others: things that are no module of the kind's package, by their names.
    """
    classes = {name: kind.find(name) for name in kind.own()} | others
    tagged = [Annotated[one, Tag(name)] for name, one in classes.items()]
    if own is not None:
        tagged.append(Annotated[own, Tag(OWN)])
    union = Annotated[Union[tuple(tagged)], Discriminator(_tag)]  # type: ignore[valid-type]  # noqa: UP007

    def registered(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        name = value.get("name") if isinstance(value, dict) else None
        plugin = kind.plugin(name) if isinstance(name, str) and name not in classes else None
        if plugin is None:
            return handler(value)
        if not plugin.is_class:
            return handler({**value, "name": plugin.function})
        return kind.find(plugin.name).model_validate_json(json.dumps(value), strict=True)

    named = BeforeValidator(lambda value: {"name": value} if isinstance(value, str) else value)
    return SerializeAsAny[Annotated[union, WrapValidator(registered), named]]  # type: ignore[misc]


def _tag(value: Any) -> str | None:
    name = value.get("name") if isinstance(value, dict) else getattr(value, "name", None)
    return None if name is None else OWN if ":" in str(name) else str(name)


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]
