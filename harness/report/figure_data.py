"""The numbers of a figure as CSV and JSON, which stand beside its picture."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.figures import Picture

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
Rows = Sequence[Mapping[str, Any]]


def data_files(stem: str, picture: Picture) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the files with the numbers of a picture; none if it has none."""
    if picture.data:
        yield f"{stem}.csv", csv_text(picture.data).encode()
        about = {"title": picture.title, "caption": picture.caption}
        yield f"{stem}.json", json_text(picture.data, about).encode()


def csv_text(rows: Rows) -> str:
    """Return rows as CSV in which a spreadsheet finds no formulas; lists stand in one cell."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([no_formula(name) for name in columns])
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in columns])
    return text.getvalue()


def json_text(rows: Rows, about: Mapping[str, Any]) -> str:
    """Return what is said about rows, and the rows, as JSON; what is not finite is null."""
    document = {**about, "rows": [{name: _plain(v) for name, v in row.items()} for row in rows]}
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def no_formula(value: Any) -> Any:
    """Put an apostrophe before a text that a spreadsheet would compute; a number stays one."""
    if not isinstance(value, str) or not value.startswith(_FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if _plain(value) is None else no_formula(value)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
