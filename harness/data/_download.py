"""Files that are published on the web: fetched once, checked, and in place only when whole."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

_PATIENCE = 60  # seconds without an answer


def fetch(addresses: Sequence[str], file: Path, md5: str) -> None:
    """Download a file from the first address that gives it, unless it is there already.

    Args:
        addresses: of copies of it.
        file: where it goes.
        md5: its checksum, as it is published.

    Raises:
        OSError: if no address gives it, or what came is another file.
    """
    from urllib.request import Request, urlopen

    if file.is_file() and md5_of(file) == md5:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    reasons = []
    for address in addresses:
        try:
            asked = Request(address, headers={"User-Agent": "harness"})
            with urlopen(asked, timeout=_PATIENCE) as answer:
                _write(file, lambda place, came=answer: shutil.copyfileobj(came, place))  # type: ignore[misc]
        except OSError as error:
            reasons.append(f"{address}: {error}")
            continue
        if md5_of(file) == md5:
            return
        file.unlink()
        reasons.append(f"{address}: another file than the one that is published")
    raise OSError("; ".join(reasons))


def md5_of(file: Path) -> str:
    """Return the MD5 checksum of a file, which finds damage, not deceit."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def unzip(packed: Path, file: Path) -> None:
    """Unpack a gzip file.

    Raises:
        OSError: if it is damaged.
    """
    with gzip.open(packed) as content:
        _write(file, lambda place: shutil.copyfileobj(content, place))


def untar(archive: Path, folder: Path) -> None:
    """Unpack the files of a tar archive; nothing is written outside of the folder.

    Raises:
        OSError: if it is damaged.
    """
    with TemporaryDirectory(dir=folder) as aside:
        try:
            with tarfile.open(archive) as content:
                content.extractall(aside, filter="data")
        except tarfile.TarError as error:
            raise OSError(f"'{archive}': {error}") from None
        for file in Path(aside).rglob("*"):
            place = folder / file.relative_to(aside)
            if file.is_dir():
                place.mkdir(exist_ok=True)
            else:
                os.replace(file, place)


def _write(file: Path, write: Callable[[IO[bytes]], None]) -> None:
    """Write a file that appears under its name when it is whole."""
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as place:
            write(place)
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)
