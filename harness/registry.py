"""What a study can name: one module for each thing, found by its name, imported when it is needed.

The built-in things of a kind are the modules of its package; packages of others register theirs by
entry points (`harness.tasks` and so on). Names are known without importing anything.
"""

from __future__ import annotations

import json
import pkgutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Annotated, Any, Union, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    SerializeAsAny,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

SHARED = ("base",)
"""Modules of a package that are no things of their own."""


@dataclass(frozen=True)
class Kind:
    """A kind of things, such as tasks: the package that holds the built-in ones.

    `group` is that of the entry points by which other packages add theirs.
    """

    name: str
    package: str

    @property
    def group(self) -> str:
        """The group of entry points."""
        return f"harness.{self.name}"

    def names(self) -> list[str]:
        """Return the names of all things of this kind, the built-in ones first."""
        return [*_built_in(self.package), *(n for n in self.registered() if n not in self.own())]

    def own(self) -> tuple[str, ...]:
        """Return the names of the built-in things."""
        return _built_in(self.package)

    def registered(self) -> Mapping[str, EntryPoint]:
        """Return what installed packages register, by name; what is built in goes first."""
        return _registered(self.group, tuple(sys.path))

    def find(self, name: str) -> type[Any]:
        """Import the thing of a name and return its class.

        Raises:
            KeyError: if nothing of this kind has the name.
        """
        if name in self.own():
            return _class_of(f"{self.package}.{name}", name)
        entry = self.registered()[name]
        found: type[Any] = entry.load()
        return found


TASKS = Kind("tasks", "harness.tasks")
PROBES = Kind("probes", "harness.probes")


@cache
def _built_in(package: str) -> tuple[str, ...]:
    spec = find_spec(package)
    assert spec is not None
    places = spec.submodule_search_locations or []
    names = sorted(module.name for module in pkgutil.iter_modules(places))
    return tuple(name for name in names if name not in SHARED and not name.startswith("_"))


@cache
def _registered(group: str, path: tuple[str, ...]) -> Mapping[str, EntryPoint]:
    del path  # the key: where packages are looked for
    return {entry.name: entry for entry in entry_points(group=group)}


@cache
def _class_of(module: str, name: str) -> type[Any]:
    """Return the class of a module whose field `name` has this one value."""
    for value in vars(import_module(module)).values():
        if isinstance(value, type) and issubclass(value, BaseModel):
            field = value.model_fields.get("name")
            if field is not None and get_args(field.annotation) == (name,):
                return value
    raise LookupError(f"{module} has no class with the field `name: Literal['{name}']`")


def setting(kind: Kind) -> Any:
    """Return the type of a field that names a thing of a kind, as pydantic checks it.

    The built-in things are a union, told apart by `name`; a registered one is imported where a
    study names it, and never for a study that does not.
    """
    classes = tuple(kind.find(name) for name in kind.own())
    union = Annotated[Union[classes], Field(discriminator="name")]  # type: ignore[valid-type]  # noqa: UP007

    def registered(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        name = value.get("name") if isinstance(value, dict) else None
        if name is None or name in kind.own() or name not in kind.registered():
            return handler(value)
        return kind.find(name).model_validate_json(json.dumps(value), strict=True)

    named = BeforeValidator(lambda value: {"name": value} if isinstance(value, str) else value)
    return SerializeAsAny[Annotated[union, WrapValidator(registered), named]]  # type: ignore[misc]
