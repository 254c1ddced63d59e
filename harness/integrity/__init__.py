"""What could weaken a verdict: each thing is looked for, and what is found is said plainly."""

from harness.integrity.checks import FINE, NOTED, UNKNOWN, Check, check
from harness.integrity.ledger import Ledger, read_ledger
from harness.integrity.provenance import Provenance, changed_claims, provenance_of
from harness.integrity.published import merged, published_looks
from harness.integrity.registration import Registration, deviations, freeze, read_registration
from harness.integrity.seals import digest_of, evidence_digest, read_seal, sealed

__all__ = [
    "FINE",
    "NOTED",
    "UNKNOWN",
    "Check",
    "Ledger",
    "Provenance",
    "Registration",
    "changed_claims",
    "check",
    "deviations",
    "digest_of",
    "evidence_digest",
    "freeze",
    "merged",
    "provenance_of",
    "published_looks",
    "read_ledger",
    "read_registration",
    "read_seal",
    "sealed",
]
