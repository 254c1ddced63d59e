"""What a section of a report is made of: tables, facts, texts, which every form of it shows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from harness.figures import Picture
from harness.formatting import ABSENT, estimate, number
from harness.metrics import Metric

SHARE = "share"
"""Marks a time that is a share of the time of trials that were trained together."""


@dataclass(frozen=True)
class Cell:
    """A text in a table; `reason` says why there is no number, `tone` is a class of the page."""

    text: str
    numeric: bool = False
    reason: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Table:
    """A table with a caption; the first cell of each row is its header.

    One that has a `name` is a file of its own in an export. `anchors` name the rows, on the page.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    anchors: Sequence[str] = field(default_factory=tuple)
    name: str = ""

    @property
    def reasons(self) -> list[str]:
        """Why numbers are absent, each reason once."""
        found = [cell.reason for row in self.rows for cell in row if cell.reason]
        return list(dict.fromkeys(found))


@dataclass(frozen=True)
class Heading:
    """A heading inside a section."""

    text: str


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Items:
    """Sentences in a list."""

    texts: Sequence[str]


@dataclass(frozen=True)
class Facts:
    """Terms, and what is to be said of each."""

    entries: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Code:
    """A command, or other text whose lines stay as they are."""

    text: str


@dataclass(frozen=True)
class Fold:
    """Blocks that a page shows when a reader asks for them."""

    summary: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Form:
    """What no other block can show: templates of Jinja for the page and for Markdown.

    The page escapes `values`; Markdown needs the filter `md` (or `fenced`, in a block of code).
    Both know `view` and the macros of `parts`. `table` is the same as a plain table, for exports.
    """

    html: str
    markdown: str
    values: Mapping[str, Any]
    table: Table | None = None


Block: TypeAlias = Table | Heading | Text | Items | Facts | Code | Fold | Form | Picture


def flat(blocks: Sequence[Block]) -> Iterator[Block]:
    """Yield blocks, and those inside of others."""
    for block in blocks:
        yield block
        if isinstance(block, Fold):
            yield from flat(block.blocks)
        if isinstance(block, Form) and block.table is not None:
            yield block.table


# --- cells --------------------------------------------------------------------------------------
def mean_cell(values: Any, absent: str, metric: Metric | None = None) -> Cell:
    """Write a mean with its 95 % t interval, within the bounds of a metric, or say why not."""
    if values is None or not len(values):
        return Cell(ABSENT, True, absent)
    mean = float(np.mean(values))
    low, high = (metric or Metric("")).interval(values)
    if not math.isfinite(low):
        return Cell(number(mean, 4), True)
    shown = estimate(mean, low, high)
    return Cell(f"{shown[0]} [{shown[1]}, {shown[2]}]" if low < high else number(mean, 4), True)


def number_cell(value: float | None, absent: str, digits: int = 3) -> Cell:
    """Write a number, or say why there is none."""
    text = number(value, digits)
    return Cell(text, True, absent if text == ABSENT else "")


def share_note(rows: Sequence[Sequence[Cell]]) -> str:
    """Say what a share is, if a table has one."""
    if not any(cell.text.endswith(f"({SHARE})") for row in rows for cell in row):
        return ""
    return (
        f" Seconds marked “{SHARE}”: the trial was trained together with others; its seconds are"
        " an equal share of the time of all, and no time of its own."
    )


def values_of(rows: pd.DataFrame, column: str) -> Any:
    """Return the numbers of a column as an array; none if there is no such column."""
    return rows[column].dropna().to_numpy(dtype=float) if column in rows else np.zeros(0)
