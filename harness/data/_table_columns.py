"""Columns of a table as inputs: numbers, kinds as columns of 0 and 1, gaps; of files and others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from harness.components.base import unsaid
from harness.data._dataset import Dataset
from harness.data._divide import Divided, Labelled, OwnData, divide
from harness.data._files import column
from harness.data._gaps import Fill, fills, missing_flag
from harness.data.base import DataMissingError
from harness.data_spec import Form
from harness.lazy import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

MOST_KINDS = 100  # of one column of text; more are texts, or names of single rows
Matrix: TypeAlias = "NDArray[np.float32]"
Named: TypeAlias = "tuple[Matrix, list[str]]"


class TableColumns(OwnData):
    """What columns of a table are, and how their gaps are filled."""

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
        target: str | None = getattr(self, "target", None)
        if self.features is not None and target in self.features:
            raise ValueError(f"the target '{target}' stands among the `features`")
        unknown = [c for c in self.categorical if self.features and c not in self.features]
        if unknown:
            raise ValueError(f"`categorical` names '{unknown[0]}', which is none of the `features`")
        if self.indicators and self.missing == "refuse":
            raise ValueError("`indicators` needs `missing: impute` or `missing: median`")
        return self

    @property
    def where(self) -> str:
        """What errors call the table."""
        raise NotImplementedError

    @property
    def form(self) -> Form:
        """A guess, but for the kind of targets."""
        return Form((10,), 2, self.targets)

    def made_of(self, table: pa.Table, names: Sequence[str], known: Labelled) -> Dataset:
        """Return the examples; what fills gaps, and which kinds there are, the open part says.

        Args:
            table: the rows.
            names: columns that are inputs.
            known: the target, parts and groups of the rows.
        """
        divided = divide(self, known, kind=self.targets, normalization="feature")
        if not names:
            raise DataMissingError(f"{self.where} has no columns beside the target")
        for name in self.categorical:
            column(table, name, self.where)
        made = [_features(table, name, self, divided) for name in names]
        inputs = np.concatenate([features for features, _ in made], axis=1)
        columns = tuple(name for _, made_of in made for name in made_of)
        numbers = self.targets == "numbers"
        outputs = divided.targets.shape[1] if numbers else len(divided.classes)
        rest, test = divided.examples(lambda index: inputs[index])
        form = Form(inputs.shape[1:], outputs, self.targets)
        return Dataset(self.name, form, rest, test, divided.handling, columns=columns)


def _features(table: pa.Table, name: str, data: TableColumns, divided: Divided) -> Named:
    """Return the features (rows, features) that one column gives, and what they are made of."""
    import pyarrow as pa

    where = data.where
    values = column(table, name, where)
    if pa.types.is_null(values.type):
        raise DataMissingError(f"{where}: the column '{name}' is empty; name the `features` to use")
    numeric = is_numeric(values.type)
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


def is_numeric(kind: pa.DataType) -> bool:
    """Whether a column of this type holds numbers."""
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


def _numbers(values: Any, name: str, data: TableColumns, divided: Divided) -> Named:
    found = values.to_numpy().astype(np.float64)
    if np.isinf(found).any():
        row = int(np.flatnonzero(np.isinf(found))[0])
        raise DataMissingError(f"{data.where}: row {row + 1} is infinite in '{name}'")
    gaps = np.isnan(found)
    if gaps.any():
        _refuse(gaps, name, data)
        by: Fill = "median" if data.missing == "median" else "mean"
        filling = fills(found[:, None], gaps[:, None], divided.rest, by)
        if filling is None:
            raise DataMissingError(f"{data.where}: nothing is known of the column '{name}'")
        found = np.where(gaps, filling[0], found)
    return _flagged(found[:, None].astype(np.float32), gaps, name, data, divided)


def _kinds(values: Any, name: str, data: TableColumns, divided: Divided) -> Named:
    """Return a column for each kind seen outside the test split; others have 0 in all."""
    texts = np.array([None if v is None else str(v) for v in values.to_pylist()], dtype=object)
    gaps = np.array([text is None for text in texts])
    known = texts[divided.rest][~gaps[divided.rest]]
    kinds, counts = np.unique(known.astype(str), return_counts=True)
    if gaps.any():
        _refuse(gaps, name, data)
        if not len(kinds):
            raise DataMissingError(f"{data.where}: nothing is known of the column '{name}'")
        texts[gaps] = str(kinds[counts.argmax()])
    if len(kinds) > MOST_KINDS:
        raise DataMissingError(
            f"{data.where}: the column '{name}' has {len(kinds)} different texts, too many for "
            "kinds; name the `features` to use, or use `data: {name: texts}`"
        )
    found = np.asarray(texts.astype(str)[:, None] == kinds[None], dtype=np.float32)
    return _flagged(found, gaps, name, data, divided)


def _flagged(
    features: Matrix, gaps: NDArray[np.bool_], name: str, data: TableColumns, divided: Divided
) -> Named:
    """Return features (rows, features), where asked for one that says what was missing, and names.

    Not where all gaps are in the test split: no training would know what such a flag means.
    """
    made_of = [name] * features.shape[1]
    if not data.indicators or not gaps[divided.rest].any():
        return features, made_of
    return np.hstack([features, gaps[:, None]]).astype(np.float32), [*made_of, missing_flag(name)]


def _refuse(gaps: NDArray[np.bool_], name: str, data: TableColumns) -> None:
    if data.missing == "refuse":
        raise DataMissingError(
            f"{data.where}: row {int(np.flatnonzero(gaps)[0]) + 1} has no value in the column "
            f"'{name}' ({int(gaps.sum())} are missing); fill them, or say `missing: impute`"
        )
