"""Your own data: files by path, data sets of two libraries by name, what a function returns."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from harness.components.data_base import DataSet, Fraction, Limit
from harness.form import Kind

FUNCTION = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
Side = Annotated[int, Field(ge=1, le=4096)]


class OwnData(DataSet):
    """Data that are not ours: how they are divided."""

    validation_fraction: Fraction = 0.2
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


class OwnFiles(OwnData):
    """Data in files."""

    path: str = Field(
        min_length=1, max_length=4096, description="here, under the data root, or absolute"
    )
    checksums: str | None = Field(
        None,
        description="a file as `sha256sum` writes it: data that differ are refused, by their name",
    )


class Columns(OwnFiles):
    """Files with columns."""

    split_column: str | None = Field(
        None, description="column that says train, validation or test of each row"
    )
    group_column: str | None = Field(
        None,
        description="column, such as a patient, whose rows never stand in two of train, "
        "validation and test",
    )


class Pictures(DataSet):
    """What has to be said of images."""

    images: ClassVar[bool] = True
    size: Annotated[list[Side], Field(min_length=2, max_length=2)] | Side | None = Field(
        None, description="side, or [height, width], that images are resized to"
    )
    color: Literal["rgb", "grey"] = "rgb"


class Words(DataSet):
    """What has to be said of texts."""

    length: int = Field(40, ge=1, le=10_000, description="tokens of a text; more are cut off")
    vocabulary: int = Field(
        10_000, ge=3, le=1_000_000, description="token ids: padding, unknown, commonest words"
    )
    tokenizer: str | None = Field(
        None,
        description="a tokenizer of transformers in place of our own words: a folder, "
        "package:folder, or a name on Hugging Face's hub; `vocabulary` is then the tokenizer's",
    )


class ImageFolder(OwnFiles, Pictures):
    """A folder of images with one folder for each class, or train/, test/ with such folders."""

    name: Literal["image_folder"]


class ImageParquet(Columns, Pictures):
    """Images in Parquet as Hugging Face lays them out: a column of bytes, a column of labels.

    One file, or a folder whose files are called train*, validation*, test*.
    """

    name: Literal["image_parquet"]
    image: str = Field("image", description="column of images")
    label: str = Field("label", description="column of classes")


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
    missing: Literal["refuse", "impute"] = Field(
        "refuse",
        description="impute: the mean of a number, the commonest kind, outside the test split",
    )

    @property
    def kind(self) -> Kind:
        """The kind of targets."""
        return self.targets

    @model_validator(mode="after")
    def _features_are_no_target(self) -> Self:
        if self.features is not None and self.target in self.features:
            raise ValueError(f"the target '{self.target}' stands among the `features`")
        unknown = [c for c in self.categorical if self.features and c not in self.features]
        if unknown:
            raise ValueError(f"`categorical` names '{unknown[0]}', which is none of the `features`")
        return self


class TextFiles(Columns, Words):
    """Texts of your own: a folder for each class with text files, or a CSV or Parquet file."""

    name: Literal["texts"]
    text: str = Field("text", description="column of texts")
    label: str = Field("label", description="column of classes")


class Arrays(OwnFiles):
    """A NumPy archive (.npz) of `inputs` and `targets`, perhaps `test_inputs`, `groups`, ...

    Nothing in it is run: arrays of objects are refused. Inputs of whole numbers are token ids, but
    for bytes (uint8), which are pixels.
    """

    name: Literal["arrays"]
    images: ClassVar[bool] = True
    targets: Literal["class", "numbers", "sequence"] = "class"
    vocabulary: int | None = Field(None, ge=1, description="number of token ids")

    @property
    def kind(self) -> Kind:
        """The kind of targets."""
        return self.targets


class TorchvisionData(OwnData, Pictures):
    """A data set of torchvision by the name of its class, such as FashionMNIST."""

    name: Literal["torchvision"]
    source: str = Field(pattern=r"^[A-Za-z]\w*$", description="such as FashionMNIST")
    settings: dict[str, Any] = Field(
        default_factory=dict, description="passed to torchvision's class"
    )


class HuggingFaceData(OwnData, Pictures, Words):
    """A data set of the Hugging Face hub by name; needs the package `datasets`."""

    name: Literal["huggingface"]
    source: str = Field(min_length=1, description="such as stanfordnlp/imdb, or a local folder")
    config: str | None = Field(None, description="one of its configurations")
    revision: str | None = Field(None, description="a commit, so that it cannot change")
    input: str = Field(description="column of images, texts or numbers")
    label: str = Field("label", description="column of classes")


class OwnFunction(OwnData):
    """Your own function, `package.module:function`, which returns data.

    A pair (inputs, targets) of arrays or tensors, a data set or a DataLoader of PyTorch, or a
    mapping of such: `train`, and perhaps `validation`, `test` and `groups`.
    """

    name: str = Field(pattern=FUNCTION)
    images: ClassVar[bool] = True
    targets: Literal["class", "numbers", "sequence"] = "class"
    settings: dict[str, Any] = Field(default_factory=dict, description="passed to the function")
    vocabulary: int | None = Field(
        None, ge=1, description="number of token ids, where inputs are such"
    )

    @property
    def kind(self) -> Kind:
        """The kind of targets."""
        return self.targets
