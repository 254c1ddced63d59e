import math

import pytest

from harness import formatting as words
from harness.figures._labels import axis_label, metric_name
from harness.formatting import listed


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "–"),
        (0.0, "0"),
        (0.97391, "0.974"),
        (-0.0289, "−0.0289"),
        (33930.0, "33,930"),
        (1.5e-7, "1.50×10⁻⁷"),
        (2e9, "2.00×10⁹"),
    ],
)
def test_numbers_have_significant_digits(value, text):
    assert words.number(value) == text


def test_a_power_of_ten_needs_no_mantissa():
    assert words.number(1e-12, 1) == "10⁻¹²"


@pytest.mark.parametrize(
    ("numbers", "texts"),
    [
        ((0.78055, 0.7631, 0.79797), ("0.781", "0.763", "0.798")),
        ((-0.00722, -0.01718, 0.00274), ("−0.0072", "−0.0172", "0.0027")),
        ((1.3859, 1.3803, 1.3915), ("1.3859", "1.3803", "1.3915")),
        ((12345.0, 11000.0, 13690.0), ("12,345", "11,000", "13,690")),
        ((0.5, None, None), ("0.500", "–", "–")),
        ((0.5, 0.5, 0.5), ("0.500", "0.500", "0.500")),
        ((0.5, -math.inf, math.inf), ("0.500", "–", "–")),
        ((-0.00001, -0.2, 0.2), ("0.00", "−0.20", "0.20")),
    ],
)
def test_estimates_are_rounded_by_their_interval(numbers, texts):
    assert words.estimate(*numbers) == texts


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.036, "0.036 s"), (45.2, "45 s"), (750, "12 min 30 s"), (11100, "3 h 05 min")],
)
def test_durations(value, text):
    assert words.seconds(value) == text


def test_metrics_have_names_and_units():
    assert axis_label("test.accuracy") == "Test accuracy (share correct)"
    assert axis_label("test.odd_thing") == "Test odd thing"
    assert metric_name("probe.dead_units") == "share of dead units"


def test_small_words():
    assert words.with_minus("from -1 to 1e-3, relu-8") == "from −1 to 1e-3, relu-8"
    assert words.plural(1, "seed") == "1 seed"
    assert words.plural(1200, "seed") == "1,200 seeds"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed([]) == ""
    assert words.wrapped("one two three four", 9) == "one two\nthree …"
