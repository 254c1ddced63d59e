import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import special
from statsmodels.stats.power import TTestPower

from harness.stats.forecast import Forecast, seeds_to_decide
from harness.stats.hypotheses import Assessment, Between, Different, Greater, Less, assess, decide
from harness.stats.multiplicity import end_level
from harness.stats.noncentral_t import critical_value, normal_cdf, upper_tail
from harness.stats.power import (
    Rule,
    detectable_difference,
    equivalence_power,
    interval_power,
    paired_power,
    seeds_needed,
    t_power,
)


@pytest.mark.parametrize("degrees", [1, 2, 4, 9, 30, 300, 9999])
@pytest.mark.parametrize("level", [0.2, 0.05, 0.025, 1e-3, 1e-6])
def test_the_t_tails_are_scipys(degrees, level):
    critical = critical_value(level, degrees)
    assert critical == pytest.approx(special.stdtrit(degrees, 1.0 - level), rel=1e-6)
    for noncentrality in (-1.0, 0.0, 0.5, 3.0, 8.0):
        expected = 1.0 - special.nctdtr(degrees, noncentrality, critical)
        assert upper_tail(critical, degrees, noncentrality) == pytest.approx(expected, abs=1e-9)


def test_normal_cdf_is_scipys():
    x = np.linspace(-8.0, 8.0, 33)
    assert normal_cdf(x) == pytest.approx(special.ndtr(x), rel=1e-12)


@pytest.mark.parametrize("n", [3, 5, 8, 20, 100])
@pytest.mark.parametrize("effect", [0.0, 0.3, 0.7, 1.0])  # statsmodels gives nan near 1
def test_t_power_is_statsmodels(n, effect):
    one = TTestPower().power(effect, n, 0.05, alternative="larger")
    two = TTestPower().power(effect, n, 0.05, alternative="two-sided")
    assert t_power(2.0 * effect, 2.0, n, 0.05) == pytest.approx(one, abs=1e-8)
    assert t_power(2.0 * effect, 2.0, n, 0.025, sides=2) == pytest.approx(two, abs=1e-8)


@pytest.mark.parametrize("rule", [Rule(), Rule(claims=4), Rule(claims=3, sides=2)])
def test_difference_and_seeds_invert_the_power(rule):
    difference = detectable_difference(12, 0.5, rule, 0.9)
    assert paired_power(difference, 0.5, 12, rule) == pytest.approx(0.9, abs=1e-6)
    needed = seeds_needed(0.4, 0.5, rule, 0.8)
    assert paired_power(0.4, 0.5, needed, rule) >= 0.8 > paired_power(0.4, 0.5, needed - 1, rule)


def test_seeds_needed_of_the_textbook():
    # Half a deviation, one-sided 0.025, power 0.8: 34 pairs in every table.
    assert seeds_needed(0.5, 1.0, Rule(0.05)) == 34
    assert seeds_needed(0.0, 1.0, Rule()) is None
    assert seeds_needed(-1.0, 1.0, Rule()) is None
    assert seeds_needed(1e-4, 1.0, Rule()) is None
    assert 9_000 < seeds_needed(0.0288, 1.0, Rule()) <= 10_000


def test_interval_power_against_simulation():
    generator = np.random.default_rng(0)
    means = generator.normal(0.2, 1 / math.sqrt(8), 200_000)
    deviations = np.sqrt(generator.chisquare(7, 200_000) / 7)
    reach = critical_value(0.05, 7) * deviations / math.sqrt(8)
    simulated = ((means - reach > -1.0) & (means + reach < 1.0)).mean()
    assert interval_power(1.2, 0.8, 1.0, 8, 0.05) == pytest.approx(simulated, abs=0.005)


