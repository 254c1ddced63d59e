"""Named arrays, such as the products of stages, as bytes."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.trial import PRODUCTS, Products


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


def pack_products(products: Products) -> bytes:
    """Serialize the products of a stage, whose arrays are named by product: `weights/0.bias`."""
    return pack_arrays({f"{p}/{key}": a for p, part in products.items() for key, a in part.items()})


def unpack_products(
    data: bytes, wanted: Collection[str] | None = None
) -> dict[str, dict[str, NDArray[Any]]]:
    """Rebuild the products that are wanted, or all; the first databases held weights alone.

    Raises:
        ArraysDamagedError: as `unpack_arrays`.
    """
    found: dict[str, dict[str, NDArray[Any]]] = {}
    for name, array in unpack_arrays(data).items():
        product, slash, key = name.partition("/")
        if not slash or product not in (*PRODUCTS, "normalization"):
            product, key = "weights", name
        if wanted is None or product in wanted:
            found.setdefault(product, {})[key] = array
    return found
