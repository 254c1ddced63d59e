"""How data that are not ours are divided: labels to classes, examples to test split and rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.data._dataset import LOCKED_SEED, Examples, Handling, split
from harness.data._reading import is_number
from harness.data._selection import Index, drawn
from harness.data.base import Data, DataMissingError, Fraction, Limit
from harness.data_spec import Form
from harness.lazy import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PARTS = {
    "train": "train", "training": "train", "validation": "validation", "valid": "validation",
    "val": "validation", "dev": "validation", "test": "test", "testing": "test",
}  # fmt: skip
"""What the parts of a data set are called, and what they are."""

GUESS = 1000  # examples; how many there are is known once they are read


class OwnData(Data):
    """Data that are not ours: how they are divided."""

    test_fraction: Fraction = Field(
        0.2, description="share kept for testing, where the data have no test part of their own"
    )
    folds: int | None = Field(
        None,
        ge=2,
        le=100,
        description="cross-validation in place of `validation_fraction`: seed s validates on fold "
        "s mod k, and every k seeds the folds are drawn anew",
    )
    limit: Limit | None = Field(
        None, description="use only this many of the examples outside the test split"
    )

    rule: ClassVar[str] = "own-1"
    guessed: ClassVar[bool] = True
    cases: ClassVar[Sequence[Mapping[str, Any]]] = ()

    @property
    def form(self) -> Form:
        """A guess, for an estimate of the time: the data were not read yet."""
        return Form((1, 8, 8), 2)

    @property
    def scaled_targets(self) -> bool:
        """See `Data`."""
        return self.kind == "numbers"

    def sizes(self) -> tuple[int, int]:
        """See `Data`."""
        return min(GUESS, self.limit or GUESS), math.ceil(GUESS * self.test_fraction)

    def decides(self) -> dict[str, Any]:
        """See `Data`; which examples are read may depend on how they are divided."""
        return self.model_dump(mode="json")


@dataclass(frozen=True)
class Labelled:
    """What is known of each example before anything is divided.

    Attributes:
        where: file or function that an error names.
        labels: of shape (n,), of any kind; or numbers (n, outputs).
        parts: "train", "validation" or "test" of each, or None where the data do not say.
        groups: of each, or None.
    """

    where: str
    labels: NDArray[Any]
    parts: NDArray[Any] | None = None
    groups: NDArray[Any] | None = None


@dataclass(frozen=True)
class Divided:
    """Indices of the examples outside and inside the test split, their targets, what comes next.

    Targets are classes (n,) or numbers (n, outputs), for all examples; `classes` has their names.
    `groups` are those of all examples, or None.
    """

    rest: Index
    test: Index
    targets: NDArray[Any]
    handling: Handling
    classes: Sequence[Any] = field(default=())
    groups: NDArray[np.int64] | None = None

    def examples(self, of: Callable[[Index], NDArray[Any]]) -> tuple[Examples, Examples]:
        """Return the examples outside and inside the test split; there, a group is a cluster.

        Args:
            of: gives the inputs of some examples.
        """
        rest, test = (Examples(of(index), self.targets[index]) for index in (self.rest, self.test))
        clusters = None if self.groups is None else self.groups[self.test]
        return rest, replace(test, clusters=clusters)


def divide(data: OwnData, labelled: Labelled, *, kind: str, normalization: str) -> Divided:
    """Divide examples as a configuration and the data themselves say.

    Raises:
        DataMissingError: if a part would be empty, or a class would be missing from training.
    """
    where, labels = labelled.where, labelled.labels
    if len(labels) == 0:
        raise DataMissingError(f"{where} holds no examples")
    stratified = kind == "class"
    groups = None
    if labelled.groups is not None:
        groups = np.unique(labelled.groups.astype(str), return_inverse=True)[1].astype(np.int64)
    rest, test = _open_and_test(data, labelled, groups, stratified)
    targets, classes = _targets(labels, rest, where, kind)
    validation = np.zeros(len(rest), dtype=bool)
    if labelled.parts is not None:
        validation = labelled.parts[rest] == "validation"
    if data.limit is not None:
        even = targets if stratified else np.zeros(len(labels), dtype=np.int64)
        kept = drawn(even[rest], data.limit)
        rest, validation = rest[kept], validation[kept]
    _check_training(data, where, targets[rest], validation, classes)
    handling = Handling(
        "stratified" if stratified else "random",
        normalization=normalization,  # type: ignore[arg-type]
        groups=None if groups is None else groups[rest],
        folds=data.folds,
        validation=np.flatnonzero(validation) if validation.any() else None,
    )
    _check_groups(data, labelled, handling, targets[rest], classes)
    return Divided(rest, test, targets, handling, classes, groups)


def parts_of(values: Sequence[Any], where: str) -> NDArray[Any]:
    """Return "train", "validation" or "test" for each value of a split column."""
    found = []
    for value in values:
        part = PARTS.get(str(value).strip().lower())
        if part is None:
            raise DataMissingError(
                f"{where} says '{value}' of a row; a split is called train, validation or test"
            )
        found.append(part)
    return np.array(found)


def _open_and_test(
    data: OwnData, labelled: Labelled, groups: NDArray[np.int64] | None, stratified: bool
) -> tuple[Index, Index]:
    """Return the examples outside and inside the test split, declared or drawn once for all."""
    parts, where = labelled.parts, labelled.where
    everyone = np.arange(len(labelled.labels))
    if parts is not None:
        if not (parts == "train").any():
            raise DataMissingError(
                f"{where} has no examples for training (it has: {', '.join(np.unique(parts))})"
            )
        if (parts == "test").any():
            rest, test = np.flatnonzero(parts != "test"), np.flatnonzero(parts == "test")
            _check_crossing(where, groups, labelled.groups, rest, test)
            return rest, test
    open_part = everyone if parts is None else np.flatnonzero(parts == "train")
    declared = np.setdiff1d(everyone, open_part)
    labels = labelled.labels[open_part]
    if stratified:
        _check_two(where, labels)
    handling = Handling(
        "stratified" if stratified else "random",
        groups=None if groups is None else groups[open_part],
    )
    if groups is not None and len(np.unique(groups[open_part])) < 2 * max(
        2, round(1 / data.test_fraction)
    ):
        raise DataMissingError(
            f"{where} has {len(np.unique(groups[open_part]))} groups, too few to divide"
        )
    kept, test = split(labels, data.test_fraction, LOCKED_SEED, handling)
    return np.sort(np.concatenate([open_part[kept], declared])), open_part[test]


def _targets(
    labels: NDArray[Any], rest: Index, where: str, kind: str
) -> tuple[NDArray[Any], Sequence[Any]]:
    """Turn labels into classes 0, 1, ... in the order of their names, or into finite numbers."""
    if kind == "sequence":
        return labels.astype(np.int64), ()
    if kind == "numbers":
        try:
            numbers = labels.astype(np.float64).reshape(len(labels), -1)
        except (TypeError, ValueError):
            first = next((text for text in map(str, labels.ravel()) if not is_number(text)), "")
            hint = "say `targets: class` if they are classes"
            if is_number(first.replace(",", ".", 1)):
                hint = 'where they have a comma before the decimals, say `decimal: ","`'
            raise DataMissingError(
                f"{where}: the targets are no numbers, such as {first[:40]!r}; {hint}"
            ) from None
        if not np.isfinite(numbers).all():
            row = int(np.flatnonzero(~np.isfinite(numbers).all(axis=1))[0])
            raise DataMissingError(f"{where}: the target of example {row + 1} is not a number")
        known = numbers[rest]
        scale = known.std(axis=0)
        return ((numbers - known.mean(axis=0)) / np.where(scale > 0, scale, 1)).astype(
            np.float32
        ), ()
    _check_labels(labels, where)
    classes = np.unique(labels[rest])
    if len(classes) < 2:
        raise DataMissingError(f"{where} has only the class '{classes[0]}'; there must be two")
    places = np.searchsorted(classes, labels).clip(max=len(classes) - 1)
    strange = np.flatnonzero(classes[places] != labels)
    if len(strange):
        raise DataMissingError(
            f"{where}: the class '{labels[strange[0]]}' stands in the test split only; every class "
            "needs examples outside of it"
        )
    return places.astype(np.int64), classes.tolist()


def _check_labels(labels: NDArray[Any], where: str) -> None:
    if labels.ndim != 1:
        raise DataMissingError(
            f"{where}: the labels have the shape {labels.shape}; expected one class each, (n,)"
        )
    if labels.dtype.kind == "f":
        bad = np.flatnonzero(labels != np.floor(labels))  # not-a-number as well
        if len(bad):
            raise DataMissingError(
                f"{where}: the label {labels[bad[0]]} of example {bad[0] + 1} is no class; say "
                "`targets: numbers` if numbers are to be predicted"
            )
    if labels.dtype.kind in "fi" and labels.min() < 0:
        row = int(np.flatnonzero(labels < 0)[0])
        raise DataMissingError(
            f"{where}: the label {labels[row]} of example {row + 1} is below 0; leave examples "
            "without a class out"
        )


def _check_two(where: str, labels: NDArray[Any], fewest: int = 3) -> None:
    """Every class must reach training, validation and, if it is drawn, the test split."""
    _check_labels(labels, where)
    names, counts = np.unique(labels, return_counts=True)
    if counts.min() < fewest:
        raise DataMissingError(
            f"{where}: the class '{names[counts.argmin()]}' has {counts.min()} examples; training, "
            f"validation and test need {fewest} of each class"
        )


def _check_training(
    data: OwnData,
    where: str,
    targets: NDArray[Any],
    validation: NDArray[np.bool_],
    classes: Sequence[Any],
) -> None:
    declared = validation if validation.any() else np.zeros(len(targets), dtype=bool)
    if declared.any() and data.folds:
        raise DataMissingError(f"{where} has a validation part of its own; leave `folds` out")
    folds = data.folds or 2
    if len(targets) < max(folds, 4) or declared.all():
        raise DataMissingError(f"{where} leaves {len(targets)} examples for training")
    if not classes:
        return
    counts = np.bincount(targets[~declared], minlength=len(classes))
    fewest = 1 if declared.any() else folds
    if counts.min() < fewest:
        raise DataMissingError(
            f"{where}: the class '{classes[int(counts.argmin())]}' has {counts.min()} examples for "
            f"training{'' if declared.any() else ' and validation'}; at least {fewest} are needed"
            + (f" for {folds} folds" if data.folds else "")
        )


def _check_crossing(
    where: str,
    groups: NDArray[np.int64] | None,
    names: NDArray[Any] | None,
    one: Index,
    other: Index,
) -> None:
    if groups is None or names is None:
        return
    shared = np.intersect1d(groups[one], groups[other])
    if len(shared):
        name = names[np.flatnonzero(groups == shared[0])[0]]
        raise DataMissingError(
            f"{where}: the group '{name}' stands in more than one of train, validation and test"
        )


def _check_groups(
    data: OwnData,
    labelled: Labelled,
    handling: Handling,
    targets: NDArray[Any],
    classes: Sequence[Any],
) -> None:
    """Groups must suffice for the folds, and every class must stand in two of them."""
    groups, where = handling.groups, labelled.where
    if groups is None:
        return
    if handling.validation is not None:
        inside = np.zeros(len(groups), dtype=bool)
        inside[handling.validation] = True
        _check_crossing(where, groups, groups, np.flatnonzero(inside), np.flatnonzero(~inside))
        return
    needed = handling.folds or max(2, round(1 / data.validation_fraction))
    if len(np.unique(groups)) < needed:
        raise DataMissingError(
            f"{where} has {len(np.unique(groups))} groups outside the test split; "
            f"at least {needed} are needed"
        )
    for place, name in enumerate(classes):
        if len(np.unique(groups[targets == place])) < 2:
            raise DataMissingError(
                f"{where}: the class '{name}' stands in one group only outside the test split, so "
                "that training or validation would lack it"
            )
