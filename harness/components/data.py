"""Data sets that a study can name."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Tag

from harness.components.base import Component, named
from harness.components.generated_data import Adding, Function, Recall, Ring
from harness.components.image_data import CIFAR10, MNIST, Digits
from harness.components.number_data import Series, Table
from harness.components.own_data import (
    Arrays,
    HuggingFaceData,
    ImageFolder,
    ImageParquet,
    OwnFunction,
    TableFile,
    TextFiles,
    TorchvisionData,
)
from harness.components.text_data import Characters, Docstrings, RTPolarity
from harness.components.training import NoData
from harness.plugins import registered

__all__ = [
    "Adding",
    "Arrays",
    "CIFAR10",
    "Characters",
    "DATA",
    "Data",
    "Digits",
    "Docstrings",
    "Function",
    "HuggingFaceData",
    "ImageFolder",
    "ImageParquet",
    "MNIST",
    "OwnFunction",
    "RTPolarity",
    "Recall",
    "Ring",
    "Series",
    "Table",
    "TableFile",
    "TextFiles",
    "TorchvisionData",
]

DATA: dict[str, type[Component]] = {
    "digits": Digits,
    "mnist": MNIST,
    "cifar10": CIFAR10,
    "rt_polarity": RTPolarity,
    "docstrings": Docstrings,
    "characters": Characters,
    "recall": Recall,
    "adding": Adding,
    "function": Function,
    "ring": Ring,
    "series": Series,
    "table": Table,
    "image_folder": ImageFolder,
    "image_parquet": ImageParquet,
    "table_file": TableFile,
    "texts": TextFiles,
    "arrays": Arrays,
    "torchvision": TorchvisionData,
    "huggingface": HuggingFaceData,
}


def _data_kind(value: Any) -> str | None:
    name = value.get("name") if isinstance(value, dict) else getattr(value, "name", None)
    return None if name is None else "custom" if ":" in str(name) else str(name)


Data = Annotated[
    Annotated[Digits, Tag("digits")]
    | Annotated[MNIST, Tag("mnist")]
    | Annotated[CIFAR10, Tag("cifar10")]
    | Annotated[RTPolarity, Tag("rt_polarity")]
    | Annotated[Docstrings, Tag("docstrings")]
    | Annotated[Characters, Tag("characters")]
    | Annotated[Recall, Tag("recall")]
    | Annotated[Adding, Tag("adding")]
    | Annotated[Function, Tag("function")]
    | Annotated[Ring, Tag("ring")]
    | Annotated[Series, Tag("series")]
    | Annotated[Table, Tag("table")]
    | Annotated[ImageFolder, Tag("image_folder")]
    | Annotated[ImageParquet, Tag("image_parquet")]
    | Annotated[TableFile, Tag("table_file")]
    | Annotated[TextFiles, Tag("texts")]
    | Annotated[Arrays, Tag("arrays")]
    | Annotated[TorchvisionData, Tag("torchvision")]
    | Annotated[HuggingFaceData, Tag("huggingface")]
    | Annotated[NoData, Tag("none")]
    | Annotated[OwnFunction, Tag("custom")],
    Discriminator(_data_kind),
    BeforeValidator(registered("data", DATA)),
    BeforeValidator(named),
]
