"""Settings of a study file, read by the class that they are of."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any


def read_as(model: type[Any], value: Any) -> Any:
    """Return what a value of a study file means to a model; an object of the model stays."""
    if isinstance(value, model):
        return value
    key: Any = model  # a class is hashable, whatever its metaclass says
    return _read(key, json.dumps(value))


@lru_cache(maxsize=4096)  # what the arms of a study share is read once; nothing changes it
def _read(model: Any, text: str) -> Any:
    return model.model_validate_json(text, strict=True)
