"""Data that are generated from a seed of their own, the same on every machine."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from harness.components.data_base import DataSet, Fraction
from harness.form import Kind


class Recall(DataSet):
    """A symbol is shown, `lag` distracting symbols follow, and at the end it is asked for.

    After the noisy sequences of Hochreiter and Schmidhuber 1997, Long short-term memory.
    """

    name: Literal["recall"]
    lag: int = Field(10, ge=0, le=10_000, description="distracting symbols between")
    symbols: int = Field(8, ge=2, le=1000, description="that may be shown: the classes")
    distractors: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="different symbols that distract; unless given, the same symbols do, and only "
        "the first one counts",
    )
    examples: int = Field(2000, ge=20, description="for training and validation")
    test: int = Field(500, ge=10, description="examples of the test split")
    validation_fraction: Fraction = 0.2

    @model_validator(mode="after")
    def _enough_sequences(self) -> Self:
        possible = self.symbols * (self.distractors or self.symbols) ** min(self.lag, 64)
        if possible < 2 * (self.examples + self.test):
            raise ValueError(
                f"there are only {possible} different sequences, too few to draw "
                f"{self.examples + self.test}; choose a larger `lag`, or fewer `examples` and "
                "`test`"
            )
        if self.examples < 2 * self.symbols:
            raise ValueError("`examples` must be at least twice the number of `symbols`")
        return self


class Adding(DataSet):
    """The adding problem: the sum of the two numbers of a sequence that are marked.

    Hochreiter and Schmidhuber 1997, with numbers from 0 to 1 and a mark in each half (Le et al.
    2015). Always predicting 1 has a squared error of 1/6.
    """

    name: Literal["adding"]
    length: int = Field(30, ge=2, le=10_000, description="steps of a sequence")
    examples: int = Field(5000, ge=20, description="for training and validation")
    test: int = Field(1000, ge=10, description="examples of the test split")
    validation_fraction: Fraction = 0.1

    @property
    def kind(self) -> Kind:
        """The kind of targets."""
        return "numbers"


class Function(DataSet):
    """A continuous function on [-1, 1] or its square, with values in [-1, 1].

    `wave` is a smooth mixture of sines; `ripple` a smooth one of two variables; `sawtooth` the tent
    map applied `folds` times, which takes many units in one layer but few layers of two units
    (Telgarsky 2016, Benefits of depth in neural networks). Training points are drawn at random,
    test points stand on a dense grid.
    """

    name: Literal["function"]
    target: Literal["wave", "ripple", "sawtooth"] = "wave"
    folds: int = Field(3, ge=1, le=20, description="of the sawtooth, which has 2^folds pieces")
    examples: int = Field(1000, ge=20, description="points for training and validation")
    validation_fraction: Fraction = 0.2

    @property
    def kind(self) -> Kind:
        """The kind of targets."""
        return "numbers"


class Ring(DataSet):
    """Points around the corners of a regular polygon, as normal clouds: a mode for each class.

    The usual test of whether a generator covers all modes of its data (Metz et al. 2017, Unrolled
    generative adversarial networks): eight modes on a circle of radius 2, deviation 0.02.
    """

    name: Literal["ring"]
    modes: int = Field(8, ge=2, le=1000, description="clouds on the circle: the classes")
    radius: float = Field(2.0, gt=0, description="of the circle")
    deviation: float = Field(0.02, gt=0, description="standard deviation of a cloud")
    examples: int = Field(2000, ge=20, description="for training and validation")
    test: int = Field(1000, ge=10, description="examples of the test split")
    validation_fraction: Fraction = 0.2

    @model_validator(mode="after")
    def _points_in_every_mode(self) -> Self:
        if min(self.examples, self.test) < 2 * self.modes:
            raise ValueError("`examples` and `test` must be at least twice the number of `modes`")
        return self
