"""Named arrays as bytes."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


class ArraysDamagedError(ValueError):
    """Bytes that do not hold the arrays that were packed."""


def pack_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Serialize named arrays as an .npz file, which holds plain numbers and no code."""
    file = io.BytesIO()
    # The names stand in an array of their own: as keywords some would be arguments of savez.
    np.savez(file, *arrays.values(), names=np.array(list(arrays), dtype=np.str_))
    return file.getvalue()


def unpack_arrays(data: bytes) -> dict[str, NDArray[Any]]:
    """Rebuild named arrays from `pack_arrays`, in their order.

    Raises:
        ArraysDamagedError: if the bytes are not as they were written, which a checksum tells.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            names = [str(name) for name in file["names"]]
            return {name: file[f"arr_{index}"] for index, name in enumerate(names)}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, KeyError, ValueError) as error:
        raise ArraysDamagedError(str(error) or type(error).__name__) from None
