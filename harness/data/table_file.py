"""Tables of one's own: columns of numbers and of kinds, a class or a number to be predicted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from harness.components.base import unsaid
from harness.data._dataset import Dataset, split
from harness.data._divide import Divided, divide
from harness.data._files import Columns, column
from harness.data._gaps import Fill, fills, missing_flag
from harness.data._reading import WARNING, column_in_words, column_warnings
from harness.data.base import DataMissingError
from harness.data_spec import Form
from harness.lazy import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

MOST_SHOWN = 40
"""Columns that a plan describes."""
MOST_KINDS = 100  # of one column of text; more are texts, or names of single rows
Matrix: TypeAlias = "NDArray[np.float32]"
Named: TypeAlias = "tuple[Matrix, list[str]]"


class TableFile(Columns):
    """A table of your own, CSV or Parquet: columns of features and a target.

    Columns of text become one column for each value. A target that is a number is given in standard
    deviations from the mean outside the test split.
    """

    name: Literal["table_file"]
    target: str = Field(description="column to be predicted")
    targets: Literal["class", "numbers"] = Field("class", description="what the target is")
    features: list[str] | None = Field(
        None, min_length=1, description="columns to predict it from; all others unless given"
    )
    categorical: list[str] = Field(
        default_factory=list, description="columns of numbers that are names of kinds"
    )
    missing: Literal["refuse", "impute", "median"] = Field(
        "refuse",
        description="impute: the mean of a number, the commonest kind, outside the test split; "
        "median: that of a number",
    )
    indicators: bool = Field(
        False,
        exclude_if=unsaid,
        description="behind each column that has gaps outside the test split, one that is 1 where "
        "its value is missing",
    )

    @model_validator(mode="after")
    def _features_are_no_target(self) -> Self:
        if self.features is not None and self.target in self.features:
            raise ValueError(f"the target '{self.target}' stands among the `features`")
        unknown = [c for c in self.categorical if self.features and c not in self.features]
        if unknown:
            raise ValueError(f"`categorical` names '{unknown[0]}', which is none of the `features`")
        if self.indicators and self.missing == "refuse":
            raise ValueError("`indicators` needs `missing: impute` or `missing: median`")
        return self

    @property
    def form(self) -> Form:
        """A guess, but for the kind of targets."""
        return Form((10,), 2, self.targets)

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
            kinds = not _is_numeric(values.type) or name in self.categorical
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
        """Read it; what fills gaps, and which kinds there are, is learnt from the open part."""
        table, parts = self.read_tables(root)
        known = self.labelled(table, parts, self.target)
        divided = divide(self, known, kind=self.targets, normalization="feature")
        names = self._names(table)
        if not names:
            raise DataMissingError(f"{self.path} has no columns beside the target")
        for name in self.categorical:
            column(table, name, self.path)
        made = [_features(table, name, self, divided) for name in names]
        inputs = np.concatenate([features for features, _ in made], axis=1)
        columns = tuple(name for _, made_of in made for name in made_of)
        numbers = self.targets == "numbers"
        outputs = divided.targets.shape[1] if numbers else len(divided.classes)
        rest, test = divided.examples(lambda index: inputs[index])
        form = Form(inputs.shape[1:], outputs, self.targets)
        return Dataset(self.name, form, rest, test, divided.handling, columns=columns)


def _features(table: pa.Table, name: str, data: TableFile, divided: Divided) -> Named:
    """Return the features (rows, features) that one column gives, and what they are made of."""
    import pyarrow as pa

    where = data.path
    values = column(table, name, where)
    if pa.types.is_null(values.type):
        raise DataMissingError(f"{where}: the column '{name}' is empty; name the `features` to use")
    numeric = _is_numeric(values.type)
    if pa.types.is_decimal(values.type):
        values = values.cast(pa.float64())
    if numeric and name not in data.categorical:
        return _numbers(values, name, data, divided)
    if not numeric and not _names_kinds(values.type):
        raise DataMissingError(
            f"{where}: the column '{name}' holds {values.type}, which is neither a number nor a "
            "kind; turn it into numbers, or name the `features` to use"
        )
    return _kinds(values, name, data, divided)


def _is_numeric(kind: pa.DataType) -> bool:
    import pyarrow as pa

    of = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    return any(test(kind) for test in of)


def _names_kinds(kind: pa.DataType) -> bool:
    import pyarrow as pa

    found = (
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_boolean(kind)
        or pa.types.is_dictionary(kind)
    )  # fmt: skip
    return bool(found)


def _numbers(values: Any, name: str, data: TableFile, divided: Divided) -> Named:
    found = values.to_numpy().astype(np.float64)
    if np.isinf(found).any():
        row = int(np.flatnonzero(np.isinf(found))[0])
        raise DataMissingError(f"{data.path}: row {row + 1} is infinite in '{name}'")
    gaps = np.isnan(found)
    if gaps.any():
        _refuse(gaps, name, data)
        by: Fill = "median" if data.missing == "median" else "mean"
        filling = fills(found[:, None], gaps[:, None], divided.rest, by)
        if filling is None:
            raise DataMissingError(f"{data.path}: nothing is known of the column '{name}'")
        found = np.where(gaps, filling[0], found)
    return _flagged(found[:, None].astype(np.float32), gaps, name, data, divided)


def _kinds(values: Any, name: str, data: TableFile, divided: Divided) -> Named:
    """Return a column for each kind seen outside the test split; others have 0 in all."""
    texts = np.array([None if v is None else str(v) for v in values.to_pylist()], dtype=object)
    gaps = np.array([text is None for text in texts])
    known = texts[divided.rest][~gaps[divided.rest]]
    kinds, counts = np.unique(known.astype(str), return_counts=True)
    if gaps.any():
        _refuse(gaps, name, data)
        if not len(kinds):
            raise DataMissingError(f"{data.path}: nothing is known of the column '{name}'")
        texts[gaps] = str(kinds[counts.argmax()])
    if len(kinds) > MOST_KINDS:
        raise DataMissingError(
            f"{data.path}: the column '{name}' has {len(kinds)} different texts, too many for "
            "kinds; name the `features` to use, or use `data: {name: texts}`"
        )
    found = np.asarray(texts.astype(str)[:, None] == kinds[None], dtype=np.float32)
    return _flagged(found, gaps, name, data, divided)


def _flagged(
    features: Matrix, gaps: NDArray[np.bool_], name: str, data: TableFile, divided: Divided
) -> Named:
    """Return features (rows, features), where asked for one that says what was missing, and names.

    Not where all gaps are in the test split: no training would know what such a flag means.
    """
    made_of = [name] * features.shape[1]
    if not data.indicators or not gaps[divided.rest].any():
        return features, made_of
    return np.hstack([features, gaps[:, None]]).astype(np.float32), [*made_of, missing_flag(name)]


def _refuse(gaps: NDArray[np.bool_], name: str, data: TableFile) -> None:
    if data.missing == "refuse":
        raise DataMissingError(
            f"{data.path}: row {int(np.flatnonzero(gaps)[0]) + 1} has no value in the column "
            f"'{name}' ({int(gaps.sum())} are missing); fill them, or say `missing: impute`"
        )
