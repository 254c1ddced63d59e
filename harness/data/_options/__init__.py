"""What a study can change of a data set, by name: keys beside the data set's own settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.components.keyed import field_of
from harness.data._options.base import Option
from harness.registry import DATA_OPTIONS


def option_fields() -> dict[str, Any]:
    """Return type and default of the field of each option, by its name."""
    return {n: field_of(DATA_OPTIONS.find(n), said_only=True) for n in DATA_OPTIONS.own()}


def options_in(settings: Mapping[str, Any]) -> list[Option]:
    """Return the options that change something, in the order in which they are applied.

    Args:
        settings: values of the fields of a data set, by name.
    """
    found = []
    for name in DATA_OPTIONS.own():
        value, kind = settings.get(name), DATA_OPTIONS.find(name)
        if value is not None:
            single = kind.single()
            option = value if single is None else kind.model_validate({single: value})
            found += [option] if option.changes else []
    return found


__all__ = ["Option", "option_fields", "options_in"]
