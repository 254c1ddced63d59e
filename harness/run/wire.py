"""Messages of Protocol Buffers, field by field, without their generated classes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield number and value of the fields of a message: whole numbers as such, all else as bytes.

    Raises:
        IndexError: if the message is cut off, or none.
    """
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        kind = key & 7
        if kind == 0:
            value, place = _varint(data, place)
            yield key >> 3, value
            continue
        if kind == 2:
            size, place = _varint(data, place)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise IndexError(f"a field of the kind {kind}")
        if place + size > len(data):
            raise IndexError("a field is cut off")
        yield key >> 3, data[place : place + size]
        place += size


def unpacked(form: str, data: bytes) -> float:
    """Return the number that bytes hold, by a form of `struct`."""
    (value,) = struct.unpack(form, data)
    return float(value)


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
