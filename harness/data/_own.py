"""Data that are no module of this package: what a user's function returns, and none at all."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.components.base import FUNCTION
from harness.data._arrays import OwnArrays, Pair, array_dataset
from harness.data._dataset import LOCKED_SEED, Dataset, Examples
from harness.data._divide import GUESS, PARTS
from harness.data.base import Data, DataMissingError
from harness.data_spec import Form
from harness.lazy import numpy as np
from harness.lazy import torch

_READ_TWICE = 8
"""Examples that are read twice: a flip of every second image is missed once in 256 times."""

if TYPE_CHECKING:
    from numpy.typing import NDArray


class NoData(Data):
    """Nothing: a training of your own reads its data itself."""

    name: Literal["none"]
    validation_fraction: float = Field(0.2, description="of no use")

    rule: ClassVar[str] = "own-1"

    @property
    def form(self) -> Form:
        """None that means anything."""
        return Form((1,), 1)

    def sizes(self) -> tuple[int, int]:
        """Say that there are some: the time of a training is guessed by it."""
        return GUESS, GUESS

    def load(self, root: Path) -> Dataset:
        """Return a data set without examples."""
        del root
        empty = Examples(np.zeros((0, 1), dtype=np.float32), np.zeros(0, dtype=np.int64))
        return Dataset("none", self.form, empty, empty)


class OwnFunction(OwnArrays):
    """Your own function, `package.module:function`, which returns data.

    A pair (inputs, targets) of arrays or tensors, a data set or a DataLoader of PyTorch, or a
    mapping of such: `train`, and perhaps `validation`, `test` and `groups`.
    """

    name: str = Field(pattern=FUNCTION)
    settings: dict[str, Any] = Field(default_factory=dict, description="passed to the function")

    by_content: ClassVar[bool] = True

    def load(self, root: Path) -> Dataset:
        """Call the function, always under the same seeds, and check what it returns.

        Raises:
            DataMissingError: if it raises, or returns something else.
        """
        del root  # it knows where its data are
        from harness.isolation import untouched

        import_module("torch")  # so that what the function does to it is seen
        with untouched():
            parts, groups = _returned(self.name, self.settings)
        return array_dataset(self, self.name, parts, groups)


def _returned(
    name: str, settings: Mapping[str, Any]
) -> tuple[dict[str, Pair], NDArray[Any] | None]:
    """Return what a function gives, by part, and the groups of all."""
    found = _called(name, settings)
    if not isinstance(found, Mapping):
        return {"train": _pair(found, name)}, None
    given = dict(found)
    groups = given.pop("groups", None)
    strange = [str(key) for key in given if PARTS.get(str(key)) is None]
    if strange or "train" not in {PARTS[str(key)] for key in given}:
        raise DataMissingError(
            f"{name} returned a mapping of {', '.join(map(str, found)) or 'nothing'}; expected "
            "train, and perhaps validation, test and groups"
        )
    parts = {PARTS[str(key)]: _pair(value, f"{name}, {key}") for key, value in given.items()}
    return parts, None if groups is None else np.asarray(groups)


def _called(name: str, settings: Mapping[str, Any]) -> Any:
    from harness.isolation import seed_generators
    from harness.own.imports import missing, own_function
    from harness.own.lookup import CodeMissingError

    seed_generators(LOCKED_SEED)
    try:
        return own_function(name)(**settings)
    except CodeMissingError as error:
        raise DataMissingError(str(error)) from None
    except (Exception, SystemExit) as error:  # whatever a user's function raises
        said = ". ".join(filter(None, [str(error).strip(), missing(error)])) or "no message"
        raise DataMissingError(f"{name} raised {type(error).__name__}: {said}") from error


def _pair(value: Any, where: str) -> Pair:
    """Return inputs and targets of a pair of arrays, a data set or a loader of PyTorch."""
    known = torch.utils.data
    source = value.dataset if isinstance(value, known.DataLoader) else value
    if isinstance(source, known.Dataset) and not isinstance(source, known.IterableDataset):
        _check_repeats(source, where)
    if isinstance(value, known.DataLoader):
        batches = [_items(batch, where) for batch in value]
        if not batches:
            raise DataMissingError(f"{where}: the loader gave no batch")
        return tuple(np.concatenate(side) for side in zip(*batches, strict=True))  # type: ignore[return-value]
    if isinstance(value, known.Dataset):
        if isinstance(value, known.IterableDataset):
            rows = [_items(row, where) for row in value]
        else:
            rows = [_items(value[i], where) for i in range(len(value))]  # type: ignore[arg-type]
        if not rows:
            raise DataMissingError(f"{where} holds no examples")
        try:
            return tuple(np.stack(side) for side in zip(*rows, strict=True))  # type: ignore[return-value]
        except ValueError as error:
            raise DataMissingError(f"{where}: examples differ in shape: {error}") from None
    return _items(value, where)


def _check_repeats(dataset: Any, where: str) -> None:
    """Refuse a data set that gives another example each time: it is read only once.

    Raises:
        DataMissingError: as for images behind a random transform.
    """
    for place in range(min(_READ_TWICE, len(dataset))):
        first, second = (dataset[place] for _ in range(2))
        pairs = zip(_leaves(first), _leaves(second), strict=False)
        if not all(np.array_equal(one, other) for one, other in pairs):
            raise DataMissingError(
                f"{where}: example {place} is another one each time it is read, as after a random "
                "transform. Data are read once, so that it would be drawn once for ever and act on "
                "validation too: leave the transform out, and name an `augmentation` in the study"
            )


def _leaves(example: Any) -> list[NDArray[Any]]:
    """Return the parts of an example that are arrays of numbers; NaN as one that equals itself."""
    parts = example if isinstance(example, tuple | list) else [example]
    arrays = [np.asarray(part) for part in parts if not isinstance(part, Mapping)]
    return [np.nan_to_num(one) for one in arrays if one.dtype.kind in "biuf"]


def _items(value: Any, where: str) -> Pair:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise DataMissingError(
            f"{where} is {type(value).__name__}; expected (inputs, targets), a data set or a "
            "DataLoader of PyTorch"
        )
    return _array(value[0], where), _array(value[1], where)


def _array(value: Any, where: str) -> NDArray[Any]:
    """Return an array; an image of Pillow becomes bytes (channels, height, width)."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    if hasattr(value, "convert"):
        pixels = np.asarray(value, dtype=np.uint8)
        return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    try:
        found = np.asarray(value)
    except ValueError:
        raise DataMissingError(f"{where}: rows differ in length; expected arrays") from None
    if found.dtype == object:
        raise DataMissingError(f"{where} holds {type(value).__name__}; expected arrays of numbers")
    return found
