"""Verdicts in words: a row for each claim, and the sentences made from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.evidence import Evidence
from harness.figures._labels import metric_name
from harness.plan import SIMPLE_BASELINE
from harness.stats.intervals import t_interval
from harness.trial import Verdict
from harness.wording import (
    ABSENT,
    capitalized,
    estimate,
    listed,
    number,
    p_text,
    plural,
    with_minus,
)

ORDER = ("supported", "refuted", "inconclusive", "incomplete")
SYMBOLS = {"supported": "✓", "refuted": "✗", "inconclusive": "?", "incomplete": "…"}
_MOST_NAMED = 3


@dataclass(frozen=True)
class Row:
    """One claim, or one part of it, in words."""

    id: str
    says: str
    verdict: str
    symbol: str
    measured: str
    expected: str
    effect: str
    interval: str
    level: str
    p_corrected: str
    seeds: str
    sources: Sequence[str]
    reason: str
    forecast: str
    changed: bool
    parts: Sequence[Row]
    trials: Sequence[str]
    discussion: str = ""

    @property
    def differs(self) -> str:
        """Say plainly that the evidence is against what the sources claim; else empty."""
        if self.verdict != "refuted" or not self.sources:
            return ""
        return f"The evidence is against what is claimed in {listed(list(self.sources))}."


def rows(verdicts: Sequence[Verdict], discussions: Mapping[str, str] | None = None) -> list[Row]:
    """Return one row per claim, in the order of the study file.

    `discussions` holds what was written about the verdicts, by claim.
    """
    said = discussions or {}
    return [replace(_row(v), discussion=said.get(v.id, "")) for v in verdicts]


def _row(verdict: Verdict) -> Row:
    parts = [_part(part) for part in verdict.parts]
    effect, interval = _numbers(verdict.effect, verdict.ci_low, verdict.ci_high)
    return Row(
        id=verdict.id,
        says=verdict.says,
        verdict=verdict.verdict,
        symbol=SYMBOLS[verdict.verdict],
        measured=measured(verdict.measures),
        expected=with_minus(verdict.expected),
        effect=effect,
        interval=interval,
        level=_level(verdict.level),
        p_corrected=p_text(verdict.p_corrected),
        seeds=str(verdict.seeds) if verdict.seeds else ABSENT,
        sources=verdict.source,
        reason=capitalized(verdict.reason).replace("%", " %"),
        forecast=_forecast(verdict),
        changed=verdict.changed_after_evidence,
        parts=parts,
        trials=verdict.trials,
    )


def _part(part: dict[str, Any]) -> Row:
    effect, interval = _numbers(part["effect"], part["ci_low"], part["ci_high"])
    return Row(
        id="",
        says="",
        verdict=part["verdict"],
        symbol=SYMBOLS[part["verdict"]],
        measured=measured(part["measures"]),
        expected=with_minus(part["expected"]),
        effect=effect,
        interval=interval,
        level=_level(part.get("level")),
        p_corrected=p_text(part.get("p_corrected")),
        seeds="",
        sources=(),
        reason=capitalized(part["missing"]),
        forecast="",
        changed=False,
        parts=(),
        trials=(),
    )


def measured(measures: str) -> str:
    """Put a measure in words: its metric by name, then what is compared."""
    metric, colon, rest = measures.partition(": ")
    return capitalized(metric_name(metric)) + colon + rest


def _level(level: float | None) -> str:
    """Return a confidence level in words, such as "95 %"."""
    return "" if level is None else f"{100 * level:.4g} %"


def _numbers(effect: float | None, low: float | None, high: float | None) -> tuple[str, str]:
    if effect is None:
        return ABSENT, ""
    shown = estimate(effect, low, high)
    if low is None and high is None:
        return shown[0], ""
    return shown[0], f"{shown[1]} to {shown[2]}"


def _forecast(verdict: Verdict) -> str:
    if verdict.verdict != "inconclusive":
        return ""
    if verdict.seeds_needed is None:
        return "How many seeds would decide it cannot be foretold from these."
    return (
        f"About {plural(verdict.seeds_needed, 'seed')} would decide it, if effect and spread stay"
        " as they are."
    )


# --- sentences ----------------------------------------------------------------------------------
def headline(verdicts: Sequence[Verdict]) -> str:
    """Return the counts in a sentence: "Of 8 claims, 5 are supported and 3 refuted."."""
    if not verdicts:
        return "The study makes no claims; its arms are compared below."
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


@dataclass(frozen=True)
class Finding:
    """Claims of one verdict: a lead-in, and the most telling of them with their numbers."""

    verdict: str
    symbol: str
    lead: str
    claims: Sequence[tuple[str, str]]
    more: int


_LEADS = {
    "supported": "Holds",
    "refuted": "Does not hold",
    "inconclusive": "Not decided",
    "incomplete": "Cannot be judged yet",
}


def findings(verdicts: Sequence[Verdict], table: Sequence[Row]) -> list[Finding]:
    """Return the claims of each verdict, those with the clearest effects first."""
    found = []
    by_id = {row.id: row for row in table}
    for word in ORDER:
        mine = sorted((v for v in verdicts if v.verdict == word), key=_clearness, reverse=True)
        if mine:
            named = [(v.says, _in_words(by_id[v.id])) for v in mine[:_MOST_NAMED]]
            found.append(
                Finding(word, SYMBOLS[word], _LEADS[word], named, max(0, len(mine) - _MOST_NAMED))
            )
    return found


def _clearness(verdict: Verdict) -> float:
    """Return how large the effect is in units of its interval's half-width."""
    low, high, effect = verdict.ci_low, verdict.ci_high, verdict.effect
    if effect is None or low is None or high is None or high <= low:
        return 0.0
    return abs(effect) / (high - low)


def _in_words(row: Row) -> str:
    if row.effect == ABSENT:
        return row.reason
    interval = f" ({row.level} interval {row.interval})" if row.interval else ""
    text = f"{row.measured}: {row.effect}{interval}; claimed {row.expected}."
    return f"{text} {row.forecast}".strip()


def best_in_words(evidence: Evidence) -> str:
    """Name the best arm and its test result, beside the simple baseline's, in a sentence."""
    metric = evidence.primary_metric
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
