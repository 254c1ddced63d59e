"""What could weaken a verdict: each thing is looked for, and what is found is said plainly."""

from harness.integrity.checks import FINE, NOTED, UNKNOWN, Check, check
from harness.integrity.ledger import Ledger, read_ledger
from harness.integrity.provenance import Provenance, changed_claims, provenance_of

__all__ = [
    "FINE",
    "NOTED",
    "UNKNOWN",
    "Check",
    "Ledger",
    "Provenance",
    "changed_claims",
    "check",
    "provenance_of",
    "read_ledger",
]
