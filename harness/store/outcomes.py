"""What each test example came out as, in few bytes.

A bit where it is right or wrong; two bytes where it is a number, which is then known to one part in
2,000 and to a 33-millionth of the largest; one or four where it is a count, such as a cluster.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.store.arrays import ArraysDamagedError
from harness.store.checksums import columns, damage, is_whole, of_trial
from harness.store.connection import Connection
from harness.trial import Outcomes

LARGEST = 256 * 2**20
"""Bytes that outcomes of a trial may unpack to."""
_BITS, _HALVES, _NUMBERS = "bits", "float16", "float32"
_COUNTS = {"uint8": "u1", "int32": "<i4"}
_DTYPES = {_HALVES: "<f2", _NUMBERS: "<f4", **_COUNTS}


def pack_outcomes(outcomes: Outcomes) -> bytes:
    """Serialize numbers by metric: a line of JSON, and the numbers one after the other, compressed.

    Numbers are divided by the largest; those that are equal to another metric's are written once.
    Numbers that are not finite, and of versions before, take four bytes.

    Args:
        outcomes: by metric, of shape (examples,) each.
    """
    named: list[list[Any]] = []
    parts: list[bytes] = []
    for metric, values in outcomes.items():
        kind, scale = _kind(values)
        if kind == _BITS:
            data = np.packbits(values.astype(bool)).tobytes()
        else:
            data = np.asarray(values / scale if scale else values, _DTYPES[kind]).tobytes()
        entry = [metric, kind, len(values), scale]
        same = next((i for i, part in enumerate(parts) if part and part == data), None)
        if same is not None and named[same][1:] == entry[1:]:
            entry, data = [*entry, same], b""
        named.append(entry)
        parts.append(data)
    return zlib.compress(b"\n".join([json.dumps(named).encode(), b"".join(parts)]), 9)


def unpack_outcomes(data: bytes) -> dict[str, NDArray[Any]]:
    """Rebuild the numbers from `pack_outcomes`.

    Raises:
        ArraysDamagedError: if the bytes are none of its.
    """
    try:
        unpacked = _unpacked(data)
        line, _, rest = unpacked.partition(b"\n")
        found: dict[str, NDArray[Any]] = {}
        start = 0
        for metric, kind, count, *more in json.loads(line):
            scale, same = [*more, None, None][:2]
            if same is not None:
                found[str(metric)] = list(found.values())[same]
                continue
            end = start + _size(kind, count)
            found[str(metric)] = _numbers(rest[start:end], kind, count, scale)
            start = end
        if start != len(rest):
            raise ValueError("their number differs")
    except (zlib.error, ValueError, TypeError, IndexError) as error:
        raise ArraysDamagedError(str(error) or type(error).__name__) from None
    return found


def read_outcomes(connection: Connection, trial_ids: Iterable[str]) -> dict[str, Outcomes]:
    """Return the outcomes of those trials that have any.

    Raises:
        StoreError: if some are not as they were written.
    """
    query = f"SELECT {columns('outcomes')} FROM outcomes WHERE trial_id = ?"
    found: dict[str, Outcomes] = {}
    for trial_id in dict.fromkeys(trial_ids):
        row = connection.execute(query, (trial_id,)).fetchone()
        if row is None:
            continue
        try:
            if not is_whole(row):
                raise ArraysDamagedError("their checksum differs")
            found[trial_id] = unpack_outcomes(row[1])
        except ArraysDamagedError:
            what = f"what came of the test examples in {of_trial(connection, trial_id)}"
            raise damage(connection, what) from None
    return found


def _unpacked(data: bytes) -> bytes:
    reader = zlib.decompressobj()
    found = reader.decompress(data, LARGEST)
    if not reader.eof:
        raise ValueError("they are cut off, or too large")
    return found


def _size(kind: Any, count: Any) -> int:
    if kind not in (_BITS, *_DTYPES) or type(count) is not int or count < 0:
        raise ValueError("they are of an unknown kind")
    return -(-count // 8) if kind == _BITS else np.dtype(_DTYPES[kind]).itemsize * count


def _kind(values: NDArray[Any]) -> tuple[str, float | None]:
    """Return how numbers are written, and what they are divided by before, if they are."""
    if np.isin(values, (0, 1)).all():
        return _BITS, None
    if values.dtype.kind in "iu":
        return ("uint8" if values.min() >= 0 and values.max() < 256 else "int32"), None
    largest = float(np.abs(values).max())
    return (_HALVES, largest) if np.isfinite(largest) else (_NUMBERS, None)


def _numbers(data: bytes, kind: str, count: int, scale: float | None) -> NDArray[Any]:
    if kind == _BITS:
        bits = np.unpackbits(np.frombuffer(data, np.uint8), count=count)
        return bits.astype(np.float32)
    found = np.frombuffer(data, _DTYPES[kind])
    if kind in _COUNTS:
        return found.astype(np.int32)
    return (found.astype(np.float64) * (scale or 1.0)).astype(np.float32)
