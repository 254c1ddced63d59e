"""How texts are put together and numbers are written, wherever they are shown."""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

ABSENT = "–"
"""Stands for a number that does not exist."""
MINUS = "−"

_LONGEST = 80
_LONGEST_MESSAGE = 300
"""Letters of an error's message that are shown."""
_HYPHEN = re.compile(r"(?<![\w.])-(?=\d)")
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def as_file_name(name: str, allowed: str = "_-") -> str:
    """Return a name that others take; different names give different ones.

    One of Latin letters, digits and what is `allowed` stays; any other ends in a hash of itself.
    """
    kept = "".join(c if (c.isascii() and c.isalnum()) or c in allowed else "-" for c in name)
    safe = kept.strip("-.")[:_LONGEST]
    return safe if safe == name else f"{safe}-{sha256(name.encode()).hexdigest()[:8]}".lstrip("-")


def listed(items: Sequence[str], word: str = "and") -> str:
    """Join texts the way a sentence does: "a, b and c"."""
    return f"{', '.join(items[:-1])} {word} {items[-1]}" if len(items) > 1 else "".join(items)


def listed_some(names: Sequence[str], most: int = 6) -> str:
    """Join at most so many texts the way a sentence does: "a, b and 7 more"."""
    more = len(names) - most
    return listed([*names[:most], f"{more:,} more"] if more > 1 else names)


def level_text(level: Any) -> str:
    """Write a level as a study file does: true, null, 0.5; the text "true" is in quotes."""
    if isinstance(level, str) and level not in ("true", "false", "null"):
        return level
    return json.dumps(level, ensure_ascii=False)


def settings_text(settings: Mapping[str, Any]) -> str:
    """Write settings by their paths: "epochs = 3, model.depth = 2"."""
    return ", ".join(f"{path} = {json.dumps(value)}" for path, value in settings.items())


def why(error: Exception) -> str:
    """Say on one line what went wrong, such as "KeyError: 'depth'"."""
    if isinstance(error, OSError) and error.strerror:
        return f"'{error.filename}': {error.strerror}" if error.filename else error.strerror
    text = " ".join(str(error).split())
    shown = text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]} …"
    return f"{type(error).__name__}: {shown}".removesuffix(": ")


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


def with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """Write an estimate with its interval: "0.2 [0.1, 0.3]"; without bounds, the estimate alone."""
    shown = estimate(value, low, high)
    return shown[0] if low is None and high is None else "{} [{}, {}]".format(*shown)


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


def p_text(value: float | None) -> str:
    """Write a p-value."""
    if value is None:
        return ABSENT
    if value < 1e-4:
        return "< 0.0001"
    return "1" if value > 0.995 else number(value, 2)


def amount(unit: str, value: float) -> str:
    """Write an amount of a cost, such as `joules`: seconds as a duration, energy in joules."""
    if unit != "joules":
        return seconds(value)
    return f"{number(value / 1000, 3)} kJ" if value >= 1000 else f"{number(value, 3)} J"


def _decimals(value: float, places: int) -> str:
    text = f"{value:,.{places}f}"
    if not text.strip("-0.,"):
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def _scientific(value: float, digits: int) -> str:
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    power = "10" + str(int(exponent)).translate(_SUPERSCRIPT)
    return power if mantissa == "1" else f"{mantissa}×{power}".replace("-", MINUS)
