"""Verdicts in words: how pages write their numbers, and the sentences made from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from harness.evidence import Evidence
from harness.figures._labels import measure_in_words, metric_name
from harness.formatting import (
    ABSENT,
    capitalized,
    estimate,
    listed,
    number,
    p_text,
    plural,
    with_interval,
    with_minus,
)
from harness.judged import Part, Verdict
from harness.plan import SIMPLE_BASELINE
from harness.stats.intervals import t_interval
from harness.stats.paired import PairedT

ORDER = ("supported", "refuted", "inconclusive", "incomplete")
SYMBOLS = {"supported": "✓", "refuted": "✗", "inconclusive": "?", "incomplete": "…"}


def measured(measures: str) -> str:
    """Put a measure in words: its metric by name, then what is compared."""
    return capitalized(measure_in_words(measures))


def tests(row: Verdict) -> Sequence[Verdict | Part]:
    """Return what each measures one thing: the parts of a claim, or the claim itself."""
    return row.parts or [row]


def by_measure(rows: Sequence[Verdict | None]) -> list[tuple[str, list[Verdict | Part | None]]]:
    """Line up what the profiles found on a claim: a line for each thing that was measured.

    Args:
        rows: the verdict of each profile; None where the profile lacks the claim.

    Returns:
        (what is measured, what each profile found of just that, or None). Different quantities
        never share a line.
    """
    found = [{t.measures: t for t in tests(row)} if row is not None else {} for row in rows]
    every = dict.fromkeys(measures for mine in found for measures in mine)
    return [(measures, [mine.get(measures) for mine in found]) for measures in every]


def effect(row: Verdict | Part) -> str:
    """Write an effect to the digits that its interval justifies."""
    return ABSENT if row.effect is None else estimate(row.effect, row.ci_low, row.ci_high)[0]


def bracketed(row: Verdict | Part) -> str:
    """Write an effect with its interval: "0.2 [0.1, 0.3]"."""
    return with_interval(row.effect, row.ci_low, row.ci_high)


def difference(found: PairedT | None) -> str:
    """Write a paired difference with its interval."""
    if found is None or found.low == found.high:
        return number(found.mean if found else None)
    return with_interval(found.mean, found.low, found.high)


def interval(row: Verdict | Part) -> str:
    """Write an interval: "0.1 to 0.3"; empty where there is none."""
    if row.effect is None or (row.ci_low is None and row.ci_high is None):
        return ""
    return "{} to {}".format(*estimate(row.effect, row.ci_low, row.ci_high)[1:])


def level(row: Verdict | Part) -> str:
    """Write the confidence level of an interval, such as "95 %"."""
    return "" if row.level is None else f"{100 * row.level:.4g} %"


def reason(verdict: Verdict) -> str:
    """Say why a verdict is what it is."""
    return capitalized(verdict.reason).replace("%", " %")


def covers(row: Verdict | Part) -> str:
    """Say whether the interval allows for other test examples, and what the other interval is."""
    if row.interval_over == "data sets":
        return "The interval allows for other data sets like these; seeds are averaged within each."
    if not row.interval_over or "test." not in row.measures.partition(": ")[0]:
        return ""
    if row.over_seeds_and_examples is None:
        return (
            "The interval allows for other seeds alone: the luck of the test examples is not in it."
        )
    if row.interval_over == "seeds":
        return (
            "As the study declares, the interval allows for other seeds alone; for other test"
            f" examples too, it is {_ends(row, row.over_seeds_and_examples)}."
        )
    return (
        "The interval allows for other seeds and other test examples; for other seeds alone, it is"
        f" {_ends(row, row.over_seeds)}."
    )


def _ends(row: Verdict | Part, ends: Sequence[float | None] | None) -> str:
    if row.effect is None or ends is None or None in ends:
        return "unbounded"
    return "{} to {}".format(*estimate(row.effect, *ends)[1:])


PRICE = (
    "Seeds that are added now, after a look, make its verdict exploratory; only if it is the"
    " study's one claim, with one bound, they are judged, by a wider interval."
)
"""What more seeds cost (`harness.judge.added_seeds`); those that were planned are not meant."""


def forecast(verdict: Verdict) -> str:
    """Say how many seeds would decide what is inconclusive; else nothing."""
    if verdict.verdict != "inconclusive":
        return ""
    if verdict.seeds_needed is None:
        return f"How many {verdict.unit}s would decide it cannot be foretold from these."
    number = plural(verdict.seeds_needed, verdict.unit)
    if verdict.searches > 1:
        one = -(-verdict.seeds // verdict.searches)
        searches = plural(verdict.seeds_needed // one, "repeated search", "repeated searches")
        number = f"{searches} with {number} in all"
    told = f"About {number} would decide it, if effect and spread stay as they are."
    if verdict.unit == "data set":
        return f"{told} More seeds of the same data sets would not."
    if verdict.unit == "block":
        return f"{told} With another number of blocks all of them are timed anew."
    return told if verdict.exploratory else f"{told} {PRICE}"


def differs(verdict: Verdict) -> str:
    """Say plainly that the evidence is against what the sources claim; else nothing."""
    if verdict.verdict != "refuted" or not verdict.source:
        return ""
    return f"The evidence is against what is claimed in {listed(verdict.source)}."


# --- sentences ----------------------------------------------------------------------------------
def headline(verdicts: Sequence[Verdict]) -> str:
    """Return the counts in a sentence: "Of 8 claims, 5 are supported and 3 refuted."."""
    if not verdicts:
        return "The study makes no claims; its arms are compared below."
    explored = [verdict for verdict in verdicts if verdict.exploratory]
    if explored:
        tested = [verdict for verdict in verdicts if not verdict.exploratory]
        more = " more" if tested else ""
        verb = "claim is" if len(explored) == 1 else "claims are"
        told = f"{len(explored)}{more} {verb} exploratory: younger than the evidence, and no test."
        return f"{headline(tested)} {told}" if tested else told
    counts = Counter(verdict.verdict for verdict in verdicts)
    if len(verdicts) == 1:
        return f"The one claim is {verdicts[0].verdict}."
    if len(counts) == 1:
        only = next(iter(counts))
        return f"All {len(verdicts)} claims are {only}."
    named = [(counts[word], word) for word in ORDER if counts[word]]
    first = named[0]
    verb = "is" if first[0] == 1 else "are"
    parts = [f"{first[0]} {verb} {first[1]}", *(f"{count} {word}" for count, word in named[1:])]
    return f"Of {len(verdicts)} claims, {listed(parts)}."


def weight(verdict: Verdict) -> float:
    """Return how far the effect is from none, in units of its interval's width."""
    low, high, effect = verdict.ci_low, verdict.ci_high, verdict.effect
    if effect is None or low is None or high is None or high <= low:
        return 0.0
    return abs(effect - (verdict.neutral or 0.0)) / (high - low)


