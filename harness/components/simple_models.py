"""Simple models that stand beside the networks, or in an arm of their own."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.components.base import Component
from harness.form import Kind

SIMPLE_KINDS: dict[str, Kind] = {
    "logistic_regression": "class",
    "ridge": "numbers",
    "seasonal_naive": "numbers",
    "ngram": "sequence",
}
"""The kind of targets that each of these models is for."""


class LogisticRegression(Component):
    """Multinomial logistic regression by scikit-learn; texts as bags of words."""

    name: Literal["logistic_regression"]
    regularization: float = Field(1.0, gt=0, description="inverse strength of the L2 penalty")


class Ridge(Component):
    """Linear regression with an L2 penalty by scikit-learn, for targets that are numbers."""

    name: Literal["ridge"]
    regularization: float = Field(1.0, gt=0, description="strength of the L2 penalty")


class SeasonalNaive(Component):
    """The forecast that everything will be as it was one season ago."""

    name: Literal["seasonal_naive"]


class NGram(Component):
    """Counts of which character followed the last few, with Kneser-Ney smoothing."""

    name: Literal["ngram"]
    order: int = Field(5, ge=1, le=20, description="characters, of which the last is predicted")
