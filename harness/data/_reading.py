"""How a column is read, in words, and what about it is probably not meant."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from harness.formatting import listed_some
from harness.lazy import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

WARNING = "warning: "
FEWEST_ROWS = 20
"""Rows below which it means nothing that all values of a column differ."""
NEARLY = 0.8
"""Share of numbers from which on a column of texts is taken for one of numbers."""
EXACT = 2**24
"""Whole numbers beyond which single precision, in which networks compute, leaves some out."""

_THOUSANDS = re.compile(r"[-+]?\d{1,3}([ ,.'\u00a0\u202f]\d{3})+([.,]\d+)?")
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
_DATES = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%m-%Y")

OTHERS = "list the other columns under `features`"


def column_in_words(name: str, values: pa.ChunkedArray, *, kinds: bool) -> str:
    """Say how a feature is read: as numbers between two, or as so many kinds."""
    known = [value for value in values.to_pylist() if value is not None]
    gaps = f", {values.null_count} missing" if values.null_count else ""
    if kinds:
        found = sorted({str(value) for value in known})
        shown = f": {listed_some(found, 4)}" if len(found) <= 8 else ""
        return f"{name}: {len(found)} kinds{shown}{gaps}"
    if not known:
        return f"{name}: empty"
    return f"{name}: numbers from {min(known):g} to {max(known):g}{gaps}"


def column_warnings(name: str, values: pa.ChunkedArray, *, kinds: bool) -> Iterator[str]:
    """Say what about a feature is probably not meant."""
    known = [value for value in values.to_pylist() if value is not None]
    distinct = len(set(known))
    every = distinct == len(known) >= FEWEST_ROWS
    if known and distinct == 1:
        yield f"'{name}' is the same in every row"
    if kinds:
        texts = [str(value).strip() for value in known]
        if every:
            yield f"every row has another '{name}', so that nothing can be learnt from it"
        yield from _like_numbers(name, texts)
        return
    whole = [value for value in known if isinstance(value, int)]
    if len(whole) < len(known) or not whole:
        return
    steps = set(np.diff(np.array(whole, dtype=np.float64)).tolist())
    if every and steps in ({1.0}, {-1.0}):
        yield f"'{name}' counts the rows, and is read as a feature; {OTHERS}"
    elif every and max(whole) - min(whole) > 10 * len(whole):
        yield (
            f"'{name}' is another whole number in every row, such as the number of a customer, and"
            f" is read as a feature; if it names rows, {OTHERS}"
        )
    if max(abs(value) for value in whole) > EXACT:
        yield (
            f"'{name}' has whole numbers beyond {EXACT:,}, which single precision rounds; if they"
            f" are names, say `categorical`, or {OTHERS}"
        )


def _like_numbers(name: str, texts: Sequence[str]) -> Iterator[str]:
    """Say that a column of texts is nearly one of numbers, and what is in the way."""
    if not texts:
        return
    thousands = [text for text in texts if _THOUSANDS.fullmatch(text)]
    comma = [text for text in texts if _DECIMAL_COMMA.fullmatch(text)]
    plain = [text for text in texts if is_number(text)]
    if len(thousands) + len(plain) >= NEARLY * len(texts) and thousands:
        yield (
            f"'{name}' is read as kinds, because numbers such as '{thousands[0]}' are written with"
            " separators of thousands; write them without"
        )
    elif len(comma) + len(plain) >= NEARLY * len(texts) and comma:
        yield (
            f"'{name}' is read as kinds, because numbers such as '{comma[0]}' have a comma; say"
            ' `decimal: ","`'
        )
    elif plain and len(plain) >= NEARLY * len(texts):
        others = sorted(set(texts) - set(plain))
        yield (
            f"'{name}' is read as kinds, although most of it are numbers; what is none:"
            f" {listed_some([repr(text) for text in others], 4) or 'nothing'}"
        )


def is_number(text: str) -> bool:
    """Whether a cell's text is a number, as Python reads it."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def dates_of(rows: Sequence[Sequence[str]]) -> tuple[list[str], list[datetime]] | None:
    """Return the first column that holds a date, or a year, in every row; None if there is none.

    Returns:
        The dates as they are written, and what they are; none where days and months cannot be told
        apart.
    """
    for place in range(len(rows[0]) if rows else 0):
        texts = [row[place].strip() if place < len(row) else "" for row in rows]
        readings = [found for form in (None, *_DATES) if (found := _read_all(texts, form))]
        if readings:
            return texts, readings[0] if len(readings) == 1 else []
    return None


def _read_all(texts: Sequence[str], form: str | None) -> list[datetime]:
    """Return dates of a form, or of ISO 8601 (from the year alone on); none if one is not."""
    found: list[datetime] = []
    with suppress(ValueError):
        for text in texts:
            if form is not None:
                date = datetime.strptime(text, form)
            elif re.fullmatch(r"[12]\d{3}(-\d\d)?", text):
                date = datetime.fromisoformat(f"{text}-01-01"[:10])
            else:
                date = datetime.fromisoformat(text)
            found.append(date.replace(tzinfo=None))
    return found if len(found) == len(texts) else []


def order_warning(dates: Sequence[datetime]) -> str | None:
    """Say that rows are not in the order of time; None if they are, or nobody can tell."""
    for row, (one, other) in enumerate(itertools.pairwise(dates), start=1):
        if other < one:
            return (
                f"the date of row {row + 1} is before that of row {row}; rows have to be in the"
                " order of time, or the future predicts the past"
            )
    return None