_MOST_NAMED = 3
"""Test sets that a sentence names."""


def best_in_words(evidence: Evidence) -> str:
    """Name the best arm and its test result, beside the simple baseline's, in a sentence.

    Arms that are tested on different data have no best one; the sentence says so.
    """
    metric = evidence.primary_metric
    if len(evidence.compared) > 1:
        labels = [group.label for group in evidence.compared]
        said = listed(labels) if len(labels) <= _MOST_NAMED else f"{len(labels)} test sets"
        return f"Its arms are tested on different data and compared within each: {said}."
    values, best = evidence.values_by_arm(metric), evidence.best_arm
    if best is None or best not in values:
        return ""
    text = f"Best by validation: {best}, with a {metric_name(metric)} of {_mean(values[best])}"
    if SIMPLE_BASELINE in values:
        text += f"; the simple baseline has {_mean(values[SIMPLE_BASELINE])}"
    return text + "."


def _mean(values: Any) -> str:
    """Write a mean to the digits that its interval justifies."""
    mean = float(np.mean(values))
    return estimate(mean, *t_interval(values))[0] if len(values) > 1 else number(mean)


FILTERS: dict[str, Callable[..., Any]] = {
    "measured": measured,
    "tests": tests,
    "by_measure": by_measure,
    "effect": effect,
    "bracketed": bracketed,
    "difference": difference,
    "interval": interval,
    "level": level,
    "reason": reason,
    "covers": covers,
    "forecast": forecast,
    "differs": differs,
    "p": p_text,
    "signed": with_minus,
    "cap": capitalized,
    "symbol": SYMBOLS.__getitem__,
}
"""What templates write of a verdict, or of a part of one."""
