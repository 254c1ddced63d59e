"""Measures that reduce several arms or seeds to one number, checked by hand-made evidence."""

import numpy as np
import pandas as pd
import pytest

from harness.evidence import Evidence
from harness.judge import judge
from harness.judge.measures import numbers_per_seed
from harness.plan import make_plan
from harness.stats.intervals import shrinkage_of_distances
from harness.store import Execution
from harness.study import Comparison, InputError, load_study
from harness.study.in_words import describe_measure

HEAD = """\
study: made
question: Known answers?
workload: {data: digits, model: {name: mlp, depth: 2}, optimizer: adam}
factors:
  start: {path: optimizer.lr, levels: [0.1, 0.2]}
  depth: {path: model.depth, levels: [2, 4, 8]}
arms: {linear: {model.depth: 0}, narrow: {model.width: 8}, wide: {model.width: 32}}
seeds: 10
claims:
  - id: c
    says: s
    metric: test.accuracy
"""


@pytest.fixture
def evidence(tmp_path):
    """Return a function: the rest of a claim, and a value for (arm, seed), give evidence."""

    def build(claim, value):
        file = tmp_path / "made.yaml"
        file.write_text(HEAD + "".join(f"    {line}\n" for line in claim.splitlines()))
        loaded = load_study(file)
        rows = [
            {
                "arm": arm.name,
                "seed": seed,
                "phase": "confirmation",
                "state": "complete",
                "trial_id": f"{arm.name}-{seed}",
                "test.accuracy": value(arm, seed),
            }
            for arm in loaded.arms
            for seed in range(10)
        ]
        execution = Execution(1, "made", "default", "h", {}, {}, 0.0, 1.0, "finished", 1.0)
        plan = make_plan(loaded.study, loaded.arms)
        return Evidence(plan, execution, pd.DataFrame(rows), pd.DataFrame(), {}, [])

    return build


def numbers(evidence, seeds=10):
    (claim,) = evidence.plan.study.claims
    return numbers_per_seed(claim, evidence, seeds)


def level(arm, seed):
    return arm.levels.get("start", 0) * arm.levels.get("depth", 0) + seed


@pytest.mark.parametrize(
    ("across", "expected"),
    [("range", 0.6), ("lowest", 0.2), ("highest", 0.8), ("shortfall", 0.8 - 1.4 / 3),
     ("deviation", np.std([0.2, 0.4, 0.8], ddof=1))],
)  # fmt: skip
def test_arms_of_a_side_become_one_number(evidence, across, expected):
    made = evidence(f"of: {{start: 0.1}}\nacross: {across}\nabove: 0.1", level)
    shift = np.arange(10) if across in ("lowest", "highest") else 0
    np.testing.assert_allclose(numbers(made), expected + shift)


def test_ranges_of_two_sides_are_compared(evidence):
    made = evidence(
        "contrast: {start: [0.2, 0.1]}\nacross: range\ngreater_by: 0.1\ndeterministic: true",
        lambda arm, _: level(arm, 0),
    )
    np.testing.assert_allclose(numbers(made), 0.6)
    (verdict,) = judge(made)
    assert verdict.verdict == "supported"
    assert verdict.measures == "range of test.accuracy: 0.2 − 0.1"


def test_a_trend_of_a_contrast(evidence):
    made = evidence(
        "trend: {over: depth, contrast: {start: [0.2, 0.1]}, scale: doubling}\ngreater_by: 0.1",
        level,
    )
    slope = np.polyfit([1, 2, 3], [0.2, 0.4, 0.8], 1)[0]
    np.testing.assert_allclose(numbers(made), slope)
    (claim,) = made.plan.study.claims
    assert describe_measure(claim) == ("test.accuracy: change per doubling of 0.2 − 0.1 over depth")


def test_a_trend_over_named_points(evidence):
    value = {"linear": 3.0, "narrow": 12.0, "wide": 48.0}
    made = evidence(
        "trend:\n  scale: power\n  points: {1: {arm: linear}, 2: {arm: narrow}, 4: {arm: wide}}\n"
        "between: [1.9, 2.1]",
        lambda arm, seed: value.get(arm.name, 1.0) * (1 + seed),
    )
    np.testing.assert_allclose(numbers(made), 2.0)


def test_a_trend_over_points_that_are_differences(evidence):
    value = {"linear": 1.0, "narrow": 3.0, "wide": 9.0}
    made = evidence(
        "trend:\n  points:\n    1: [{arm: narrow}, {arm: linear}]\n"
        "    2: [{arm: wide}, {arm: narrow}]\n    3: [{arm: wide}, {arm: linear}]\nabove: 0",
        lambda arm, seed: value.get(arm.name, 1.0),
    )
    np.testing.assert_allclose(numbers(made), np.polyfit([1, 2, 3], [2, 6, 8], 1)[0])


