"""What each test example came out as, in few bytes: a bit each where it is right or wrong."""

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
_BITS, _NUMBERS = "bits", "float32"


def pack_outcomes(outcomes: Outcomes) -> bytes:
    """Serialize numbers by metric: a line of JSON, and the numbers one after the other, compressed.

    Numbers that are all 0 or 1 take a bit each, others four bytes.

    Args:
        outcomes: by metric, of shape (examples,) each.
    """
    named, parts = [], []
    for metric, values in outcomes.items():
        is_bits = bool(np.isin(values, (0, 1)).all())
        named.append([metric, _BITS if is_bits else _NUMBERS, len(values)])
        packed = np.packbits(values.astype(bool)) if is_bits else values.astype("<f4")
        parts.append(packed.tobytes())
    return zlib.compress(b"\n".join([json.dumps(named).encode(), b"".join(parts)]), 9)


def unpack_outcomes(data: bytes) -> dict[str, NDArray[np.float32]]:
    """Rebuild the numbers from `pack_outcomes`.

    Raises:
        ArraysDamagedError: if the bytes are none of its.
    """
    try:
        unpacked = _unpacked(data)
        line, _, rest = unpacked.partition(b"\n")
        found, start = {}, 0
        for metric, kind, count in json.loads(line):
            end = start + _size(kind, count)
            found[str(metric)] = _numbers(rest[start:end], kind, count)
            start = end
        if start != len(rest):
            raise ValueError("their number differs")
    except (zlib.error, ValueError, TypeError) as error:
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
    if kind not in (_BITS, _NUMBERS) or type(count) is not int or count < 0:
        raise ValueError("they are of an unknown kind")
    return -(-count // 8) if kind == _BITS else 4 * count


def _numbers(data: bytes, kind: str, count: int) -> NDArray[np.float32]:
    if kind == _BITS:
        bits = np.unpackbits(np.frombuffer(data, np.uint8), count=count)
        return bits.astype(np.float32)
    return np.frombuffer(data, "<f4").astype(np.float32)
