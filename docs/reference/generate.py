"""Writes the reference pages from the code, whenever the site is built (`make docs`)."""

from __future__ import annotations

from pathlib import Path

from harness.cli.reference import PAGES

FOLDER = Path(__file__).parent


def on_pre_build(config: object) -> None:
    """Write the pages; MkDocs calls this before it reads any."""
    del config
    for name, write in PAGES.items():
        file, text = FOLDER / f"{name}.md", write()
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
