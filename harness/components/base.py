"""What every part of a study file has in common."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

FUNCTION = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
"""How a user's own function is named."""


class Component(BaseModel):
    """A part of a study file: unknown keys are mistakes, values are not coerced.

    What checks it is built when it is first needed: most parts are only checked within a whole.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


def named(value: Any) -> Any:
    """Let `model: mlp` stand for `model: {name: mlp}`."""
    return {"name": value} if isinstance(value, str) else value


def unsaid(value: Any) -> bool:
    """What is not said is not written down, so that trials keep their identity."""
    return not value
