"""What a data set is: examples that training may see, and a test split behind a lock."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from harness.data_spec import Form
from harness.lazy import numpy as np
from harness.seeding import stream
from harness.trial import Phase

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOCKED_SEED = 20_240_229  # which examples are the test split, where we draw it; never changed


@dataclass(frozen=True)
class Examples:
    """Inputs of shape (n, ...) and targets.

    Inputs are numbers (float32), token ids (int64), or pixels 0 to 255 (uint8). Targets are a class
    each, int64 (n,); a class at each position, int64 (n, steps), where `IGNORED` marks positions
    that do not count; or numbers, float32 (n, numbers).
    """

    inputs: NDArray[Any]
    targets: NDArray[Any]
    added: int = 0
    """How many at the end are no data but samples that a stage drew, for training alone."""
    clusters: NDArray[np.int64] | None = field(default=None, compare=False)
    """Of each, shape (n,), where examples depend on each other, such as sentences of one document:
    those of one cluster do, those of two do not. None where each is independent of the others.
    Asked of the test split: a verdict counts clusters there, not examples."""

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Handling:
    """How the examples outside the test split are divided by seed, and inputs normalized.

    Attributes:
        division: of training and validation. "stratified": at random, the same share of every
            class. "random": at random. "ordered": validation is the end, whatever the seed.
        gap: examples left out between the two parts of an ordered division, so that no window of
            one reaches into the other.
        normalization: by the training part. "scalar": all values of an input alike. "feature":
            each value of an input by its own mean and deviation. "none": inputs stay as they are.
        groups: of each example, or None; those of one group are never divided.
        folds: of a cross-validation, or None; each seed validates on one of them.
        validation: the examples that validate, whatever the seed, or None.
        statistics: what inputs are normalized by: the training part, or all outside the test split.
        leaked: share of the validation examples that are trained on too, on purpose.
        oversample: whether training repeats examples of rare classes.
    """

    division: Literal["stratified", "random", "ordered"] = "stratified"
    gap: int = 0
    normalization: Literal["scalar", "feature", "none"] = "scalar"
    groups: NDArray[np.int64] | None = field(default=None, compare=False)
    folds: int | None = None
    validation: NDArray[np.int64] | None = field(default=None, compare=False)
    statistics: Literal["training", "open"] = "training"
    leaked: float = 0.0
    oversample: bool = False


@dataclass(frozen=True)
class TrialData:
    """What one trial is handed. `test` is None unless the trial may read the test split.

    `tokens` is the text of each token id, where inputs are such and it is known. `columns` is the
    column of a table that each input was made of, where inputs are such and the columns have names.
    """

    name: str
    form: Form
    examples: Examples
    test: Examples | None
    handling: Handling = Handling()
    tokens: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """A data set whose test split is fixed, the same for every seed and every study."""

    name: str
    form: Form
    examples: Examples
    test: Examples
    handling: Handling = Handling()
    fingerprint: str = ""
    tokens: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    def for_phase(self, phase: Phase) -> TrialData:
        """Return what a trial of this phase may see: only confirmation gets the test split."""
        test = self.test if phase is Phase.CONFIRMATION else None
        examples, handling = self.examples, self.handling
        return TrialData(self.name, self.form, examples, test, handling, self.tokens, self.columns)


def blocks(count: int, length: int) -> NDArray[np.int64]:
    """Return clusters of so many neighbours each, in their order, as of a series or a text.

    Blocks that share nothing but their ends are nearly independent of each other if they are long
    enough (Carlstein, Annals of Statistics 14, 1986). The last one takes what is left over.

    Args:
        count: of all examples.
        length: of a block, in examples.
    """
    return np.minimum(np.arange(count) // length, max(0, count // length - 1))


def split(
    targets: NDArray[Any], fraction: float, seed: int, handling: Handling | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divide examples into training and validation indices.

    Args:
        targets: of the examples, shape (n, ...).
        fraction: share that goes to validation (at least one example; where the division is
            stratified, of every class).
        seed: of the trial; all arms under one seed get the same split.
        handling: says how to divide; stratified by class unless given.

    Returns:
        Sorted index arrays of the training and of the validation examples; disjoint, and together
        all n, but for the gap of an ordered division.
    """
    handling = handling or Handling()
    count = len(targets)
    if handling.validation is not None:
        return np.setdiff1d(np.arange(count), handling.validation), handling.validation
    if handling.folds is not None or handling.groups is not None:
        held_out = _fold(targets, fraction, seed, handling)
        return np.setdiff1d(np.arange(count), held_out), held_out
    size = max(1, round(fraction * count))
    if handling.division == "ordered":
        return np.arange(count - size - handling.gap), np.arange(count - size, count)
    generator = np.random.default_rng(stream(seed, "split"))
    if handling.division == "random":
        held_out = np.sort(generator.permutation(count)[:size])
        return np.setdiff1d(np.arange(count), held_out), held_out
    validation = []
    for label in np.unique(targets):
        members = generator.permutation(np.flatnonzero(targets == label))
        validation.append(members[: max(1, round(fraction * len(members)))])
    held_out = np.sort(np.concatenate(validation))
    return np.setdiff1d(np.arange(count), held_out), held_out


