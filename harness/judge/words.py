"""What a test measures and expects, in words."""

from __future__ import annotations

from typing import Any

from harness.study import Comparison
from harness.study.claims import Selector, Test, Trend
from harness.wording import level_text

MINUS = "−"


_SLOPES = {
    "linear": "slope",
    "doubling": "change per doubling",
    "log": "log-slope",
    "power": "exponent",
}
_ACROSS = {
    "range": "range of",
    "deviation": "standard deviation of",
    "lowest": "lowest",
    "highest": "highest",
    "shortfall": "best minus mean of",
}


def describe_measure(test: Test, comparison: Comparison | None = None) -> str:
    """Say what a test measures, such as "test.accuracy: relu − sigmoid (depth 8, 16)".

    With the arms that it compares, also say which these are where the test itself does not.
    """
    return f"{_quantity(test)}: {_comparison(test, comparison or Comparison(()))}"


def _quantity(test: Test) -> str:
    quantity = test.metric
    if test.spread_over_seeds:
        quantity = f"distance of {quantity} from its median over seeds"
    return f"{_ACROSS[test.across]} {quantity}" if test.across in _ACROSS else quantity


def _comparison(test: Test, arms: Comparison) -> str:
    if test.trend is not None:
        return _slope(test.trend, arms)
    if test.of is not None:
        return _selector(test.of)
    if test.interaction is not None:
        first, second = (item for item in test.interaction.items() if item[0] != "at")
        (_, one), (two, other) = first, second
        (a, b), (c, d) = map(_listed, one), map(_listed, other)
        where = _where(arms, test.interaction.get("at", {}))
        return f"({a} {MINUS} {b}) with {two} {c} {MINUS} the same with {d}{where}"
    either = test.contrast if test.contrast is not None else test.ratio
    assert either is not None
    pair, at = _pair(either, MINUS if test.contrast is not None else "÷", arms)
    return pair + _where(arms, at)


def _slope(trend: Trend, arms: Comparison) -> str:
    kind = _SLOPES[trend.scale]
    if trend.points is not None:
        places = ", ".join(f"{place:g}" for place in sorted(trend.points))
        return f"{kind} over {places}{_where(arms)}"
    of, at = "", dict(trend.at)
    if trend.contrast is not None:
        pair, more = _pair(trend.contrast, MINUS, arms)
        of, at = f" of {pair}", more | at
    return f"{kind}{of} over {trend.over}{_where(arms, at)}"


def _pair(
    either: dict[str, Any] | list[Selector], sign: str, arms: Comparison
) -> tuple[str, Selector]:
    """Return the two sides in words, and what holds for both."""
    if isinstance(either, list):
        sides = [{f: level for f, level in s.items() if f not in arms.held} for s in either]
        return f" {sign} ".join(map(_selector, sides)), {}
    factor = next(key for key in either if key != "at")
    return f" {sign} ".join(map(_listed, either[factor])), either.get("at", {})


def describe_hypothesis(test: Test) -> str:
    """Say what a test expects, such as "> 0.05"."""
    name = test.hypothesis
    value = getattr(test, name)
    if name == "between":
        return f"from {value[0]:g} to {value[1]:g}"
    base = 1 if test.ratio is not None else 0
    return {
        "greater_by": f"> {base + value:g}",
        "less_by": f"< {base - value:g}",
        "differs_by": f"differs by more than {value:g}",
        "within": f"within ±{value:g}",
        "above": f"> {value:g}",
        "below": f"< {value:g}",
    }[name]


def _selector(selector: dict[str, Any]) -> str:
    if "arm" in selector:
        return _listed(selector["arm"])
    return ", ".join(f"{key} {_listed(value)}" for key, value in selector.items()) or "all arms"


def _where(arms: Comparison, at: Selector | None = None) -> str:
    text = arms.where or (_selector(at) if at else "")
    return f" ({text})" if text else ""


def _listed(value: Any) -> str:
    return ", ".join(map(level_text, value if isinstance(value, list) else [value]))
