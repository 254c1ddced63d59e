"""Data sets that a study can name."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from harness.study.components.base import Component, named
from harness.study.components.generated_data import Adding, Function, Recall
from harness.study.components.image_data import CIFAR10, MNIST, Digits
from harness.study.components.number_data import Series, Table
from harness.study.components.text_data import Characters, Docstrings, RTPolarity

__all__ = [
    "Adding",
    "CIFAR10",
    "Characters",
    "DATA",
    "Data",
    "Digits",
    "Docstrings",
    "Function",
    "MNIST",
    "RTPolarity",
    "Recall",
    "Series",
    "Table",
]

Data = Annotated[
    Annotated[
        Digits
        | MNIST
        | CIFAR10
        | RTPolarity
        | Docstrings
        | Characters
        | Recall
        | Adding
        | Function
        | Series
        | Table,
        Field(discriminator="name"),
    ],
    BeforeValidator(named),
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
    "series": Series,
    "table": Table,
}
