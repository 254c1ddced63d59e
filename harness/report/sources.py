"""What claims rest on: works, their parts, and what a place in them says, in a few words."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.study.bundled import FOLDER, SOURCES

_FIRST_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class Sources:
    """What is known of sources.

    Attributes:
        works: by key, such as "insights", a `title`, and the word for a `part`, such as "point".
        says: by source, such as "insights 7", what it says there.
        problem: why a file could not be read; else empty.
    """

    works: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    says: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""

    def spelt(self, source: str) -> str:
        """Spell a source out: "insights, point 7" for "insights 7"."""
        work, _, place = source.partition(" ")
        part = self.works.get(work, {}).get("part")
        if part is None or not place:
            return source
        return f"{work}, {part} {place}" if place[:1].isdecimal() else f"{work}, {place}"

    def chapter(self, source: str) -> str:
        """Return the chapter that a source is in: "handbook 5" for "handbook 5.2".

        Of a work that nobody describes the whole source is its own chapter.
        """
        work, _, place = source.partition(" ")
        number = _FIRST_NUMBER.search(place)
        if work not in self.works or number is None:
            return source
        return f"{work} {place[: number.end()]}"


def known_sources(folder: Path = Path("studies")) -> Sources:
    """Read the file of sources beside the studies; without one, that of the bundled studies.

    A file that cannot be read says so in `problem`, and costs nothing else.
    """
    file = folder / SOURCES if (folder / SOURCES).is_file() else FOLDER / SOURCES
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Sources()
    except (OSError, ValueError) as error:
        return Sources(problem=f"'{file}' cannot be read: {error}")
    works, says = document.get("works", {}), document.get("says", {})
    if not _tables_of_texts(works) or not _texts(says):
        wanted = 'tables [works.KEY] with "title" and "part", and [says] with texts alone'
        return Sources(problem=f"'{file}' needs {wanted}")
    return Sources(works, says)


def _texts(found: Any) -> bool:
    return isinstance(found, dict) and all(isinstance(v, str) for v in found.values())


def _tables_of_texts(found: Any) -> bool:
    return isinstance(found, dict) and all(
        _texts(table) and {"title", "part"} <= table.keys() for table in found.values()
    )


def work_of(source: str) -> str:
    """Return the work that a source is a part of: "insights" for "insights 2"."""
    return source.strip().partition(" ")[0]
