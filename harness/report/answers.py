"""The answer to a claim in a sentence with its number in words, and drawn on an axis for all."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from harness.evidence import Evidence
from harness.figures._labels import metric_name
from harness.figures.common_axis import on_one_axis
from harness.formatting import capitalized, estimate, number, plural
from harness.judged import OVER_DATA_SETS, PREMISE, Part, Verdict
from harness.measures.trend import WORDS as TRENDS
from harness.metrics import Metric
from harness.report.effect_drawing import common_strip
from harness.report.verdicts import ORDER, level, measured, reason, weight

_METRIC = re.compile(r"[a-z]+\.[\w.]+")
_PAIR = re.compile(r"([^−÷()]+) ([−÷]) ([^−÷()]+?)(?: \(([^()]*)\))?")
_SINGLE = re.compile(r"[^−÷()]+(?: \([^()]*\))?")
_TREND = re.compile(
    rf"({'|'.join(TRENDS.values())})(?: of ([^−÷()]+ − [^−÷()]+?))?"
    r" over ([^()]+?)(?: \(([^()]*)\))?"
)
_CROSSING = re.compile(r"([^()]+) at which ([^()]+) overtakes ([^()]+?)(?: \(([^()]*)\))?")
_LAW = re.compile(r"measured / predicted .*")
_LONG_NAME = 6
"""Words of a metric's name that no sentence holds together with "of"."""
_OVER_SEEDS = re.compile(r"(.+) over seeds of ([a-z]+\.[\w.]+)")
_MOST_TOLD = 2
Known = Callable[[str], Metric]
"""Tells what is known of a metric, by its name."""


@dataclass(frozen=True)
class Answer:
    """What a card says of one claim.

    Attributes:
        row: its verdict.
        sentence: the number in words.
        certainty: the interval, its confidence, the seeds, and what it allows for.
        strip: effect and interval beside the claimed region, on an axis that all cards share.
    """

    row: Verdict
    sentence: str
    certainty: str
    strip: Markup


