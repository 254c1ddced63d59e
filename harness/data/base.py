"""What a data set is: settings, how many examples of which form, and how they are read.

A data set is one class in one module of this package. Its fields are what a study can set; its
methods say what can be known without reading anything, which files it is made of, and read or
generate the examples. Everything else is the same for all: the fingerprint, the lock on the test
split, divisions by seed, limits, reports.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field, create_model, model_validator

from harness.components.base import Component
from harness.data._dataset import Dataset
from harness.data._options import Option, option_fields, options_in
from harness.data_spec import NEXT_TOKEN, Form, Kind

DATA_ROOT_VARIABLE = "HARNESS_DATA"
SMALLEST_LIMIT = 4

Fraction = Annotated[float, Field(gt=0, lt=0.9, description="share kept for validation")]
Limit = Annotated[int, Field(ge=SMALLEST_LIMIT)]


class DataMissingError(Exception):
    """A data set is not on this machine and could not be fetched, or cannot be used as asked."""


@dataclass(frozen=True)
class DataSummary:
    """Sizes that can be known without loading anything: of the open part, of the test split."""

    examples: int
    test: int
    form: Form


if TYPE_CHECKING:
    WithOptions = Component
else:
    WithOptions = create_model("WithOptions", __base__=Component, **option_fields())


class Data(WithOptions):
    """A data set. A subclass has a `name` of one value, which is also its module's name.

    Beside its own settings each has those of all options (`harness.data._options`).
    """

    name: str
    validation_fraction: Fraction = 0.2

    images: ClassVar[bool] = False
    """Whether inputs are images, or may be."""
    rule: ClassVar[str] = ""
    """Version of the rule by which files or random numbers become examples; a part of the
    fingerprint, to be changed with the rule."""
    by_content: ClassVar[bool] = False
    """Whether only reading the data tells which they are; else their files and settings do."""
    repeats: ClassVar[bool] = False
    """Whether equal inputs may stand in the test split and outside of it."""
    clustered: ClassVar[bool] = False
    """Whether some test examples depend on each other, so that it names the clusters of them."""
    cases: ClassVar[Sequence[Mapping[str, Any]]] = ({},)
    """Settings under which `harness.testing.data` tries it."""
    hub_task: ClassVar[str | None] = None
    """What Hugging Face's hub calls the usual task of such data, if it has a name for it."""

    guessed: ClassVar[bool] = False
    """Whether form and sizes are only known once the data were read."""

    @model_validator(mode="after")
    def _options_mean_something(self) -> Self:
        for option in self.options:
            if (said := option.refusal(self)) is not None:
                raise ValueError(f"`{option.name}` {said}")
        return self

    @property
    def options(self) -> Sequence[Option]:
        """Those that change something, in the order in which they are applied.

        A setting of a data set's own goes before an option of the same name.
        """
        own = {name for one in type(self).__mro__ if issubclass(one, Data)
               for name in vars(one).get("__annotations__", ())}  # fmt: skip
        return options_in({name: value for name, value in self if name not in own})

    @property
    def form(self) -> Form:
        """The form of inputs and targets, as far as it is known without reading anything."""
        raise NotImplementedError

    def may_repeat(self) -> bool:
        """Whether inputs of the test split may stand outside of it too, with these settings."""
        return self.repeats

    def sizes(self) -> tuple[int, int]:
        """Return the number of examples outside the test split, and in it, without reading them.

        What is not known is estimated: plans forecast their time by it.
        """
        raise NotImplementedError

    def load(self, root: Path) -> Dataset:
        """Read or generate the examples, always the same ones; download what can be had.

        Args:
            root: folder of data files.

        Raises:
            DataMissingError: if they are not to be had, or cannot be used as asked.
        """
        raise NotImplementedError

    def load_offline(self, root: Path) -> Dataset:
        """Do the same without downloading anything; asked only of data known `by_content`."""
        return self.load(root)

    def files(self, root: Path) -> Sequence[Path]:
        """Return the files that the examples are read from; none if they are generated."""
        del root
        return ()

    def are_there(self, files: Sequence[Path], root: Path) -> bool:
        """Say whether the files are on this machine.

        Raises:
            DataMissingError: if a study names them by their path and they are not, or are others.
        """
        del root
        return all(file.is_file() for file in files)

    def says(self, file: Path, root: Path) -> str:
        """Return what the name of a file says, such as a class; empty if it says nothing."""
        del file, root
        return ""

    def reading(self, root: Path) -> list[str]:
        """Say how files of the user's are read and divided, for a plan; a line for each thing.

        Lines that begin with `warning:` say what is probably not meant.

        Raises:
            DataMissingError: as `load`.
        """
        del root
        return []

    def decides(self) -> dict[str, Any]:
        """Return the settings that decide, beside the bytes of files, which examples there are."""
        return self.model_dump(mode="json", exclude={"validation_fraction"})

    @property
    def kind(self) -> Kind:
        """The kind of targets."""
        return self.form.kind

    @property
    def scaled_targets(self) -> bool:
        """Whether targets are numbers in standard deviations from the mean of those outside the
        test split, so that errors are as well."""
        return False

    @property
    def token_meaning(self) -> Any:
        """What decides which tokens the ids of its inputs mean; None if that is not known.

        Weights of a network that reads tokens are of use for data that say the same.
        """
        return None

    @property
    def class_names(self) -> tuple[str, ...]:
        """What classes are called, in their order; empty where they go by their numbers."""
        return ()

    @property
    def class_shares(self) -> Sequence[float]:
        """The share of each class, to estimate sizes by; equal unless it is known."""
        return (1 / self.form.outputs,) * self.form.outputs

    @property
    def period(self) -> int | None:
        """Steps of a season, where inputs are windows (steps, features) of a time series.

        The first feature is the one that is predicted. None for other data.
        """
        return None

    @property
    def predicts_next(self) -> bool:
        """Whether the target at a place is the token after it, which is an input as well."""
        return self.name in NEXT_TOKEN

    @property
    def most_examples(self) -> int | None:
        """How many examples there are outside the test split, whatever `limit` says, or fewer.

        None where that is not known, or depends on other settings.
        """
        return None

    def fitted(self, rest: int) -> int:
        """Return how many of so many examples outside the test split are trained on, at most."""
        return rest - math.floor(rest * self.validation_fraction)

    def summary(self) -> DataSummary:
        """Return sizes and form."""
        sizes = self.sizes()
        for option in self.options:
            sizes = option.sizes(self, *sizes)
        return DataSummary(*sizes, self.form)

    def changed(self, dataset: Dataset) -> Dataset:
        """Return what was read as the options change it.

        Raises:
            DataMissingError: if the examples do not allow it.
        """
        for option in self.options:
            dataset = option.apply(dataset)
        return dataset