def test_spread_over_seeds(evidence):
    made = evidence("of: {arm: wide}\nspread_over_seeds: true\nabove: 0.1", level)
    distances = np.abs(np.arange(10) - 4.5)
    np.testing.assert_allclose(numbers(made), distances / shrinkage_of_distances(10))


def test_only_the_first_seeds_count(evidence):
    made = evidence("of: {arm: wide}\nabove: 0", level)
    np.testing.assert_allclose(numbers(made, 6), np.arange(6))


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ("trend: {}\nabove: 0", "needs either `over`, a factor, or `points`"),
        ("trend: {points: {1: {arm: linear}, 2: {arm: wide}}}\nabove: 0", "at least 3"),
        ("trend: {over: start}\nabove: 0", "three or more numeric levels"),
        ("trend: {over: depht}\nabove: 0", "did you mean 'depth'"),
        ("trend: {points: {1: {arm: linear}, 2: {arm: wide}, 3: {arm: wyde}}}\nabove: 0", "wide"),
        ("trend: {over: depth, contrast: {start: [0.1]}}\nabove: 0", "two levels"),
        ("trend: {over: depth, contrast: {start: [0.1, 0.3]}}\nabove: 0", "no level '0.3'"),
        ("of: {arm: linear}\nacross: rnge\nabove: 0", "'range'"),
    ],
)  # fmt: skip
def test_wrong_declarations_are_explained(evidence, claim, message):
    with pytest.raises(InputError) as error:
        evidence(claim, level)
    assert message in str(error.value)
    assert "made.yaml:" in str(error.value)


# --- laws of scale, and crossings -----------------------------------------------------------------
POINTS = "points: {1: {arm: linear}, 10: {arm: narrow}, 20: {arm: wide}, 40: {start: 0.1, depth: 2}"


