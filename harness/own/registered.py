"""Classes that other packages register: how they are imported, and what has to be right of them."""

from __future__ import annotations

import sys
from inspect import get_annotations
from typing import Any, cast, get_args

from pydantic import BaseModel

from harness.formatting import listed
from harness.own.imports import ChangedCodeError, UnseenCodeError, missing, own_function
from harness.plugins import Plugin


def load(plugin: Plugin, base: type[Any], *, may_be_other: bool) -> type[Any]:
    """Import a registered class, and check that it is what a study can name.

    Args:
        plugin: what registers it.
        base: what it is derived from, beside a model of pydantic.
        may_be_other: whether it may stand for a function instead, as a network's class does.

    Raises:
        ValueError: if it is not there or not right; the message names the entry point.
    """
    module, _, attribute = plugin.function.partition(":")
    where = f"entry point {plugin.group} {plugin.name} ({plugin.package}): "
    held = sys.modules.get(module)
    try:
        found = own_function(plugin.function) if held is None else getattr(held, attribute)
    except (UnseenCodeError, ChangedCodeError):
        raise
    except Exception as error:
        said = missing(error) or f"{type(error).__name__}: {error}"
        raise ValueError(f"{where}{plugin.function} cannot be imported: {said}") from error
    if may_be_other and not (isinstance(found, type) and issubclass(found, BaseModel)):
        return cast("type[Any]", found)
    wrong = _mistake(found, base, plugin.name)
    if wrong is not None:
        raise ValueError(f"{where}{wrong}")
    return cast("type[Any]", found)


def _mistake(found: Any, base: type[Any], name: str) -> str | None:
    """Say why a study cannot name a class of this base; None if it can."""
    if not isinstance(found, type):
        return f"{found!r} is no class"
    if base is object:  # a section or a figure, which has no settings
        return None
    said = f"class {found.__name__}"
    if not issubclass(found, base):
        return f"{said} is not derived from {base.__module__}.{base.__name__}"
    if not issubclass(found, BaseModel):
        return f"{said} has no settings: derive it from harness.components.Component as well"
    field = found.model_fields.get("name")
    names = get_args(field.annotation) if field else (getattr(found, "name", None),)
    if names != (name,):
        says = " or ".join(f"'{one}'" for one in names if one is not None)
        wanted = f"write `name: Literal['{name}'] = '{name}'`"
        return f"{said} says name {says}" if says else f"{said} does not say its name; {wanted}"
    declared = [item for above in found.__mro__ for item in get_annotations(above).items()]
    lacking = [
        f"`{attribute}`"
        for attribute, kind in declared
        if str(kind).startswith("ClassVar") and not hasattr(found, attribute)
    ]
    return f"{said} has no {listed(sorted(lacking), 'or')}" if lacking else None
