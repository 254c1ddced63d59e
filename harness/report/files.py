"""Files of a report, put in place whole."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def write(file: Path, content: bytes) -> None:
    """Put a whole file in place at once, so that a reader never sees half of it."""
    partial = file.with_name(f".{file.name}.part")
    partial.write_bytes(content)
    os.replace(partial, file)


def write_all(folder: Path, files: Iterable[tuple[str, bytes]], pattern: str) -> None:
    """Write these files to a folder, and remove all others there whose name fits the pattern.

    Without any file the folder itself goes, if nothing else is in it.
    """
    kept = set()
    for name, content in files:
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / name, content)
        kept.add(name)
    for stale in sorted(folder.glob(pattern)):
        if stale.name not in kept:
            stale.unlink()
    if not kept and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
