"""A claim and its evidence give a verdict."""

from harness.judge.added_seeds import Peek, judge_after_peeks
from harness.judge.interim import arms_to_continue, judge
from harness.judge.measures import numbers_per_seed
from harness.judge.verdicts import declared_claims
from harness.measures.base import MissingEvidence

__all__ = [
    "MissingEvidence",
    "Peek",
    "arms_to_continue",
    "declared_claims",
    "judge",
    "judge_after_peeks",
    "numbers_per_seed",
]