def answers(evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """Return the answer to every claim, in the order of the study file."""
    known = evidence.plan.metric
    return [
        Answer(row, sentence(row, known), certainty(row, known), common_strip(on_one_axis(row)))
        for row in verdicts
    ]


def told(found: Sequence[Answer]) -> list[Answer]:
    """Return the answers that sum a study up: the clearest of each verdict, two in all.

    Of a study with one kind of verdict these are its two clearest. Exploratory ones come last,
    for they test nothing.
    """
    ordered = sorted(found, key=lambda a: (bool(a.row.exploratory), -weight(a.row)))
    by_verdict = [[a for a in ordered if a.row.verdict == word] for word in ORDER]
    rounds = [
        kind[place] for place in range(_MOST_TOLD) for kind in by_verdict if len(kind) > place
    ]
    return rounds[:_MOST_TOLD]


# --- sentences ------------------------------------------------------------------------------------
def sentence(row: Verdict | Part, known: Known) -> str:
    """Say what was measured with its number in words.

    "relu is 45.0 percentage points better than sigmoid in test accuracy (depth 8, 16)." Better and
    worse are said only where the metric has a goal; a difference whose interval includes none is
    never called one. What has no plain sentence, such as a law, is given by name and number.
    """
    if row.effect is None:
        return _without_number(row)
    average, name, rest = _quantity(row)
    pair, trend, crossing = _pair(rest), _TREND.fullmatch(rest), _CROSSING.fullmatch(rest)
    if not _METRIC.fullmatch(name):
        text = _plain(row, known)
    elif trend is not None:
        text = _trend(row, known(name), trend)
    elif crossing is not None:
        text = _crossing(row, known(name), crossing)
    elif pair is None:
        text = _plain(row, known)
    elif pair[2] == "÷":
        text = _ratio(row, name, pair)
    elif known(name).binary:
        text = _more_seeds(row, known(name), pair)
    else:
        text = _difference(row, known(name), pair)
    arm = pair[1] if pair else crossing[2] if crossing else ""
    part = _which_part(row) if isinstance(row, Verdict) else ""
    before = [part] if part else []
    if row.unit == "data set":
        before.append("On average over the data sets, ")
    elif average and _METRIC.fullmatch(name):
        before.append(f"In the {average} over seeds, ")
    for start in reversed(before):  # what goes on begins with a small letter, but for a name
        begins = text if arm and text.startswith(arm) else text[:1].lower() + text[1:]
        text = start + begins
    return text


def _which_part(verdict: Verdict) -> str:
    """Say which of a claim's parts a sentence is about; nothing if there is one beside premises."""
    if verdict.parts and verdict.expected.endswith(PREMISE):
        return "A premise decides: "
    parts = [part for part in verdict.parts if not part.expected.endswith(PREMISE)]
    return f"Of its {len(parts)} parts this one decides: " if len(parts) > 1 else ""


def certainty(row: Verdict, known: Known) -> str:
    """Say how sure it is: the interval, its confidence, the seeds, and what it allows for."""
    unit = "timing block" if row.unit == "block" else row.unit
    count = plural(row.seeds, unit) if row.seeds else ""
    if row.effect is None or row.ci_low is None or row.ci_high is None:
        return capitalized(count)
    factor, unit = _factor(row, known)
    low, high = _shown(row, factor)[1:]
    what = f"{level(row)} interval {low} to {high} {unit}".strip()
    allowed = " and the test examples" if row.interval_over == "seeds and test examples" else ""
    return f"{what}, over {count}{allowed}" if count else what


def _pair(rest: str) -> re.Match[str] | None:
    """Find the two arms, or groups of arms, whose difference or ratio was taken, if it was."""
    return None if _TREND.fullmatch(rest) or _LAW.fullmatch(rest) else _PAIR.fullmatch(rest)


def _is_value(rest: str) -> bool:
    """Tell whether the values of some arms were taken as they are."""
    other = any(kind.fullmatch(rest) for kind in (_TREND, _CROSSING, _LAW))
    return not other and bool(_SINGLE.fullmatch(rest))


def _quantity(row: Verdict | Part) -> tuple[str, str, str]:
    """Return an average other than the mean, the metric, and what was compared."""
    name, _, rest = row.measures.partition(": ")
    name = name.partition(OVER_DATA_SETS)[0]
    found = _OVER_SEEDS.fullmatch(name)
    return (found[1], found[2], rest) if found else ("", name, rest)


def _without_number(row: Verdict | Part) -> str:
    if isinstance(row, Verdict):
        return f"{reason(row).rstrip('.')}."
    return f"{capitalized(row.missing or 'no number')}."


def _factor(row: Verdict | Part, known: Known) -> tuple[float, str]:
    """Return by what a number is multiplied for reading, and its unit."""
    _, name, rest = _quantity(row)
    pair, trend = _pair(rest), _TREND.fullmatch(rest)
    if not _METRIC.fullmatch(name) or (pair and pair[2] == "÷"):
        return 1.0, ""
    if trend and trend[1] not in (TRENDS["linear"], TRENDS["doubling"]):
        return 1.0, ""
    if _CROSSING.fullmatch(rest) or _LAW.fullmatch(rest):
        return 1.0, ""
    metric = known(name)
    if metric.is_share:
        found = "percentage points" if pair or trend else "%" if _is_value(rest) else ""
        return (100.0, found) if found else (1.0, "")
    return 1.0, metric.unit


def _shown(row: Verdict | Part, factor: float) -> tuple[str, str, str]:
    numbers = [row.effect, row.ci_low, row.ci_high]
    return estimate(*(None if n is None else factor * n for n in numbers))


def _plain(row: Verdict | Part, known: Known) -> str:
    """Say a value, or any other measure by its name."""
    _, name, rest = _quantity(row)
    factor, unit = _factor(row, known)
    shown = f"{_shown(row, factor)[0]} {unit}".strip()
    if not _METRIC.fullmatch(name) or not _is_value(rest):
        return f"{measured(row.measures)}: {shown}."
    if known(name).binary:
        clause = _clause(known(name))
        if clause:
            return f"{capitalized(clause)} on {shown} of the seeds of {rest}."
        return f"Of the seeds of {rest}, {shown} are {metric_name(known(name))}."
    said = metric_name(known(name))
    if _is_long(said):
        return f"For {rest}, the {said} is {shown}."
    return f"The {said} of {rest} is {shown}."


def _is_long(name: str) -> bool:
    return len(name.split()) >= _LONG_NAME


def _trend(row: Verdict | Part, metric: Metric, trend: re.Match[str]) -> str:
    kind, pair, over, at = trend.groups()
    if kind not in (TRENDS["linear"], TRENDS["doubling"]):
        return f"{measured(row.measures)}: {_shown(row, 1.0)[0]}."
    assert row.effect is not None
    factor, unit = _factor(row, lambda _: metric)
    amount = f"{_shown(row, factor)[0].lstrip('−')} {unit}".strip()
    step = "doubling" if kind == TRENDS["doubling"] else "unit"
    along = f"{step} over {over}" if over[:1].isdigit() else f"{step} of {over}"
    what = f"the difference {pair} in {metric_name(metric)}" if pair else metric_name(metric)
    way = "rises" if row.effect > 0 else "falls"
    text = f"With each {along}, {what} {way} by {amount}{f' ({at})' if at else ''}"
    return f"{text}." if _excludes(row, 0.0) else f"{text}; it may not change."


def _crossing(row: Verdict | Part, metric: Metric, found: re.Match[str]) -> str:
    over, one, other, at = found.groups()
    where = "at" if over[:1].isdigit() else f"at {over}"
    name, more = metric_name(metric), f" ({at})" if at else ""
    told = capitalized(one) if one.startswith("the ") else one
    if row.ci_low is not None and row.ci_high is not None:
        return f"{told} overtakes {other} in {name} {where} {_shown(row, 1.0)[0]}{more}."
    if row.ci_low is not None:
        behind = f"{where} {number(row.ci_low)} it is still behind"
        return f"{told} is not shown to overtake {other} in {name}: {behind}{more}."
    if row.ci_high is not None:
        ahead = f"{where} {number(row.ci_high)} it is ahead"
        return f"{told} is not shown to be behind {other} in {name}, and {ahead}{more}."
    return f"Where {one} overtakes {other} in {name} is not shown{more}."


def _ratio(row: Verdict | Part, metric: str, pair: re.Match[str]) -> str:
    times = _shown(row, 1.0)[0]
    at = f" ({pair[4]})" if pair[4] else ""
    text = f"The {metric_name(metric)} of {pair[1]} is {times} times that of {pair[3]}{at}"
    return f"{text}." if _excludes(row, 1.0) else f"{text}; they may be equal."


def _difference(row: Verdict | Part, metric: Metric, pair: re.Match[str]) -> str:
    assert row.effect is not None
    factor, unit = _factor(row, lambda _: metric)
    size = _shown(row, factor)[0].lstrip("−")
    amount = f"{size} {unit}".strip()
    name, at = metric_name(metric), f" ({pair[4]})" if pair[4] else ""
    if not _excludes(row, 0.0):
        more = "above" if row.effect > 0 else "below"
        return f"{pair[1]} is {amount} {more} {pair[3]} in {name}{at}; they may be equal."
    if metric.goal is not None and factor != 1.0:
        way = "better" if row.effect * metric.sign > 0 else "worse"
        return f"{pair[1]} is {amount} {way} than {pair[3]} in {name}{at}."
    way = "higher" if row.effect > 0 else "lower"
    good = (
        ""
        if metric.goal is None
        else ", which is " + ("better" if row.effect * metric.sign > 0 else "worse")
    )
    if _is_long(name):
        return f"For {pair[1]}, the {name} is {amount} {way} than for {pair[3]}{at}{good}."
    return f"The {name} of {pair[1]} is {amount} {way} than that of {pair[3]}{at}{good}."


def _more_seeds(row: Verdict | Part, metric: Metric, pair: re.Match[str]) -> str:
    """Say a difference of what is 0 or 1 for each seed."""
    assert row.effect is not None
    size, clause = _shown(row, 100.0)[0].lstrip("−"), _clause(metric)
    at = f" ({pair[4]})" if pair[4] else ""
    amount = f"{size} percentage points {'more' if row.effect > 0 else 'fewer'}"
    if clause:
        text = f"{capitalized(clause)} on {amount} seeds of {pair[1]} than of {pair[3]}{at}"
    else:
        name = capitalized(metric_name(metric))
        text = f"{name} are {amount} with {pair[1]} than with {pair[3]}{at}"
    if not _excludes(row, 0.0):
        return f"{text}; they may be equal."
    if metric.goal is None:
        return f"{text}."
    return f"{text}, which is {'better' if row.effect * metric.sign > 0 else 'worse'}."


def _clause(metric: Metric) -> str:
    """Say what holds on the seeds for which a metric is 1; empty where its name says it."""
    part = metric.name.partition(".")[0]
    if not metric.meaning.startswith("whether "):
        return ""
    return metric.meaning.removeprefix("whether ").replace("of the split", f"of the {part} split")


def _excludes(row: Verdict | Part, neutral: float) -> bool:
    """Tell whether the interval is known and has the value of no effect outside of it."""
    if row.ci_low is None or row.ci_high is None:
        return False
    return not row.ci_low <= neutral <= row.ci_high
