"""Runs of Weights & Biases that were logged offline, or whose files are still there.

The package `wandb` writes what a run logs to `run-ID.wandb`: the framing of LevelDB's log format,
with messages of `wandb_internal.proto` in it, of which only settings, history, summary and end are
looked at. Neither the package nor its server is needed.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.levels import flat
from harness.run.found_runs import PAIR, FoundRun, is_number
from harness.run.wire import fields, unpacked

PATTERN = "*.wandb"
_HEADER = struct.pack("<4sHB", b":W&B", 0xBEE1, 0)
_BLOCK = 32768
_FULL, _LAST = 1, 4  # kinds of a chunk: a whole record, the last part of one
_HISTORY, _SUMMARY, _CONFIG, _RUN, _EXIT = 2, 3, 5, 17, 18  # fields of Record


def read_folder(root: Path) -> tuple[list[FoundRun], list[str]]:
    """Read the runs below a folder; a run that was resumed has several files, and is one.

    Returns:
        the runs, and in sentences what is to be known of all of them.

    Raises:
        ValueError: if a file is none of these.
    """
    found: dict[str, _Run] = {}
    files = {file.resolve(): file for file in sorted(root.rglob(PATTERN))}
    for file in files.values():
        try:
            run = _read_file(file)
        except (struct.error, IndexError, KeyError, UnicodeDecodeError, ValueError) as error:
            raise ValueError(f"'{file}' is no file of Weights & Biases: {error}") from None
        run.config = (
            dict(PAIR.findall(file.parent.parent.relative_to(root).as_posix())) | run.config
        )
        if run.id in found:
            found[run.id].resume(run)
        else:
            found[run.id] = run
    notes = []
    if any(run.sweep for run in found.values()):
        notes.append(
            "Some runs are of a sweep: which settings it tried may depend on the results of earlier"
            " ones."
        )
    return [run.told() for run in found.values()], notes


class _Run:
    """What the records of one file say."""

    def __init__(self) -> None:
        self.id = self.name = self.sweep = ""
        self.config: dict[str, Any] = {}
        self.summary: dict[str, Any] = {}
        self.scalars: dict[str, dict[int, float]] = {}
        self.started = self.ended = 0.0
        self.finished = False

    def resume(self, later: _Run) -> None:
        self.config |= later.config
        self.summary |= later.summary
        for name, steps in later.scalars.items():
            self.scalars.setdefault(name, {}).update(steps)
        self.ended, self.finished = later.ended, later.finished

    def told(self) -> FoundRun:
        settings = {n: v for n, v in flat(self.config).items() if not n.startswith("_wandb")}
        final = {n: v for n, v in flat(self.summary).items() if _shown(n) and is_number(v)}
        return FoundRun(self.id, settings, self.scalars, self.started, self.ended, final,
                        self.name, self.finished)  # fmt: skip


def _shown(name: str) -> bool:
    """Tell whether a key is the user's own; `_step` and `_runtime` are of the package."""
    return not name.startswith("_")


def _read_file(file: Path) -> _Run:
    run = _Run()
    data = file.read_bytes()
    for record in _records(data):
        for number, message in fields(record):
            if number == _RUN:
                _take_run(message, run)
            elif number == _CONFIG:
                _change(message, run.config)
            elif number == _SUMMARY:
                _change(message, run.summary)
            elif number == _HISTORY:
                _take_history(message, run)
            elif number == _EXIT:
                run.finished = dict(fields(message)).get(1, 0) == 0
    if not run.id and len(data) > len(_HEADER):
        raise ValueError("it names no run")
    run.id = run.id or file.stem  # nothing was written yet
    clock: Any = run.summary.get("_timestamp")
    run.ended = float(clock) if is_number(clock) else run.started
    return run


def _take_run(message: bytes, run: _Run) -> None:
    for number, value in fields(message):
        if number == 1:
            run.id = value.decode()
        elif number == 4:
            _change(value, run.config)
        elif number == 5:
            _change(value, run.summary)
        elif number in (6, 7) and value:  # logged as settings unless there are such of that name
            run.config.setdefault({6: "group", 7: "job_type"}[number], value.decode())
        elif number == 8:
            run.name = value.decode()
        elif number == 12:
            run.sweep = value.decode()
        elif number == 17:
            moment = dict(fields(value))
            run.started = run.started or moment.get(1, 0) + moment.get(2, 0) / 1e9


def _change(message: bytes, kept: dict[str, Any]) -> None:
    """Apply an update of nested settings, or of the summary."""
    for number, item in fields(message):
        keys, value = _item(item)
        inner = kept
        for key in keys[:-1]:
            below = inner.get(key)
            if not isinstance(below, dict):
                below = inner[key] = {}
            inner = below
        if number == 1:
            inner[keys[-1]] = value
        elif number == 2:
            inner.pop(keys[-1], None)


def _take_history(message: bytes, run: _Run) -> None:
    step: int | None = None
    told: dict[str, Any] = {}
    for number, value in fields(message):
        if number == 1:
            keys, one = _item(value)
            told |= flat({".".join(keys): one})
        elif number == 2:
            step = dict(fields(value)).get(1, 0)
    if step is None:
        step = int(told.get("_step", 0))
    for name, value in told.items():
        if _shown(name) and is_number(value):
            run.scalars.setdefault(name, {})[step] = float(value)


def _item(message: bytes) -> tuple[list[str], Any]:
    """Return the path of a key and its value, which is JSON or a typed field."""
    keys: list[str] = []
    value: Any = None
    for number, content in fields(message):
        if number in (1, 2):
            keys.append(content.decode())
        elif number == 4:
            value = bool(content)
        elif number == 5:  # sint64
            value = (content >> 1) ^ -(content & 1)
        elif number == 6:
            value = unpacked("<d", content)
        elif number == 7:
            value = content.decode()
        elif number in (8, 16):
            value = json.loads(content)
    if not keys:
        raise IndexError("a value without a name")
    return keys, value


def _records(data: bytes) -> Iterator[bytes]:
    """Yield the records of a file; one that was cut off at its end is none."""
    if not data.startswith(_HEADER[: len(data)]):
        raise ValueError("it begins otherwise")
    place, parts = len(_HEADER), b""
    while place + 7 <= len(data):
        left = _BLOCK - place % _BLOCK
        if left < 7:
            place += left
            continue
        _, size, kind = struct.unpack_from("<IHB", data, place)
        if kind == 0:  # the rest of a block is empty
            place += left
            continue
        if kind > _LAST or size > left - 7:
            raise ValueError(f"there is no record at byte {place}")
        if place + 7 + size > len(data):
            return
        parts += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (_FULL, _LAST):
            yield parts
            parts = b""
