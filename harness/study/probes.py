"""The probes that a study can name."""

from __future__ import annotations

from typing import Annotated, Any, Union

from pydantic import BeforeValidator, Field

from harness.components.base import Component, named
from harness.components.probes import OLD_PROBES
from harness.registry import PROBES as KIND

PROBES: dict[str, type[Component]] = OLD_PROBES | {name: KIND.find(name) for name in KIND.own()}
"""By name."""

_CLASSES: Any = Union[tuple(PROBES.values())]  # noqa: UP007

Probe = Annotated[
    Annotated[_CLASSES, Field(discriminator="name")],
    BeforeValidator(named),
]
