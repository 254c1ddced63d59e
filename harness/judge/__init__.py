"""A claim and its evidence give a verdict."""

from harness.judge.verdicts import claim_declarations, declared_claims, judge
from harness.judge.words import describe_hypothesis, describe_measure

__all__ = [
    "claim_declarations",
    "declared_claims",
    "describe_hypothesis",
    "describe_measure",
    "judge",
]
