"""Event files of TensorBoard: scalars by tag and step, and hyperparameters.

They are read as what they are, records of TensorFlow's framing with messages of Protocol Buffers in
them (`event.proto`, `summary.proto` and the plugin `hparams` of TensorBoard), of which only these
few fields are looked at; nothing of TensorFlow or TensorBoard needs to be installed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.run.found_runs import PAIR, FoundRun
from harness.run.wire import fields, unpacked

PATTERN = "*tfevents*"
LARGEST_RECORD = 2**28
_HPARAMS = b"hparams"
_FLOAT, _DOUBLE = 1, 2  # types of a tensor


def read_folder(root: Path) -> tuple[list[FoundRun], list[str]]:
    """Read the runs below a folder; each folder with event files is one.

    What `add_hparams` writes to a folder below that of its run belongs to the run.

    Returns:
        the runs, and in sentences what is to be known of all of them.

    Raises:
        ValueError: if a file is no event file.
    """
    found: dict[Path, FoundRun] = {}
    for file in sorted(root.rglob(PATTERN)):
        run = found.setdefault(file.parent, FoundRun(file.parent.relative_to(root).as_posix()))
        try:
            _read_file(file, run)
        except (struct.error, IndexError, UnicodeDecodeError) as error:
            raise ValueError(f"'{file}' is no event file of TensorBoard: {error}") from None
    for folder, run in list(found.items()):
        above = found.get(folder.parent)
        if above is not None and run.settings:
            above.settings |= run.settings
            for tag, steps in run.scalars.items():
                above.scalars.setdefault(tag, steps)
            del found[folder]
    for run in found.values():  # folders of Hydra and others: lr=0.1,seed=3
        run.settings = dict(PAIR.findall(run.folder)) | run.settings
    return list(found.values()), ["Event files do not say whether a run came to its end."]


def _read_file(file: Path, run: FoundRun) -> None:
    for record in _records(file.read_bytes()):
        moment, step = 0.0, 0
        values = []
        for number, value in fields(record):
            if number == 1:
                moment = unpacked("<d", value)
            elif number == 2:
                step = value
            elif number == 5:
                values = [item for place, item in fields(value) if place == 1]
        run.started = min(run.started or moment, moment)
        run.ended = max(run.ended, moment)
        for item in values:
            _take(item, step, run)


def _take(item: bytes, step: int, run: FoundRun) -> None:
    """Take a value of a summary: a scalar of its tag, or hyperparameters."""
    said: Mapping[int, Any] = dict(fields(item))
    plugin = dict(fields(dict(fields(said[9])).get(1, b""))) if 9 in said else {}
    if plugin.get(1) == _HPARAMS:
        run.settings |= _hyperparameters(plugin.get(2, b""))
        return
    number = None
    if 2 in said:
        number = unpacked("<f", said[2])
    elif 8 in said:
        number = _scalar(dict(fields(said[8])))
    if number is not None and 1 in said:
        run.scalars.setdefault(said[1].decode(), {})[step] = number


def _scalar(tensor: Mapping[int, Any]) -> float | None:
    """Return the number that a tensor without axes holds, None for any other."""
    form = {_FLOAT: ("<f", 5), _DOUBLE: ("<d", 6)}.get(tensor.get(1, 0))
    shaped = list(fields(tensor.get(2, b"")))
    if form is None or shaped:
        return None
    data = tensor.get(4) or tensor.get(form[1], b"")
    return unpacked(form[0], data) if len(data) == struct.calcsize(form[0]) else None


def _hyperparameters(content: bytes) -> dict[str, Any]:
    """Return what `SessionStartInfo` of the plugin says: a map from names to values."""
    found: dict[str, Any] = {}
    for number, message in fields(content):
        if number != 3:
            continue
        for place, entry in fields(message):
            if place != 1:
                continue
            pair = dict(fields(entry))
            for kind, value in fields(pair.get(2, b"")):
                if kind == 2:
                    found[pair[1].decode()] = unpacked("<d", value)
                elif kind == 3:
                    found[pair[1].decode()] = value.decode()
                elif kind == 4:
                    found[pair[1].decode()] = bool(value)
    return found


# --- framing ------------------------------------------------------------------------------------
def _records(data: bytes) -> Iterator[bytes]:
    """Yield the records of a file; one that was cut off at its end is none."""
    place = 0
    while place + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        if length > LARGEST_RECORD:
            raise IndexError("a record is too long")
        if place + 16 + length > len(data):
            return
        yield data[place + 12 : place + 12 + length]
        place += 16 + length
