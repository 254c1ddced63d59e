"""Words and numbers as people read them: names of metrics, units, rounding."""

from __future__ import annotations

import math
import re
import textwrap

from harness.metrics import Metric, metric_of

ABSENT = "–"
MINUS = "−"

_PARTS = {"test": "test", "validation": "validation", "train": "training"}
_SHORT = 30
_HYPHEN = re.compile(r"(?<![\w.])-(?=\d)")
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def metric_name(metric: str | Metric) -> str:
    """Say what a metric is, such as "test accuracy" for `test.accuracy`."""
    known = metric_of(metric) if isinstance(metric, str) else metric
    part, _, name = known.name.partition(".")
    name = name.replace("_", " ")
    if part in _PARTS:
        return f"{_PARTS[part]} {name}"
    return known.meaning or name or known.name


def metric_unit(metric: str | Metric) -> str:
    """Return the unit of a metric, or an empty text where it has none or none is known."""
    return (metric_of(metric) if isinstance(metric, str) else metric).unit


def axis_label(metric: str | Metric) -> str:
    """Return the label of an axis: the metric and its unit."""
    unit = metric_unit(metric)
    name = capitalized(metric_name(metric))
    return f"{name} ({unit})" if unit else name


def short_label(metric: str | Metric) -> str:
    """Return a short label of an axis; where the unit does not fit, the caption has to say it."""
    label = axis_label(metric)
    return label if len(label) <= _SHORT else capitalized(metric_name(metric))


def unit_in_words(metric: str | Metric) -> str:
    """Say the unit of a metric as a further sentence; empty where `short_label` has it."""
    unit = metric_unit(metric)
    return f" Unit: {unit}." if unit and len(axis_label(metric)) > _SHORT else ""


def direction(metric: Metric) -> str:
    """Say which way a metric is better, and what it means, as sentences; empty if unknown."""
    means = f" {capitalized(metric_name(metric))}: {metric.meaning}." if metric.meaning else ""
    way = {"minimize": " Low is better.", "maximize": " High is better.", None: ""}
    return means + way[metric.goal]


def parameter_name(path: str) -> str:
    """Say which setting a dotted path is, such as "learning rate"."""
    known = {"lr": "learning rate", "batch_size": "batch size", "weight_decay": "weight decay"}
    last = path.rpartition(".")[2]
    return known.get(last, last.replace("_", " "))


def capitalized(text: str) -> str:
    """Return a text with its first letter in upper case and the rest as it is."""
    return text[:1].upper() + text[1:]


def plural(count: int, word: str, words: str | None = None) -> str:
    """Return a count with its noun, such as "1 seed" or "1,200 seeds"."""
    return f"{count:,} {word if count == 1 else words or word + 's'}"


def with_minus(text: str) -> str:
    """Put a minus sign where a text has a hyphen before a number."""
    return _HYPHEN.sub(MINUS, text)


def wrapped(text: str, width: int, lines: int = 2) -> str:
    """Break a text into at most so many lines, cutting what does not fit."""
    return "\n".join(
        textwrap.wrap(" ".join(text.split()), width, max_lines=lines, placeholder=" …")
    )


def number(value: float | None, digits: int = 3) -> str:
    """Write a number with so many significant digits; "–" where there is none."""
    if value is None or not math.isfinite(value):
        return ABSENT
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if exponent < -4 or exponent > 6:
        return _scientific(value, digits)
    return _decimals(value, max(0, digits - 1 - exponent))


def estimate(value: float | None, low: float | None, high: float | None) -> tuple[str, str, str]:
    """Write an estimate and its interval to the digits that the interval's width justifies.

    A bound that is missing or infinite is "–".
    """
    bounds = [bound for bound in (low, high) if bound is not None and math.isfinite(bound)]
    if value is None or len(bounds) < 2 or bounds[1] <= bounds[0]:
        return number(value), number(low), number(high)
    place = 1 - math.floor(math.log10((bounds[1] - bounds[0]) / 2))
    largest = max(abs(value), *map(abs, bounds))
    if place > 7 or largest >= 1e7:
        return _scientific(value, 3), _scientific(bounds[0], 3), _scientific(bounds[1], 3)
    place = max(place, 0)
    return _decimals(value, place), _decimals(bounds[0], place), _decimals(bounds[1], place)


def seconds(value: float | None) -> str:
    """Write a duration, such as "45 s", "12 min 30 s" or "3 h 05 min"."""
    if value is None or not math.isfinite(value):
        return ABSENT
    if value < 10:
        return f"{number(value, 2)} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60:02d} min"


def _decimals(value: float, places: int) -> str:
    text = f"{value:,.{places}f}"
    if not text.strip("-0.,"):
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def _scientific(value: float, digits: int) -> str:
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    power = "10" + str(int(exponent)).translate(_SUPERSCRIPT)
    return power if mantissa == "1" else f"{mantissa}×{power}".replace("-", MINUS)
