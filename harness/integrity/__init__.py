"""What could weaken a verdict: each thing is looked for, and what is found is said plainly."""

from harness.integrity.budgets import Spending, spending
from harness.integrity.checks import FINE, NOTED, UNKNOWN, Check, check
from harness.integrity.ledger import Ledger, read_ledger
from harness.integrity.standing import Standing, changed_claims, compare

__all__ = [
    "FINE",
    "NOTED",
    "UNKNOWN",
    "Check",
    "Ledger",
    "Spending",
    "Standing",
    "changed_claims",
    "check",
    "compare",
    "read_ledger",
    "spending",
]
