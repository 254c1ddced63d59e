"""Things that are written as keys of a mapping: `shift: 2`, or `cutout: {size: 3}`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, SerializerFunctionWrapHandler, WrapSerializer

from harness.components.base import Component


class Keyed(Component):
    """What a key of a mapping names. One of a single setting is written as its value.

    A subclass has a `name` of one value, which is also its module's name and the default.
    """

    name: str

    @classmethod
    def single(cls) -> str | None:
        """Return the name of its only setting, None if it has several."""
        own = [name for name in cls.model_fields if name != "name"]
        return own[0] if len(own) == 1 else None

    @property
    def changes(self) -> bool:
        """Whether it changes anything: with a single setting, unless that is the default."""
        single = type(self).single()
        field = type(self).model_fields[single] if single else None
        return field is None or field.is_required() or getattr(self, str(single)) != field.default


def field_of(kind: type[Keyed], *, said_only: bool = False) -> tuple[Any, Any]:
    """Return type and default of its field in the mapping.

    Args:
        kind: of the things.
        said_only: never write down what changes nothing.
    """
    single = kind.single()
    if single is None:
        about = (kind.__doc__ or "").strip().partition("\n")[0]
        several: Any = Annotated[kind, WrapSerializer(_nameless)]
        unsaid = _idle if said_only else _absent
        return several | None, Field(None, description=about, exclude_if=unsaid)
    field = kind.model_fields[single]
    what: Any = field.annotation
    for limit in field.metadata:
        what = Annotated[what, limit]
    if field.is_required():
        return what | None, Field(None, description=field.description, exclude_if=_absent)
    usual = field.default
    left_out = (lambda value: value == usual) if said_only else None
    return what, Field(usual, description=field.description, exclude_if=left_out)


def _nameless(value: Any, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
    return {key: setting for key, setting in handler(value).items() if key != "name"}


def _absent(value: Any) -> bool:
    """What is not asked for is not written down: identity is not what happens to be installed."""
    return value is None


def _idle(value: Any) -> bool:
    return value is None or not value.changes