def of_law(values):
    """Return the value of an arm and a seed: of the points of a law in their order."""
    names = ["linear", "narrow", "wide"]

    def value(arm, seed):
        place = names.index(arm.name) if arm.name in names else min(4, 3 + arm.levels["depth"] // 4)
        return values[place] * (1 + 0.01 * (seed % 3))

    return value


def test_a_law_of_the_smaller_levels_is_held_against_the_largest(evidence):
    x = np.array([1.0, 10.0, 20.0, 40.0, 80.0])
    claim = (
        f"extrapolation:\n  {POINTS}, 80: {{start: 0.1, depth: 4}}}}\n  law: LAW\n"
        "between: [0.95, 1.05]"
    )
    made = evidence(claim.replace("LAW", "power"), of_law(3.0 * x**-0.3))
    np.testing.assert_allclose(numbers(made), 0.0, atol=1e-12)
    floored = of_law(1.0 + 3.0 * x**-0.9)
    made = evidence(claim.replace("LAW", "power"), floored)
    assert (np.exp(numbers(made)) > 1.1).all()
    made = evidence(claim.replace("LAW", "power_with_floor"), floored)
    np.testing.assert_allclose(np.exp(numbers(made)), 1.0, rtol=5e-3)
    (verdict,) = judge(made)
    assert verdict.verdict == "inconclusive"  # equal numbers decide nothing
    assert verdict.measures == (
        "test.accuracy: measured / predicted by a power law with a floor: 80 from 1, 10, 20, 40"
    )


CROSSING = (
    "crossing: {over: depth, contrast: {start: [0.2, 0.1]}, becomes: higher}\nbetween: [2, 8]"
)


def leads_by(*differences):
    """Return values where start 0.2 leads start 0.1 by so much at depths 2, 4 and 8."""
    noise = np.random.default_rng(0).normal(size=(3, 10)) * 0.02

    def value(arm, seed):
        place = [2, 4, 8].index(arm.levels.get("depth", 2))
        lead = differences[place] + noise[place, seed]
        return 0.5 + (lead if arm.levels.get("start") == 0.2 else 0.0)

    return value


def test_a_crossing_is_where_one_arm_overtakes_another(evidence):
    made = evidence(CROSSING, leads_by(-0.1, 0.1, 0.2))
    (verdict,) = judge(made)
    assert verdict.verdict == "supported"
    assert 2 <= verdict.ci_low < verdict.effect < verdict.ci_high < 4
    assert verdict.effect == pytest.approx(2 * 2**0.5, rel=0.05)
    assert verdict.measures == "test.accuracy: depth at which 0.2 overtakes 0.1"
    assert "the first arm is behind" in verdict.reason
    assert np.exp(numbers(made)).mean() == pytest.approx(verdict.effect, rel=0.05)


@pytest.mark.parametrize(
    ("differences", "expected", "ends"),
    [
        ((0.0, 0.0, 0.0), "inconclusive", (None, None)),
        ((0.1, 0.1, 0.1), "refuted", (None, 2)),
        ((-0.1, -0.1, -0.1), "refuted", (8, None)),
        ((0.0, 0.1, 0.1), "inconclusive", (None, "between")),
    ],
)
def test_no_crossing_is_supported_where_none_is(evidence, differences, expected, ends):
    (verdict,) = judge(evidence(CROSSING, leads_by(*differences)))
    assert verdict.verdict == expected
    for found, end in zip((verdict.ci_low, verdict.ci_high), ends, strict=True):
        if end == "between":
            assert 2 < found < 4
        else:
            assert found is None if end is None else found == pytest.approx(end, rel=1e-4)


def test_a_loss_becomes_lower(evidence):
    claim = CROSSING.replace("higher", "lower")
    made = evidence(claim, lambda arm, seed: 1 - leads_by(-0.1, 0.1, 0.2)(arm, seed))
    assert judge(made)[0].verdict == "supported"


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (CROSSING.replace("between: [2, 8]", "above: 2"), "`above` does not go with crossing"),
        (CROSSING.replace("[2, 8]", "[2, 9]"), "not seen by levels from 2 to 8"),
        (CROSSING + "\naverage: median", "means over seeds"),
        (CROSSING.replace("contrast: {start: [0.2, 0.1]}, ", ""), "needs `contrast:"),
        (CROSSING.replace(", becomes: higher", ""), "becomes"),
        (f"extrapolation: {{{POINTS}}}}}\nabove: 1", "does not go with extrapolation"),
        (f"extrapolation: {{{POINTS}}}}}\nbetween: [0.9, 1.1]", "span 1.3 decades"),
        (f"extrapolation: {{{POINTS}}}, held_out: 2}}\nbetween: [0.9, 1.1]", "leave 2"),
        ("extrapolation: {over: depth, contrast: {start: [0.1, 0.2]}}\nbetween: [0.9, 1.1]",
         "not to a difference"),
    ],
)  # fmt: skip
def test_laws_and_crossings_that_show_nothing_are_refused(evidence, claim, message):
    with pytest.raises(InputError) as error:
        evidence(claim, level)
    assert message in str(error.value)
    assert "made.yaml:" in str(error.value)


# --- interactions of more factors, and of ratios --------------------------------------------------
CUBE = HEAD.replace("  depth: {", "  loss: {path: model.width, levels: [4, 8]}\n  depth: {")


def cube(arm, seed):
    a, b, c = (
        arm.levels.get(f) == first for f, first in (("start", 0.1), ("loss", 4), ("depth", 2))
    )
    return 2.0 ** (a + b) * (3.0 if a and b and c else 1.0)


def test_an_interaction_of_three_factors_is_the_difference_of_two(evidence, monkeypatch):
    monkeypatch.setitem(globals(), "HEAD", CUBE)
    pair = "start: [0.1, 0.2], loss: [4, 8]"
    three = evidence(f"interaction: {{{pair}, depth: [2, 8]}}\nabove: 0", cube)
    at = [
        numbers(evidence(f"interaction: {{{pair}, at: {{depth: {depth}}}}}\nabove: 0", cube))
        for depth in (2, 8)
    ]
    np.testing.assert_allclose(numbers(three), at[0] - at[1])
    np.testing.assert_allclose(numbers(three), 8.0)
    (claim,) = three.plan.study.claims
    assert claim.measure.words(Comparison(())) == (
        "((0.1 − 0.2) with loss 4 − the same with 8) with depth 2 − the same with 8"
    )


def test_effects_that_multiply_have_a_ratio_of_ratios_of_one(evidence, monkeypatch):
    monkeypatch.setitem(globals(), "HEAD", CUBE)
    pair = "start: [0.1, 0.2], loss: [4, 8]"
    for depth, ratio in ((2, 3.0), (8, 1.0)):
        made = evidence(
            f"ratio_of_ratios: {{{pair}, at: {{depth: {depth}}}}}\ngreater_by: 0.1", cube
        )
        np.testing.assert_allclose(np.exp(numbers(made)), ratio)
        (claim,) = made.plan.study.claims
        assert claim.measure.words(Comparison(())).startswith("(0.1 / 0.2) with loss 4 / the same")