@pytest.mark.parametrize(
    ("hypothesis", "truth", "n", "claims"),
    [
        (Greater(), 1.5, 8, 8),
        (Greater(), 1.0, 8, 1),
        (Greater(), 1.0, 12, 4),
        (Different(), 1.2, 8, 1),
        (Between(-1.5, 1.5), 0.0, 8, 1),
        (Between(-2.0, 2.0), 0.0, 8, 8),
    ],
)
def test_power_of_the_whole_decision(hypothesis, truth, n, claims):
    rows = truth + np.random.default_rng(1).normal(size=(2000, n))
    end = end_level(0.05, claims, hypothesis.sides)
    simulated = np.mean(
        [decide(assess(row, hypothesis, end), hypothesis) == "supported" for row in rows]
    )
    if isinstance(hypothesis, Between):
        formula = equivalence_power(hypothesis.high, hypothesis.high, 1.0, n, Rule(0.05, claims))
    else:
        sides = 2 if isinstance(hypothesis, Different) else 1
        formula = paired_power(truth, 1.0, n, Rule(0.05, claims, sides))
    assert simulated == pytest.approx(formula, abs=0.04)


def assessment(effect, deviation, n=6):
    return Assessment(effect, effect - 1, effect + 1, 0.2, n, deviation, 0.95, False)


@pytest.mark.parametrize(
    ("hypothesis", "effect", "outcome"),
    [
        (Greater(0.5), 1.0, "supported"),
        (Greater(0.5), 0.0, "refuted"),
        (Less(0.5), 0.0, "supported"),
        (Less(0.5), 1.0, "refuted"),
        (Different(), -0.5, "supported"),
        (Different(0.5), 0.1, "refuted"),
        (Between(-1.0, 1.0), 0.1, "supported"),
        (Between(-1.0, 1.0), -1.5, "refuted"),
        (Between(0.5, math.inf), 1.0, "supported"),
        (Between(-math.inf, 0.5), 1.0, "refuted"),
    ],
)
def test_forecast_decides_as_foreseen(hypothesis, effect, outcome):
    forecast = seeds_to_decide(assessment(effect, 0.8), hypothesis, Rule(), 0.8)
    assert forecast.outcome == outcome
    generator, hits = np.random.default_rng(2), 0
    for row in effect + 0.8 * generator.normal(size=(300, min(40, forecast.seeds))):
        end = end_level(0.05, 1, hypothesis.sides)
        hits += decide(assess(row, hypothesis, end), hypothesis) == outcome
    assert hits / 300 == pytest.approx(0.8, abs=0.09)


def test_forecast_where_there_is_none():
    assert seeds_to_decide(assessment(1.0, None, 1), Greater(), Rule()) is None
    assert seeds_to_decide(assessment(0.0, 1.0), Greater(), Rule()) is None
    assert seeds_to_decide(assessment(0.0, 1.0), Different(), Rule()) is None
    assert seeds_to_decide(assessment(0.5, 1.0), Different(0.5), Rule()) is None
    assert seeds_to_decide(assessment(0.5, 1.0), Between(-0.5, 0.5), Rule()) is None
    # Never fewer than one more.
    assert seeds_to_decide(assessment(9.0, 0.1, 20), Greater(), Rule()) == Forecast("supported", 21)
    assert seeds_to_decide(assessment(9.0, 0.0, 3), Greater(), Rule()) is None  # no spread seen


def test_bad_arguments_are_refused():
    for call in (
        lambda: Rule(0.0),
        lambda: Rule(claims=0),
        lambda: t_power(1.0, 0.0, 5, 0.05),
        lambda: critical_value(0.5, 5),
        lambda: detectable_difference(5, 1.0, Rule(), 1.0),
        lambda: seeds_needed(1.0, 1.0, Rule(), 0.0),
    ):
        with pytest.raises(ValueError, match=r"alpha|claim|deviation|level|power"):
            call()


def test_planning_imports_no_scipy():
    code = (
        "import sys; from harness.stats import power, forecast, hypotheses, multiplicity, fits;"
        "power.seeds_needed(0.5, 1.0, power.Rule());"
        "print(any(name.split('.')[0] in ('scipy', 'statsmodels', 'pandas', 'torch')"
        " for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
