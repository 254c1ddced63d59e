"""The last line of a report: what it was made from, and a digest of itself.

It tells of edits and of pages that show other records than those at hand. It is no signature:
whoever edits a page can write a new line as well; then the records still give other verdicts.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.evidence import Evidence
from harness.judged import Verdict
from harness.trial import digest

_OF_TRIALS = ("test.", "validation.", "train.", "gap.", "probe.", "cost.")
_LINE = re.compile(
    r"<!-- harness verify: evidence ([0-9a-f]{16}), verdicts ([0-9a-f]{16}),"
    r" page ([0-9a-f]{16}) -->\n\Z"
)


@dataclass(frozen=True)
class Seal:
    """What a page says of itself.

    Attributes:
        evidence: the digest of the evidence of all its profiles.
        verdicts: the digest of all their verdicts.
        whole: whether the page is as it was written.
    """

    evidence: str
    verdicts: str
    whole: bool


def evidence_digest(evidence: Evidence) -> str:
    """Digest what verdicts rest on: the plan, and every confirmation record with its metrics.

    The records of timing blocks follow, where there are any.
    """
    listed = _listed(evidence.confirmation, _OF_TRIALS)
    listed += _listed(evidence.timing, ("timing.",))
    execution = evidence.execution
    return digest([execution.study, execution.profile, execution.plan_hash, listed])


def _listed(rows: pd.DataFrame, prefixes: tuple[str, ...]) -> list[list[Any]]:
    names = sorted(str(name) for name in rows if str(name).startswith(prefixes))
    return [
        [
            *(str(row[name]) for name in ("trial_id", "arm", "seed", "state")),
            {name: value for name in names if (value := _number(row[name])) is not None},
        ]
        for row in rows.to_dict("records")
    ]


def _number(value: object) -> float | None:
    number = float(value)  # type: ignore[arg-type]
    return number if math.isfinite(number) else None


def digest_of(profiles: Iterable[tuple[Evidence, Sequence[Verdict]]]) -> tuple[str, str]:
    """Digest the evidence, and the verdicts, of the profiles of a study, in any order."""
    found = sorted(
        (
            evidence.execution.profile,
            evidence_digest(evidence),
            [[v.id, v.verdict, v.seeds, *map(_rounded, _numbers(v))] for v in verdicts],
        )
        for evidence, verdicts in profiles
    )
    return (
        digest([[name, mark] for name, mark, _ in found]),
        digest([[name, verdicts] for name, _, verdicts in found]),
    )


def _numbers(verdict: Verdict) -> tuple[float | None, ...]:
    return verdict.effect, verdict.ci_low, verdict.ci_high, verdict.p_corrected


def _rounded(value: float | None) -> str:
    """Write a number without the last digits, which another library may compute otherwise."""
    return "" if value is None else f"{value:.6g}"


def sealed(text: str, evidence: str, verdicts: str) -> str:
    """Return a page with its last line."""
    text = text if text.endswith("\n") else f"{text}\n"
    return (
        f"{text}<!-- harness verify: evidence {evidence}, verdicts {verdicts},"
        f" page {_of_page(text, evidence, verdicts)} -->\n"
    )


def read_seal(page: str) -> Seal | None:
    """Read the last line of a page; None where there is none, as in pages of older versions."""
    found = _LINE.search(page)
    if found is None:
        return None
    evidence, verdicts, mark = found.groups()
    text = page[: found.start()]
    return Seal(evidence, verdicts, _of_page(text, evidence, verdicts) == mark)


def _of_page(text: str, evidence: str, verdicts: str) -> str:
    return hashlib.sha256(f"{text}{evidence}{verdicts}".encode()).hexdigest()[:16]
