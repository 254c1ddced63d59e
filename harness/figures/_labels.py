"""Names of metrics as people read them, and labels of axes."""

from __future__ import annotations

import re

from harness.formatting import capitalized
from harness.judged import OVER_DATA_SETS
from harness.metrics import Metric, metric_of
from harness.study.timing import timed_metric

_PARTS = {"test": "test", "validation": "validation", "train": "training"}
_METRIC = re.compile(r"\b[a-z]+\.[\w.]+$")
_SHORT = 30
"""Letters of a label that fit beside an axis."""


def metric_name(metric: str | Metric) -> str:
    """Say what a metric is, such as "test accuracy" for `test.accuracy`."""
    known = _known(metric)
    part, _, name = known.name.partition(".")
    name = name.replace("_", " ")
    if part in _PARTS:
        return f"{_PARTS[part]} {name}"
    return known.meaning or name or known.name


def measure_in_words(measures: str) -> str:
    """Put a measure in words: its metric by name, then what is compared."""
    quantity, colon, rest = measures.partition(": ")
    metric, over, factor = quantity.partition(OVER_DATA_SETS)
    named = _METRIC.sub(lambda match: metric_name(match.group()), metric)
    return named + over + factor + colon + rest


def metric_unit(metric: str | Metric) -> str:
    """Return the unit of a metric, or an empty text where it has none or none is known."""
    return _known(metric).unit


def _known(metric: str | Metric) -> Metric:
    if isinstance(metric, Metric):
        return metric
    return timed_metric(metric) or metric_of(metric)


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


def round_values(low: float, high: float, most: int = 5) -> list[float]:
    """Return at most about so many round numbers between two ends, for the ticks of an axis."""
    from matplotlib.ticker import MaxNLocator

    return [float(value) for value in MaxNLocator(most).tick_values(low, high)
            if low <= value <= high]  # fmt: skip