class OfLibrary(Data):
    """A data set that a library downloads and keeps, and that is known by its arrays."""

    by_content: ClassVar[bool] = True

    def fetched(self, root: Path, *, download: bool) -> Dataset:
        """Return the data set by way of its library.

        Args:
            root: folder of data files.
            download: whether the library may, where it can.

        Raises:
            DataMissingError: if it is not to be had.
        """
        raise NotImplementedError

    def load(self, root: Path) -> Dataset:
        """See `Data`."""
        return self.fetched(root, download=True)

    def load_offline(self, root: Path) -> Dataset:
        """See `Data`."""
        return self.fetched(root, download=False)


class ClassData(Data):
    """Examples of classes, of which some can be chosen."""

    limit: Limit | None = Field(
        None,
        description="use only this many of the examples outside the test split, drawn evenly by "
        "class; a smaller draw is a part of every larger one",
    )

    @property
    def class_count(self) -> int:
        """The number of classes."""
        return 2

    @model_validator(mode="after")
    def _two_of_each_class(self) -> Self:
        if self.limit is not None and self.limit < 2 * self.class_count:
            raise ValueError(
                f"`limit` ({self.limit}) leaves less than two examples of each of the "
                f"{self.class_count} classes"
            )
        return self


def missing(what: str, root: Path, advice: str) -> DataMissingError:
    """Say that files are not there, and what to do."""
    return DataMissingError(
        f"{what} under '{root}'. {advice}, and name the folder that holds it with --data-root or "
        f"${DATA_ROOT_VARIABLE}"
    )


def bundled(package: str, *inside: str) -> Path:
    """Return the path of a file that an installed package brings, without importing it."""
    found = find_spec(package)
    assert found is not None
    assert found.submodule_search_locations is not None
    return Path(found.submodule_search_locations[0]).joinpath(*inside)
