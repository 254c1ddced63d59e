"""The effect of a claim, or of a part of it, and where the claim puts it: what drawings show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.hypotheses.base import Ranges
from harness.study import Study
from harness.study.claims import Claim, Test
from harness.trial import Verdict


@dataclass(frozen=True)
class Effect:
    """One row: an effect on the scale of its claim, and the region where the claim puts it.

    `claimed` holds one or two ranges, whose ends may be infinite; `neutral` is no effect (0, or 1
    for a ratio), None where the claim is about a value. `title` is empty for the second and later
    parts of a claim; `overall` is the verdict of a claim of several parts, with its first.
    """

    title: str
    measures: str
    expected: str
    verdict: str
    effect: float | None
    low: float | None
    high: float | None
    claimed: tuple[tuple[float, float], ...]
    neutral: float | None
    reason: str
    overall: str = ""


def effects(study: Study, verdicts: Sequence[Verdict]) -> list[Effect]:
    """Return the rows of the forest: one per claim, and one per part of a composite claim."""
    claims = {claim.id: claim for claim in study.claims}
    rows = []
    for verdict in verdicts:
        claim = claims.get(verdict.id)
        if claim is not None:
            rows += _rows(claim, verdict)
    return rows


def _rows(claim: Claim, verdict: Verdict) -> list[Effect]:
    if not verdict.parts:
        test = claim.tests[0]
        return [
            Effect(
                verdict.says, verdict.measures, verdict.expected, verdict.verdict, verdict.effect,
                verdict.ci_low, verdict.ci_high, claimed_ranges(test), test.measure.neutral,
                verdict.reason,
            )
        ]  # fmt: skip
    return [
        _part(verdict if index == 0 else None, test, part)
        for index, (test, part) in enumerate(zip(claim.tests, verdict.parts, strict=True))
    ]


def _part(whole: Verdict | None, test: Test, part: dict[str, Any]) -> Effect:
    return Effect(
        whole.says if whole else "", part["measures"], part["expected"], part["verdict"],
        part["effect"], part["ci_low"], part["ci_high"], claimed_ranges(test), test.measure.neutral,
        part["missing"],
        overall=whole.verdict if whole else "",
    )  # fmt: skip


def claimed_ranges(test: Test) -> Ranges:
    """Return where a test puts its effect, on the scale of the claim."""
    return test.hypothesis.ranges(test.measure.log)
