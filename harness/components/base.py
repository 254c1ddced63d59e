"""What every part of a study file has in common."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict

FUNCTION = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
"""How a user's own function is named."""


class Component(BaseModel):
    """A part of a study file: unknown keys are mistakes, values are not coerced.

    What checks it is built when it is first needed: most parts are only checked within a whole.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


def read_as(model: type[Any], value: Any) -> Any:
    """Return what a value of a study file means to a model; an object of the model stays."""
    if isinstance(value, model):
        return value
    key: Any = model  # a class is hashable, whatever its metaclass says
    return _read(key, json.dumps(value))


@lru_cache(maxsize=4096)  # what the arms of a study share is read once; nothing changes it
def _read(model: Any, text: str) -> Any:
    return model.model_validate_json(text, strict=True)


def named(value: Any) -> Any:
    """Let `model: mlp` stand for `model: {name: mlp}`."""
    return {"name": value} if isinstance(value, str) else value


def unsaid(value: Any) -> bool:
    """What is not said is not written down, so that trials keep their identity."""
    return not value
