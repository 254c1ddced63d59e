"""What a probe shows of a network's inside: named arrays, as the lists that a record keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Details = Mapping[str, Sequence[Any]]
"""As `harness.trial.Record.details`: lists of numbers or of texts by name."""

Parts = Mapping[str, NDArray[Any] | Sequence[str]]
"""What a probe shows, by name: arrays of finite numbers, of any shape, and lists of texts."""

TEXTS = {"texts", "tokens"}
"""Names of parts that are texts; all others are numbers."""

_PREFIX, _SHAPE = "inside", "shape"


def as_details(probe: str, parts: Parts) -> dict[str, Any]:
    """Return what a probe shows as lists: arrays are flattened, with their shapes beside them."""
    details: dict[str, Any] = {}
    for name, part in parts.items():
        key = f"{_PREFIX}.{probe}.{name}"
        details[key] = part.ravel().tolist() if isinstance(part, np.ndarray) else list(part)
        if isinstance(part, np.ndarray) and part.ndim != 1:
            details[f"{key}.{_SHAPE}"] = list(part.shape)
    return details


def exhibit(details: Details, probe: str, names: Sequence[str]) -> dict[str, NDArray[Any]] | None:
    """Return the parts that a probe left in a record's details, each an array of its shape.

    None if any of the named ones is missing, has not as many values as its shape says, or is text
    where it should be numbers: records may come from elsewhere.
    """
    found = {}
    for name in names:
        key = f"{_PREFIX}.{probe}.{name}"
        if key not in details:
            return None
        values = np.asarray(details[key])
        shape = details.get(f"{key}.{_SHAPE}", values.shape)
        kinds = "U" if name in TEXTS else "biuf"
        if values.size != np.prod(shape, dtype=np.int64) or values.dtype.kind not in kinds:
            return None
        found[name] = values.reshape(tuple(int(side) for side in shape))
    return found
