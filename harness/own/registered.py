"""Classes that other packages register: how they are imported, and what has to be right of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from inspect import get_annotations, getattr_static
from typing import Any, cast, get_args

from pydantic import BaseModel

from harness.errors import nearest
from harness.formatting import listed
from harness.own.imports import ChangedCodeError, UnseenCodeError, missing, own_function
from harness.plugins import Kind, Plugin, plugins


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
        if _is_bare(found):
            raise ValueError(f"{where}{plugin.function} is no {base.__module__}.{base.__name__}")
        return cast("type[Any]", found)
    wrong = _mistake(found, base, plugin.name)
    if wrong is not None:
        raise ValueError(f"{where}{wrong}")
    return cast("type[Any]", found)


def by_address(function: str, kind: Kind | None, find: Callable[[str], type[Any]]) -> str | None:
    """Say by which name a class of settings is to be named that a study names by its address.

    None where nothing of the kind is registered by this address, or it stands for a function.

    Args:
        function: the address, `package.module:Class`.
        kind: of entry points.
        find: imports what has a name.
    """
    for name, found in plugins(kind).items() if kind is not None else ():
        if found[0].function != function or not found[0].is_class:
            continue
        with suppress(ValueError):  # it cannot be imported, which is told where it is used
            known: Any = find(name)
            there = f"{known.__module__}:{known.__qualname__}"
            if there == function and isinstance(known, type) and issubclass(known, BaseModel):
                return f"{function} is registered as '{name}'; write `name: {name}`"
    return None


def _is_bare(found: Any) -> bool:
    """Whether it is a class that inherits nothing, whose objects are not of use as a function's."""
    special = ("__new__", "__call__", "__iter__", "__getitem__")
    return getattr(found, "__mro__", None) == (found, object) and not vars(found).keys() & set(
        special
    )


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
    if lacking:
        return f"{said} has no {listed(sorted(lacking), 'or')}"
    unwritten = _unwritten(found)
    if unwritten:
        methods = listed([f"`{method}`" for method in unwritten], "or")
        ours = [one for one in found.__mro__ if one.__module__.startswith("harness.")]
        others = [name for name in dir(found) if not any(hasattr(one, name) for one in ours)]
        return f"{said} has no method {methods}{nearest(unwritten[0], others)}"
    selects, metrics = getattr(found, "selects", None), getattr(found, "metrics", ())
    known = [metric.name for metric in metrics] if isinstance(metrics, list | tuple) else []
    if isinstance(selects, str) and known and selects not in known:
        close = nearest(selects, known)
        return f"{said}: selects '{selects}' is not among the metrics: {', '.join(known)}{close}"
    return None


_INSTEAD = {"step": "begin", "mean": "meant"}
"""Methods that need not be written where another one is: `begin` says what takes an optimizer's
steps, `meant` which loss is taken in the place of this one."""


def _unwritten(found: type[Any]) -> list[str]:
    """Return the methods that a class has to write and does not.

    They are those that only raise NotImplementedError in the nearest base of ours that has such:
    of `CurveProbe` it is `follow`, and no longer `measure`.
    """
    for base in found.__mro__:
        asked = list(_asked(base)) if base.__module__.startswith("harness.") else []
        if asked:
            kept = vars(base)
            return [
                method
                for method in asked
                if getattr_static(found, method) is kept[method]
                and not _is_written(found, base, _INSTEAD.get(method, ""))
            ]
    return []


def _is_written(found: type[Any], base: type[Any], method: str) -> bool:
    own = getattr_static(base, method, None)
    return own is not None and getattr_static(found, method) is not own


def _asked(base: type[Any]) -> Iterator[str]:
    """Yield the methods and properties of a class that do nothing but raise NotImplementedError."""
    for name, value in list(vars(base).items()):
        function = value.fget if isinstance(value, property) else value
        code = getattr(function, "__code__", None)
        if code is not None and code.co_names == ("NotImplementedError",):
            yield name