def trained_on(
    targets: NDArray[Any],
    train: NDArray[np.int64],
    validation: NDArray[np.int64],
    seed: int,
    handling: Handling,
) -> NDArray[np.int64]:
    """Return what a seed is trained on: the training part, and what is repeated or leaks.

    Args:
        targets: of all examples, shape (n, ...).
        train: indices of the training part.
        validation: indices of the validation part.
        seed: of the trial.
        handling: says what is repeated, and what leaks.
    """
    if handling.leaked:
        order = np.random.default_rng(stream(seed, "leak")).permutation(validation)
        train = np.concatenate([train, np.sort(order[: round(handling.leaked * len(order))])])
    if not handling.oversample:
        return train
    generator, parts = np.random.default_rng(stream(seed, "oversample")), [train]
    labels, counts = np.unique(targets[train], return_counts=True)
    for label, count in zip(labels, counts, strict=True):
        copies, more = divmod(int(counts.max()) - int(count), int(count))
        members = train[targets[train] == label]
        parts += [members] * copies + [np.sort(generator.permutation(members)[:more])]
    return np.concatenate(parts)


def _fold(
    targets: NDArray[Any], fraction: float, seed: int, handling: Handling
) -> NDArray[np.int64]:
    """Return the fold that a seed validates on; every `folds` seeds it is drawn anew."""
    from sklearn import model_selection  # slow to import, and rarely needed

    stratified, grouped = handling.division == "stratified", handling.groups is not None
    drawing, place = divmod(seed, handling.folds) if handling.folds else (seed, 0)
    name = {(False, False): "KFold", (True, False): "StratifiedKFold",
            (False, True): "GroupKFold", (True, True): "StratifiedGroupKFold"}  # fmt: skip
    folds = getattr(model_selection, name[stratified, grouped])(
        handling.folds or max(2, round(1 / fraction)),
        shuffle=True,
        random_state=stream(drawing, "split") % 2**32,
    )
    parts = folds.split(np.zeros(len(targets)), targets, handling.groups)
    held_out: NDArray[np.int64] = next(itertools.islice(parts, place, None))[1]
    return np.sort(held_out)


def count_duplicates(dataset: Dataset) -> int:
    """Count the test inputs that also stand, byte for byte, among the other examples."""
    return count_shared(dataset.test, dataset.examples)


def count_shared(some: Examples, others: Examples) -> int:
    """Count the inputs of some examples that also stand, byte for byte, among others."""
    seen = {_digest(row) for row in others.inputs}
    return sum(_digest(row) in seen for row in some.inputs)


def _digest(row: NDArray[Any]) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(row).tobytes(), digest_size=12).digest()
