"""What a test measures and expects, in words."""

from __future__ import annotations

from typing import Any

from harness.study.claims import Selector, Test, Trend

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


def describe_measure(test: Test) -> str:
    """Say what a test measures, such as "test.accuracy: relu − sigmoid (depth 8, 16)"."""
    return f"{_quantity(test)}: {_comparison(test)}"


def _quantity(test: Test) -> str:
    quantity = test.metric
    if test.spread_over_seeds:
        quantity = f"distance of {quantity} from its median over seeds"
    return f"{_ACROSS[test.across]} {quantity}" if test.across in _ACROSS else quantity


def _comparison(test: Test) -> str:
    if test.trend is not None:
        return _slope(test.trend)
    if test.of is not None:
        return _selector(test.of)
    if test.interaction is not None:
        first, second = (item for item in test.interaction.items() if item[0] != "at")
        (_, (a, b)), (two, (c, d)) = first, second
        where = _where(test.interaction.get("at", {}))
        return f"({a} {MINUS} {b}) with {two} {c} {MINUS} the same with {d}{where}"
    compared = test.contrast if test.contrast is not None else test.ratio
    assert compared is not None
    return _pair(compared, MINUS if test.contrast is not None else "÷")


def _slope(trend: Trend) -> str:
    kind = _SLOPES[trend.scale]
    if trend.points is not None:
        return f"{kind} over {', '.join(f'{place:g}' for place in sorted(trend.points))}"
    of = f" of {_pair(trend.contrast, MINUS)}" if trend.contrast is not None else ""
    return f"{kind}{of} over {trend.over}{_where(trend.at)}"


def _pair(compared: dict[str, Any] | list[Selector], sign: str) -> str:
    if isinstance(compared, list):
        left, right = compared
        return f"{_selector(left)} {sign} {_selector(right)}"
    factor = next(key for key in compared if key != "at")
    left, right = compared[factor]
    return f"{_listed(left)} {sign} {_listed(right)}{_where(compared.get('at', {}))}"


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


def _where(at: dict[str, Any]) -> str:
    return f" ({_selector(at)})" if at else ""


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
