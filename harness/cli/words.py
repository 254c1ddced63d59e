"""Numbers as people read them."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Write seconds as "40 s", "3 min 20 s" or "2 h 5 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def number(value: float | None) -> str:
    """Write a number with three significant digits, and "–" where there is none."""
    if value is None:
        return "–"
    if value != 0 and abs(value) < 0.0005:
        return f"{value:.1e}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.3g}"


def p_value(value: float | None) -> str:
    """Write a p-value."""
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def pace(per_second: float) -> str:
    """Write how many trials end in a time, as "3.2 trials/s" or "14 trials/min"."""
    if per_second >= 1:
        return f"{per_second:.3g} trials/s"
    per_minute = 60 * per_second
    return f"{per_minute:.2g} trials/min" if per_minute >= 1 else f"{60 * per_minute:.2g} trials/h"


def amount(unit: str, value: float) -> str:
    """Write an amount of a cost, such as `joules`, with its unit."""
    if unit == "joules":
        return f"{value / 1000:.3g} kJ" if value >= 1000 else f"{value:.3g} J"
    return duration(value) + (" of GPU" if unit == "gpu_seconds" else " of work")
