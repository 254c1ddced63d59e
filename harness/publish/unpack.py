"""The text of a published file: unpacked within limits, whole, and JSON."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.publish.write import DIGEST, SUFFIX, with_digest
from harness.store import StoreError

LARGEST_FILE = 64 * 2**20
LARGEST_TEXT = 1024 * 2**20
_CHUNK = 2**20
_BEGINNING = 200  # characters, of which ours use 70
_UNPACKED, _VALUES = (2**20, 50), (100_000, 2)
"""What a file may unpack to, and how many values it may hold: so many, and so many more for each
byte. Ours unpack to at most 8 times as much, with at most 0.8 values a byte; a bomb to 1,000."""


class PublishedError(StoreError):
    """A published file cannot be used; the message names the file and what is wrong in it."""

    file: Path

    @property
    def names(self) -> tuple[str, str]:
        """The study and the profile that the file is about, as its name says."""
        return names_in(self.file)


def names_in(file: Path) -> tuple[str, str]:
    """Return the study and the profile that a published file is about, as its name says."""
    study, _, profile = file.name.removesuffix(SUFFIX).partition(".")
    return study, profile


def load_document(file: Path) -> Any:
    """Return the JSON of a file, never unpacking more than its limits.

    Raises:
        PublishedError: if it is damaged, changed, or holds more than a file of its size can.
    """
    text = _unpacked(file)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PublishedError(f"'{file}' is no JSON: {error}") from None
    if (
        isinstance(document, dict)
        and DIGEST in document
        and not _is_whole(text.decode(errors="replace"))
    ):
        raise PublishedError(
            f"'{file}' was changed after it was written: its digest differs; restore it, or publish"
            " it again"
        )
    return document  # of older versions without a digest, which only gzip's checksum protects


def load_beginning(file: Path, name: str) -> Any:
    """Return a value that stands at the beginning of a file; None if it is not there.

    Raises:
        PublishedError: if the file cannot be unpacked.
    """
    text, key = _unpacked(file).decode(errors="replace"), f'"{name}":'
    start = text.find(key, 0, _BEGINNING)
    if start < 0:
        return None
    try:
        return json.JSONDecoder().raw_decode(text, start + len(key))[0]
    except (ValueError, RecursionError):
        return None


def mentions(file: Path, text: str) -> bool:
    """Whether a file has a text anywhere, told sooner than by reading what it holds.

    Raises:
        PublishedError: if it cannot be unpacked.
    """
    return text.encode() in _unpacked(file)


def _unpacked(file: Path) -> bytes:
    try:
        size = file.stat().st_size
        if size > LARGEST_FILE:
            raise PublishedError(f"'{file}' is larger than {LARGEST_FILE >> 20} MiB")
        with gzip.open(file) as stream:
            return b"".join(_bounded(file, size, stream))
    except (OSError, EOFError, zlib.error) as error:
        raise PublishedError(f"'{file}' cannot be unpacked: {error}; restore it") from None


def _bounded(file: Path, size: int, stream: gzip.GzipFile) -> Iterator[bytes]:
    """Yield what a file unpacks to in parts, for as long as it could be one of ours.

    Raises:
        PublishedError: as soon as it is more than a file of this size (bytes) may hold.
    """
    most = min(_UNPACKED[0] + _UNPACKED[1] * size, LARGEST_TEXT)
    most_values, length, values = _VALUES[0] + _VALUES[1] * size, 0, 0
    while part := stream.read(_CHUNK):
        length += len(part)
        values += sum(part.count(mark) for mark in (b",", b"[", b"{"))
        if length > most:
            raise PublishedError(f"'{file}' unpacks to more than {most / 2**20:,.0f} MiB")
        if values > most_values:
            raise PublishedError(f"'{file}' holds more than {most_values:,} values")
        yield part


def _is_whole(text: str) -> bool:
    """Tell whether a text ends with the digest of what stands before it."""
    start = text.rfind(f',"{DIGEST}":')
    return start >= 0 and text == with_digest(f"{text[:start]}}}")
