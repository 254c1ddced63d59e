"""Files of a report, put in place whole."""

from __future__ import annotations

import os
from pathlib import Path


def write(file: Path, content: bytes) -> None:
    """Put a whole file in place at once, so that a reader never sees half of it."""
    partial = file.with_name(f".{file.name}.part")
    partial.write_bytes(content)
    os.replace(partial, file)
