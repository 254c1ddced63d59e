"""What a test measures and expects, in words."""

from __future__ import annotations

from harness.measures.base import ACROSS
from harness.study import Comparison
from harness.study.claims import Test


def describe_measure(test: Test, comparison: Comparison | None = None) -> str:
    """Say what a test measures, such as "test.accuracy: relu − sigmoid (depth 8, 16)".

    With the arms that it compares, also say which these are where the test itself does not.
    """
    quantity = test.metric
    if test.spread_over_seeds:
        quantity = f"distance of {quantity} from its median over seeds"
    words = test.measure.words(comparison or Comparison(()))
    return f"{ACROSS[test.across].words}{quantity}: {words}"


def describe_hypothesis(test: Test) -> str:
    """Say what a test expects, such as "> 0.05"."""
    return test.hypothesis.words(test.measure.log)
