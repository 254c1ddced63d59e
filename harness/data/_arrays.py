"""Arrays that are not ours, from archives, functions, libraries: checked before they are used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from pydantic import Field

from harness.data._dataset import Dataset
from harness.data._divide import Labelled, OwnData, divide
from harness.data.base import DataMissingError
from harness.data_spec import IGNORED, Form, Kind
from harness.lazy import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Pair: TypeAlias = "tuple[NDArray[Any], NDArray[Any]]"
"""Inputs (n, ...) and targets (n, ...)."""


class OwnArrays(OwnData):
    """What has to be said of arrays."""

    targets: Literal["class", "numbers", "sequence"] = "class"
    vocabulary: int | None = Field(
        None, ge=1, description="number of token ids, where inputs are such"
    )

    images: ClassVar[bool] = True

    @property
    def form(self) -> Form:
        """A guess, but for the kind of targets."""
        return Form((1, 8, 8), 2, self.targets, self.vocabulary)


def array_dataset(
    data: OwnData,
    where: str,
    parts: Mapping[str, Pair],
    groups: NDArray[Any] | None = None,
) -> Dataset:
    """Make a data set of arrays, of one part or of several.

    Args:
        data: says how to divide, and what targets and token ids are.
        where: what an error names.
        parts: "train", and perhaps "validation" and "test": inputs and targets of each.
        groups: of all examples, in the order of the parts; or None.
    """
    kind: Kind = "class"
    vocabulary: int | None = None
    if isinstance(data, OwnArrays):
        kind, vocabulary = data.targets, data.vocabulary
    for part, (inputs, targets) in parts.items():
        _check_pair(f"{where}, {part}", inputs, targets, next(iter(parts.values()))[0])
    inputs = np.concatenate([pair[0] for pair in parts.values()])
    labels = np.concatenate([pair[1] for pair in parts.values()])
    if groups is not None and len(groups) != len(labels):
        raise DataMissingError(f"{where} has {len(groups)} groups for {len(labels)} examples")
    inputs = _checked_inputs(inputs, vocabulary, where)
    said = None
    if len(parts) > 1:
        said = np.concatenate([[part] * len(pair[1]) for part, pair in parts.items()])
    if kind == "sequence":
        _check_sequence(inputs, labels, vocabulary, where)
    rule = "feature" if inputs.ndim == 2 else "scalar"
    divided = divide(
        data, Labelled(where, labels, said, groups), kind=kind,
        normalization=rule if vocabulary is None else "none",
    )  # fmt: skip
    outputs = {"class": len(divided.classes), "sequence": vocabulary}.get(kind)
    outputs = divided.targets.shape[1] if outputs is None else outputs
    form = Form(inputs.shape[1:], outputs, kind, vocabulary)
    rest, test = divided.examples(lambda index: np.ascontiguousarray(inputs[index]))
    return Dataset(data.name, form, rest, test, divided.handling)


def _check_pair(
    where: str, inputs: NDArray[Any], targets: NDArray[Any], first: NDArray[Any]
) -> None:
    if inputs.ndim < 2 or len(inputs) != len(targets):
        raise DataMissingError(
            f"{where}: inputs of shape {inputs.shape} and targets of shape {targets.shape}; "
            "expected (n, ...) and (n, ...)"
        )
    if not len(inputs):
        raise DataMissingError(f"{where} holds no examples")
    if inputs.shape[1:] != first.shape[1:]:
        raise DataMissingError(
            f"{where}: an input has the shape {inputs.shape[1:]}, elsewhere {first.shape[1:]}"
        )


def _checked_inputs(inputs: NDArray[Any], vocabulary: int | None, where: str) -> NDArray[Any]:
    """Return pixels as they are, token ids as int64, and other numbers as float32."""
    if inputs.dtype.kind not in "fiub":
        raise DataMissingError(f"{where}: the inputs are {inputs.dtype}; expected numbers")
    if vocabulary is not None:
        if inputs.dtype.kind not in "iu":
            raise DataMissingError(f"{where}: token ids are whole numbers, not {inputs.dtype}")
        if inputs.size and not 0 <= inputs.min() <= inputs.max() < vocabulary:
            raise DataMissingError(
                f"{where}: token ids reach from {inputs.min()} to {inputs.max()}; with "
                f"`vocabulary: {vocabulary}` they must lie between 0 and {vocabulary - 1}"
            )
        return inputs.astype(np.int64)
    if inputs.dtype == np.uint8:
        return inputs
    finite = np.isfinite(inputs.reshape(len(inputs), -1)).all(axis=1)
    if not finite.all():
        row = int(np.flatnonzero(~finite)[0])
        raise DataMissingError(
            f"{where}: the inputs of example {row + 1} are not all finite numbers "
            f"({int((~finite).sum())} examples are like that); fill or remove them"
        )
    return inputs.astype(np.float32)


def _check_sequence(
    inputs: NDArray[Any], targets: NDArray[Any], vocabulary: int | None, where: str
) -> None:
    if vocabulary is None:
        raise DataMissingError(f"{where}: `targets: sequence` needs `vocabulary`")
    if targets.shape != inputs.shape[:2] or targets.dtype.kind not in "iu":
        raise DataMissingError(
            f"{where}: targets of shape {targets.shape}; expected a class at each position, "
            f"{inputs.shape[:2]}"
        )
    counted = targets[targets != IGNORED]
    if not counted.size or not 0 <= counted.min() <= counted.max() < vocabulary:
        raise DataMissingError(
            f"{where}: classes at positions must lie between 0 and {vocabulary - 1}, or "
            f"be {IGNORED}"
        )
