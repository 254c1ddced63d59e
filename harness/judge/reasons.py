"""Why a claim has its verdict, in words: what decided, and what could weaken it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.formatting import plural
from harness.judge.measures import unit_of_test
from harness.judge.repeats import words
from harness.judge.result import TestResult
from harness.stats.averages import far_from_the_others, rate_interval

UNSEEN = 0.95  # confidence with which the rate of what was not seen is bounded


def reason_of(outcome: str, parts: Sequence[TestResult], lead: TestResult, alpha: float) -> str:
    """Return why a claim has its verdict.

    Args:
        outcome: the verdict.
        parts: the tests of the claim.
        lead: the one that decided.
        alpha: of the study.
    """
    if outcome == "incomplete":
        return next(part.missing for part in parts if part.missing)
    if lead.test.premise and lead.outcome != "supported":
        return (
            f"a premise is not shown, {lead.measures} {lead.expected}, so the other parts"
            " decide nothing"
        )
    found, unit = lead.assessment, unit_of_test(lead.test)
    assert found is not None
    if found.deviation is None and math.isinf(found.low):
        return f"one {unit} shows no spread"
    if found.deviation == 0.0 and math.isinf(found.low):
        return (
            f"all {found.n} numbers are equal, which does not show how much they vary, and"
            f" {lead.test.metric} is not known to be the same whatever the {unit}"
            + ("" if unit == "data set" else _known(lead, unit))
        )
    level = f"the {100 * found.level:.4g}% interval"
    text = {
        "supported": f"{level} lies where the claim puts the effect",
        "refuted": f"{level} excludes the claimed effect",
    }.get(outcome, f"{level} does not decide")
    if outcome == "supported" and all(part.of_mean for part in parts):
        text += f"; {_sign_flip_text(parts, alpha)}"
    text += _unlike_a_mean(parts)
    text += words(outcome, max(part.searches for part in parts))
    if clustered := next((part.variation.words for part in parts if part.variation.words), ""):
        text += f"; {clustered}"
    if lone := _lone_seeds(parts):
        text += f"; {lone}"
    elif any(part.assessment.skewed for part in parts if part.assessment and part.sign_flip):
        text += "; the numbers are skewed, so the interval may err more often than it says"
    elif outcome != "inconclusive" and (unseen := _unseen(parts)):
        text += f"; {unseen}"
    if any(part.test.generalize_over for part in parts):
        text += (
            "; each data set counts as one number, the mean over its seeds, and the interval holds"
            " for other data sets only as far as these were drawn from such"
        )
    if unit == "block":
        text += "; blocks are of one machine at one time, and another machine may differ"
    if any(part.test.metric.startswith("validation.") for part in parts):
        text += "; a validation metric is of the epoch that it chose, so it may flatter"
    return text


def _unlike_a_mean(parts: Sequence[TestResult]) -> str:
    """Say what an interval is that is none of a mean."""
    if any(part.test.measure.name == "crossing" for part in parts):
        return (
            "; up to the lower end of the interval of a crossing the first arm is behind, and from"
            " the upper end on it is ahead; an end is open where no level shows that"
        )
    if any(part.sign_flip is None for part in parts):
        return "; a seed counts as 0 or 1, and the interval is that of a share, no t interval"
    return ""


def _known(lead: TestResult, unit: str) -> str:
    if lead.test.deterministic:
        return f" (`deterministic: true` is wrong: single arms have other numbers on other {unit}s)"
    return " (if it is, say `deterministic: true`)"


def _lone_seeds(parts: Sequence[TestResult]) -> str:
    """Say how many seeds lie far from the others, and how often such seeds may come."""
    found = [
        (int(far_from_the_others(part.per_seed).sum()), len(part.per_seed), _units(part))
        for part in parts
        if part.per_seed is not None and part.of_mean
    ]
    far, seeds, units = max(found, default=(0, 1, ""))
    if not far:
        return ""
    low, high = (100 * end for end in rate_interval(far, seeds))
    lie = "lies" if far == 1 else "lie"
    return (
        f"{far} of {seeds} {units} {lie} far from the others (a rate of {low:.2g} to {high:.2g}%),"
        f" so the mean is not what most {units} show, and its interval may err more often than it"
        " says"
    )


def _unseen(parts: Sequence[TestResult]) -> str:
    """Say how common seeds far from the others may be although none was seen.

    The exact bound for no event in n (Hanley and Lippman-Hand, JAMA 249, 1983).
    """
    counts = [
        (len(part.per_seed), _units(part))
        for part in parts
        if part.per_seed is not None
        and part.of_mean
        and part.assessment
        and part.assessment.deviation
    ]
    if not counts:
        return ""
    seeds, units = min(counts)
    _, most = rate_interval(0, seeds, 2 * UNSEEN - 1)
    return (
        f"none of {seeds} {units} lies far from the others, yet up to {100 * most:.2g}% of"
        f" all {units} could ({100 * UNSEEN:.2g}% confidence)"
    )


def _sign_flip_text(parts: Sequence[TestResult], alpha: float) -> str:
    """Say whether a sign-flip test supports the claim as well, by the part that it doubts most."""
    p, smallest, numbers = max(
        (part.corrected(flipped[0]), flipped[1], _counted(found.n, part))
        for part in parts
        if (found := part.assessment) and (flipped := part.sign_flip)
    )
    said = f"a sign-flip test {'agrees' if p <= alpha else 'alone would not show it'} (p = {p:.2g}"
    return said + (f", the smallest that {numbers} can give)" if smallest else ")")


def _counted(numbers: int, part: TestResult) -> str:
    if part.searches > 1:
        return plural(numbers, "repeated search", "repeated searches")
    return plural(numbers, unit_of_test(part.test))


def _units(part: TestResult) -> str:
    return f"{unit_of_test(part.test)}s"
