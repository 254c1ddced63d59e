"""Tables of one's own: columns of numbers and of kinds, a class or a number to be predicted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from harness.data._dataset import Dataset, split
from harness.data._files import Columns, column
from harness.data._reading import WARNING, column_in_words, column_warnings
from harness.data._table_columns import TableColumns, is_numeric

if TYPE_CHECKING:
    import pyarrow as pa

MOST_SHOWN = 40
"""Columns that a plan describes."""


class TableFile(TableColumns, Columns):
    """A table of your own, CSV or Parquet: columns of features and a target.

    Columns of text become one column for each value. A target that is a number is given in standard
    deviations from the mean outside the test split.
    """

    name: Literal["table_file"]
    target: str = Field(description="column to be predicted")

    @property
    def where(self) -> str:
        """See `TableColumns`."""
        return self.path

    def reading(self, root: Path) -> list[str]:
        """See `Data`."""
        table, _ = self.read_tables(root)
        data = self.load(root)
        train, validation = split(data.examples.targets, self.validation_fraction, 0, data.handling)
        target = column(table, self.target, self.path)
        said = column_in_words(self.target, target, kinds=self.targets == "class")
        lines = [
            f"{self.path}: {len(table):,} rows; {len(train):,} to train, {len(validation):,} to"
            f" validate, {len(data.test):,} to test",
            f"  target {said}",
        ]
        names = self._names(table)
        warnings = []
        for place, name in enumerate(names):
            values = column(table, name, self.path)
            kinds = not is_numeric(values.type) or name in self.categorical
            if place < MOST_SHOWN:
                lines.append(f"  {column_in_words(name, values, kinds=kinds)}")
            warnings += [WARNING + text for text in column_warnings(name, values, kinds=kinds)]
        more = len(names) - MOST_SHOWN
        return lines + ([f"  and {more} more columns"] if more > 0 else []) + warnings

    def _names(self, table: pa.Table) -> list[str]:
        """Return the columns that are features."""
        others = {self.target, self.split_column, self.group_column}
        return self.features or [name for name in table.column_names if name not in others]

    def load(self, root: Path) -> Dataset:
        """Read it."""
        table, parts = self.read_tables(root)
        return self.made_of(table, self._names(table), self.labelled(table, parts, self.target))
