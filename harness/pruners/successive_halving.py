"""Successive halving."""

from __future__ import annotations

from typing import Literal

from harness.pruners.base import Halving


class SuccessiveHalving(Halving):
    """A candidate goes on at epochs `first`, `first * factor`, ... if it is among the best.

    It has to be within the best 1/`factor` of those that came as far in earlier rounds (Li et al.
    2020, A system for massively parallel hyperparameter tuning).
    """

    name: Literal["successive_halving"]
