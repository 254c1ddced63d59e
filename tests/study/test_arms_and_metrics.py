"""Study files that would give a false verdict are refused, each with the place and the reason."""

import json
import math
from pathlib import Path

import pytest
from scipy import stats

from harness.plan import make_plan
from harness.plan.power import power_of
from harness.study import InputError, load_study, select, study_from_dict
from harness.study.arm_checks import same_arms

CASES = Path("tests/cases")
BASE = """\
study: s
question: q
workload: {data: digits, model: {name: mlp, depth: 1, width: 4}, epochs: 2}
seeds: 8
"""
OWN = BASE.replace(
    "data: digits, model: {name: mlp, depth: 1, width: 4}",
    "training: {name: 'reports:train', settings: {flag: true}, metric: validation.accuracy}",
)
WIDTHS = "factors:\n  w: {path: model.width, levels: [4, 8]}\n"


def claim(rest: str, metric: str = "test.accuracy") -> str:
    return f"claims:\n  - {{id: c, says: s, metric: {metric}, {rest}}}\n"


def load(tmp_path: Path, text: str, *overrides: str, profile: str | None = None):
    file = tmp_path / "s.yaml"
    file.write_text(text)
    return load_study(file, profile, overrides)


def refusals(tmp_path: Path, text: str, *overrides: str, profile: str | None = None) -> list[str]:
    with pytest.raises(InputError) as caught:
        load(tmp_path, text, *overrides, profile=profile)
    return [str(p).replace(f"{tmp_path}/", "") for p in caught.value.problems]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (
            "same-arms",
            "8:59: claims[0].contrast: compares one with two, but they are one arm: all their"
            " settings are equal, and so are their trials",
        ),
        (
            "dead-override",
            "5:35: factors.w.levels[0]: model.width never acts: factor 'b' overwrites it in every"
            " arm",
        ),
        (
            "no-such-metric",
            "8:44: claims[0].metric: the arm '8' has no test.acc; did you mean 'test.accuracy'? (it"
            " has: test.loss, test.accuracy)",
        ),
        (
            "impossible-ratio",
            "8:83: claims[0].between: a ratio is positive, and so are its bounds",
        ),
    ],
)
def test_a_case_that_gave_a_false_verdict_is_refused(case, message):
    with pytest.raises(InputError) as caught:
        load_study(CASES / f"{case}.yaml")
    assert str(caught.value.problems[0]).endswith(f"{case}.yaml:{message}")


def test_the_deviation_of_one_arm_is_refused():
    with pytest.raises(InputError, match="deviation"):
        load_study(CASES / "deviation-of-one.yaml")


# --- names ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "names"),
    [
        (
            "factors:\n  a: {levels: {x: {model.width: 4}, x-y: {model.width: 32}}}\n"
            "  b: {levels: {y-z: {model.depth: 1}, z: {model.depth: 2}}}\n",
            ["a=x,b=y-z", "a=x,b=z", "a=x-y,b=y-z", "a=x-y,b=z"],
        ),
        (
            "factors:\n  a: {levels: {x: {model.width: 4}, x-y: {model.width: 32}}}\n"
            "  b: {levels: {p: {model.depth: 1}, q: {model.depth: 2}}}\n",
            ["x-p", "x-q", "x-y-p", "x-y-q"],
        ),
        (
            "factors:\n  a: {levels: {simple-baseline: {}, other: {model.width: 32}}}\n",
            ["a=simple-baseline", "a=other"],
        ),
        ("factors:\n  c: {path: clip, levels: [null, 1.0]}\n", ["None", "1.0"]),
        ("factors:\n  c: {path: epochs, levels: [2, 3]}\n", ["2", "3"]),
    ],
)
def test_names_of_arms_are_joined_levels_and_differ(tmp_path, text, names):
    loaded = load(tmp_path, BASE + text)
    assert [arm.name for arm in loaded.arms] == names
    declaration = make_plan(loaded.study, loaded.arms).declaration
    assert [arm.name for arm in study_from_dict(declaration)[1]] == names


def test_levels_that_hold_any_text_make_different_names(tmp_path):
    text = OWN + (
        "factors:\n"
        "  a: {path: training.settings.a, levels: ['1-2', '1', 'ä/b', 'x,b=1']}\n"
        "  b: {path: training.settings.b, levels: ['3', '2-3', 'x y', 'c=\"1\"']}\n"
    )
    names = [arm.name for arm in load(tmp_path, text).arms]
    assert len(set(names)) == 16
    assert names[0] == "a=1-2,b=3"
    assert 'a="x,b=1",b="c=\\"1\\""' in names


def test_true_is_not_one_and_false_is_not_zero(tmp_path):
    text = OWN + "factors:\n  f: {path: training.settings.flag, levels: [1, true, 0, false]}\n"
    loaded = load(tmp_path, text + claim("contrast: {f: [1, true]}, greater_by: 0.1"))
    for level in (1, True, 0, False):
        (arm,) = select(loaded.arms, {"f": level})
        assert arm.name == str(level)
    (one,) = [arm for arm in loaded.arms if arm.is_baseline]
    assert one.name == "True"
    text = text.replace("factors", "design: one-at-a-time\nfactors")
    assert [arm.name for arm in load(tmp_path, text).arms] == ["True", "1", "0", "False"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "arms:\n  '8': {model.depth: 2}\n",
            "s.yaml:8:3: arms.8: an arm of the design is called '8' as well; call this one"
            " otherwise",
        ),
        (
            "arms:\n  simple-baseline: {model.depth: 2}\n",
            "s.yaml:8:3: arms.simple-baseline: `simple-baseline` is the name of the simple model;"
            " call this arm otherwise",
        ),
        (
            "  arm: {path: model.depth, levels: [1, 2]}\n",
            "s.yaml:7:3: factors.arm: a factor cannot be called `arm`, which selects arms by their"
            " names in claims",
        ),
        (
            "  at: {path: model.depth, levels: [1, 2]}\n",
            "s.yaml:7:3: factors.at: a factor cannot be called `at`, which holds the levels of the"
            " other factors in claims",
        ),
        (
            "  d: {path: model.dropout, levels: [0, 0.0]}\n",
            "s.yaml:7:36: factors.d.levels: the same level stands here twice: 0 and 0.0 read alike",
        ),
    ],
)
def test_names_that_cannot_be_told_apart_are_refused(tmp_path, text, message):
    assert message in refusals(tmp_path, BASE + WIDTHS + text)


# --- arms that are one arm ------------------------------------------------------------------------
LEVELS = "factors:\n  a: {levels: {one: {%s}, two: {%s}, three: {model.width: 8}}}\n"


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("model.width: 4", "model.width: 4"),
        ("model.dropout: 0", "model.dropout: 0.0"),
        ("", "model.dropout: 0.0"),
        ("optimizer: adam", "optimizer.name: adam"),
        ("model: {name: mlp, depth: 1, width: 4}", "model.width: 4"),
    ],
)
@pytest.mark.parametrize(
    ("measure", "refused"),
    [
        ("contrast: {a: [one, two]}, within: 0.005", True),
        ("ratio: {a: [one, two]}, above: 0.5", True),
        ("contrast: [{a: [one, three]}, {a: two}], within: 0.005", True),
        ("of: {a: [one, two]}, across: range, below: 0.1", True),
        ("contrast: {a: [one, three]}, within: 0.005", False),
    ],
)
def test_arms_of_equal_trials_are_not_compared(tmp_path, one, two, measure, refused):
    text = BASE + LEVELS % (one, two) + claim(measure)
    if refused:
        (problem,) = refusals(tmp_path, text)
        assert "one with two, but they are one arm" in problem
    else:
        loaded = load(tmp_path, text)
        assert same_arms(loaded.study, loaded.arms) == [["one", "two"]]


@pytest.mark.parametrize("changed", ["{also: [recall]}", "{also: [recall, f1]}"])
def test_arms_that_measure_something_else_of_one_network_are_not_compared(tmp_path, changed):
    also = "task: {name: classification, also: [recall]}"
    text = BASE + LEVELS % ("", "task: {name: classification, " + changed[1:])
    rest = "contrast: {a: [one, two]}, within: 0.005"
    (problem,) = refusals(tmp_path, text + claim(rest))
    assert "compares one with two, but they train the same networks: only what is measured" in (
        problem
    )
    other = text.replace("three: {", "three: {" + also + ", ")
    load(tmp_path, other + claim("contrast: {a: [three, two]}, within: 0.005"))
    (problem,) = refusals(tmp_path, BASE + LEVELS % (also, also) + claim(rest))
    assert "one with two, but they are one arm" in problem


def test_a_named_arm_equal_to_the_baseline_is_one_with_it(tmp_path):
    text = BASE + WIDTHS + "arms:\n  plain: {model.depth: 1}\n"
    text += claim("contrast: [{arm: plain}, {w: 4}], greater_by: 0.01")
    (problem,) = refusals(tmp_path, text)
    assert "compares plain with 4, but they are one arm" in problem


def test_equal_stages_of_other_names_give_one_arm(tmp_path):
    text = BASE.replace("epochs: 2", "epochs: 2, transfer: {from: a}") + (
        "pretraining:\n  a: {epochs: 3}\n  b: {epochs: 3}\n  c: {epochs: 4}\n"
        "factors:\n  t: {levels: {one: {transfer.from: a}, two: {transfer.from: b},"
        " other: {transfer.from: c}}}\n"
    )
    loaded = load(tmp_path, text + claim("contrast: {t: [one, other]}, greater_by: 0.01"))
    assert same_arms(loaded.study, loaded.arms) == [["one", "two"]]
    (problem,) = refusals(tmp_path, text + claim("contrast: {t: [one, two]}, greater_by: 0.01"))
    assert "compares one with two" in problem


def test_an_arm_that_fixes_what_another_searches_is_another_arm(tmp_path):
    text = BASE.replace("epochs", "optimizer: {name: adam, lr: 0.001}, epochs") + (
        "arms:\n  fixed: {optimizer.lr: 0.001}\n  searched: {}\n"
        "search: {space: {optimizer.lr: {log: [1e-4, 1e-1]}}, candidates: 2}\n"
    )
    loaded = load(tmp_path, text)
    assert loaded.arms[1].workload == loaded.arms[2].workload
    assert same_arms(loaded.study, loaded.arms) == [["baseline", "searched"]]


# --- overrides that never act ---------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        (
            WIDTHS + "  m: {path: model, levels: [mlp, logistic_regression]}\n",
            "factors.w.levels[0]",
            "model.width never acts: factor 'm' overwrites it in every arm",
        ),
        (
            "factors:\n  lr: {path: optimizer.lr, levels: [0.1, 0.01]}\n"
            "  o: {path: optimizer, levels: [sgd, rmsprop]}\n",
            "factors.lr.levels[0]",
            "optimizer.lr never acts: factor 'o' overwrites it in every arm",
        ),
        (
            "factors:\n  m: {levels: {s: {model: {name: mlp, width: 4}},"
            " l: {model: {name: mlp, width: 9}}}}\n  w: {path: model.width, levels: [5, 6]}\n",
            "factors.m.levels.s.model",
            "model.width never acts: factor 'w' overwrites it in every arm",
        ),
        (  # level 8 is only seen where q overwrites it
            "design: one-at-a-time\nfactors:\n  w: {path: model.width, levels: [4, 8]}\n"
            "  b: {levels: {q: {model.width: 16}, p: {}}}\n",
            "factors.w.levels[1]",
            "model.width never acts: factor 'b' overwrites it in every arm",
        ),
        (
            WIDTHS + "arms:\n  n: {model.width: 9, model: {name: mlp, depth: 1, width: 3}}\n",
            "arms.n.model.width",
            "model.width never acts: the arm overwrites it in every arm",
        ),
        (
            "design: half-fraction\n" + WIDTHS + "  d: {path: model.depth, levels: [1, 2]}\n"
            "  v: {path: model.width, levels: [5, 6]}\n",
            "factors.w.levels[0]",
            "model.width never acts: factor 'v' overwrites it in every arm",
        ),
        (
            WIDTHS + "search: {space: {model.width: {integer: [4, 9]}}, candidates: 2}\n",
            "search.space.model.width",
            "is searched for no arm: every arm sets it itself",
        ),
        (
            WIDTHS + "profiles:\n  p: {workload.model.width: 32}\n",
            "profiles.p.workload.model.width",
            "workload.model.width never acts: factor 'w' overwrites it in every arm",
        ),
    ],
)
def test_a_setting_that_is_always_overwritten_is_refused(tmp_path, text, where, message):
    assert any(p.endswith(f"{where}: {message}") for p in refusals(tmp_path, BASE + text))


@pytest.mark.parametrize(
    "text",
    [
        "factors:\n  o: {path: optimizer, levels: [sgd, rmsprop]}\n"
        "  lr: {path: optimizer.lr, levels: [0.1, 0.01]}\n",
        WIDTHS + "  b: {levels: {p: {}, q: {model.width: 16}}}\n",
        WIDTHS + "arms:\n  n: {model: {name: mlp, depth: 1, width: 3}}\n"
        "profiles:\n  p: {workload.epochs: 3, workload.model.depth: 2}\n",
        WIDTHS + "profiles:\n  p: {workload.model: {name: mlp, depth: 3, width: 7}}\n",
    ],
)
def test_a_setting_that_acts_in_some_arm_is_accepted(tmp_path, text):
    load(tmp_path, BASE + text)


def test_an_override_that_never_acts_is_refused(tmp_path):
    (problem,) = refusals(tmp_path, BASE + WIDTHS, "workload.model.width=32")
    assert problem == (
        "--set: workload.model.width never acts: factor 'w' overwrites it in every arm"
    )


# --- words that are no truth values ---------------------------------------------------------------
@pytest.mark.parametrize("word", ["on", "off", "yes", "No", "y", "N", "True", "FALSE", "Null"])
@pytest.mark.parametrize(
    "text",
    [
        OWN.replace("flag: true", "flag: WORD"),
        OWN.replace("flag: true", "deep: {flags: [WORD]}"),
        OWN + "factors:\n  f: {path: training.settings.flag, levels: [true, WORD]}\n",
        OWN + "factors:\n  f: {levels: {a: {training.settings.flag: WORD}, b: {}}}\n",
        OWN + "factors:\n  f: {levels: {a: {training: {settings: {flag: WORD}}}, b: {}}}\n",
        OWN + "arms:\n  a: {training.settings.flag: WORD}\n",
        OWN + "profiles:\n  p: {workload.training.settings.flag: WORD}\n",
        BASE + "arms:\n  a: {model: {name: 'net:Net', settings: {flag: WORD}}}\n",
        BASE + "arms:\n  a: {optimizer: {name: 'o:O', lr: 0.1, settings: {flag: WORD}}}\n",
        BASE.replace("data: digits", "data: {name: 'd:d', settings: {flag: WORD}}"),
    ],
)
def test_a_word_that_is_text_here_is_refused_under_settings(tmp_path, text, word):
    meant = {"on": "true", "yes": "true", "y": "true", "true": "true", "null": "null"}
    first, *_ = refusals(tmp_path, text.replace("WORD", word))
    assert first.endswith(
        f"{word} is text here, which Python takes for true; write"
        f' {meant.get(word.lower(), "false")}, or "{word}" if the text is meant'
    )
    assert first.startswith("s.yaml:")


def test_words_in_quotes_and_other_words_are_accepted(tmp_path):
    text = OWN.replace("flag: true", "flag: 'off', pooling: none, list: [\"on\", once]")
    settings = load(tmp_path, text).study.workload.training.settings
    assert settings == {"flag": "off", "pooling": "none", "list": ["on", "once"]}
    load(tmp_path, OWN, "workload.training.settings.flag='off'")
    assert refusals(tmp_path, OWN, "workload.training.settings.flag=off") == [
        "--set: workload.training.settings.flag: off is text here, which Python takes for true;"
        ' write false, or "off" if the text is meant'
    ]


# --- metrics --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("metric", "rest", "message"),
    [
        ("test.bits", "of: {w: 4}, below: 2", "metric: the arm '4' has no test.bits"),
        ("probe.dead_units", "of: {w: 4}, below: 0.5",
         "metric: the arm '4' has no probe.dead_units, which the probe dead_units gives"),
        ("gap.bits", "of: {w: 4}, below: 0.5",
         "metric: the arm '4' has no gap.bits; did you mean 'gap.loss'? (it has: gap.a"),
        ("cost.second", "of: {w: 4}, below: 0.5", "did you mean 'cost.seconds'?"),
        ("test.accuracy", "contrast: {w: [8, 4]}, greater_by: 5",
         "greater_by: never holds: the contrast of test.accuracy lies between -1 and 1"),
        ("test.accuracy", "contrast: {w: [8, 4]}, within: 2",
         "within: always holds: the contrast of test.accuracy lies between -1 and 1"),
        ("test.accuracy", "contrast: {w: [8, 4]}, less_by: 1", "less_by: never holds"),
        ("test.accuracy", "contrast: {w: [8, 4]}, differs_by: 1", "differs_by: never holds"),
        ("test.accuracy", "of: {w: 4}, above: 1.5",
         "above: never holds: test.accuracy lies between 0 and 1"),
        ("test.accuracy", "of: {w: 4}, below: 90", "below: always holds"),
        ("test.accuracy", "of: {w: 4}, between: [90, 95]", "between: never holds"),
        ("test.loss", "of: {w: 4}, below: -1",
         "below: never holds: test.loss is never below 0"),
        ("test.loss", "of: {w: 4}, above: -1", "above: always holds"),
        ("test.accuracy", "of: {w: [4, 8]}, across: range, below: -0.1", "below: never holds"),
        ("test.accuracy", "ratio: {w: [8, 4]}, less_by: 1",
         "less_by: a ratio is positive, so it is never less than 1 by 1 or more"),
        ("test.accuracy", "contrast: {w: [8, 4]}, noninferior: 1.5", "noninferior: always holds"),
        ("test.accuracy", "of: {w: [4, 8]}, across: range, above: 0",
         "above: always holds: luck alone lifts such a spread of test.accuracy above 0; say which"),
        ("test.accuracy", "of: {w: 4}, spread_over_seeds: true, above: 0",
         "above: always holds: luck alone lifts"),
        ("test.accuracy", "ratio: {w: [8, 4]}, noninferior: 1",
         "noninferior: a ratio is positive, so it is never less than 1 by 1 or more"),
        ("gap.accuracy", "contrast: {w: [8, 4]}, noninferior: 0.1",
         "noninferior: nothing says whether a low or a high value of this is better; write"
         " above: -0.1 where high is, below: 0.1 where low is"),
        ("test.accuracy", "of: {w: [4, 8]}, across: range, noninferior: 0.1",
         "noninferior: nothing says whether a low or a high value of this is better"),
        ("test.accuracy", "contrast: {w: [8, 4]}, noninferior: 0", "noninferior: "),
        ("test.accuracy", "ratio: {w: [8, 4]}, above: 0", "above: a ratio is positive"),
        ("test.accuracy", "ratio: {w: [8, 4]}, below: -1", "below: a ratio is positive"),
        ("test.accuracy", "ratio: {w: [8, 4]}, between: [-1, 2]", "between: a ratio is positive"),
        ("outcome.diverge", "of: {w: 4}, below: 0.5", "did you mean 'outcome.diverged'?"),
        ("outcome.diverged", "contrast: {w: [8, 4]}, greater_by: 1",
         "greater_by: never holds: the contrast of outcome.diverged lies between -1 and 1"),
        ("outcome.diverged", "ratio: {w: [8, 4]}, above: 1",
         "metric: outcome.diverged is 0 or 1, which no ratio can be made of; take a contrast"),
        ("outcome.diverged", "of: {w: 4}, below: 0.5, diverged: 1", "leave out `diverged`"),
        ("outcome.diverged", "of: {w: 4}, below: 0.5, average: median", "only its mean over seeds"),
        ("test.loss", "of: {w: 4}, above: 1, diverged: -2",
         "diverged: a diverged trial cannot count as -2: test.loss is never below 0"),
        ("test.accuracy", "contrast: {w: [8, 4]}, greater_by: 0.1, diverged: 10",
         "diverged: a diverged trial cannot count as 10: test.accuracy lies between 0 and 1"),
        ("test.accuracy", "ratio: {w: [8, 4]}, greater_by: 0.1, diverged: 0",
         "diverged: 0 has no logarithm, which the ratio is made of"),
        ("test.loss", "ratio: {w: [8, 4]}, spread_over_seeds: true, above: 1",
         "of 9 seeds one is the median itself, at a distance of 0, which has no ratio"),
    ],
)  # fmt: skip
def test_a_claim_that_no_numbers_can_decide_is_refused(tmp_path, metric, rest, message):
    text = BASE.replace("seeds: 8", "seeds: 9") + WIDTHS + claim(rest, metric)
    (problem,) = refusals(tmp_path, text)
    assert message in problem


def test_a_metric_that_is_asked_for_has_its_own_range(tmp_path):
    text = BASE + WIDTHS + claim("of: {w: 4}, above: 1.5", "test.recall")
    asked = "workload.task={name: classification, also: [recall]}"
    (problem,) = refusals(tmp_path, text, asked)
    assert "above: never holds: test.recall lies between 0 and 1" in problem


@pytest.mark.parametrize(
    ("metric", "rest", "more"),
    [
        ("test.accuracy", "contrast: {w: [8, 4]}, greater_by: 0.01", ""),
        ("test.accuracy", "ratio: {w: [8, 4]}, between: [0, 2]", ""),
        ("gap.accuracy", "contrast: {w: [8, 4]}, above: -1.5", ""),
        ("gap.accuracy", "of: {w: 4}, below: 0", ""),
        ("probe.dead_units", "of: {w: 4}, above: 0", "probes: [dead_units]\n"),
        ("probe.epochs_to_90", "of: {w: 4}, below: 3",
         "probes: [{name: epochs_to_target, target: 0.9, label: '90'}]\n"),
        ("test.loss", "of: {w: 4}, above: 2, diverged: 20", ""),
        ("train.loss", "ratio: {w: [8, 4]}, less_by: 0.5", ""),
        ("outcome.diverged", "contrast: {w: [8, 4]}, greater_by: 0.2", ""),
        ("outcome.diverged", "of: {w: [8, 4]}, across: highest, below: 0.2", ""),
    ],
)  # fmt: skip
def test_a_claim_that_numbers_can_decide_is_accepted(tmp_path, metric, rest, more):
    load(tmp_path, BASE + WIDTHS + more + claim(rest, metric))


def test_what_other_code_reports_is_not_guessed(tmp_path):
    factor = "factors:\n  f: {path: training.settings.flag, levels: [true, false]}\n"
    rest = "contrast: {f: [true, false]}, greater_by: 5"
    load(tmp_path, OWN + factor + claim(rest, "test.accuracy"))
    load(tmp_path, OWN + factor + claim(rest, "test.f_1"))
    (problem,) = refusals(tmp_path, OWN + factor + claim(rest, "cost.parameters"))
    assert "has no cost.parameters" in problem


def test_a_target_is_of_a_metric_that_epochs_have(tmp_path):
    probe = "probes: [{name: epochs_to_target, metric: validation.acc, target: 0.9}]\n"
    (problem,) = refusals(tmp_path, BASE + WIDTHS + probe)
    assert problem == (
        "s.yaml:7:43: probes[0].metric: no epoch of the arm '4' has validation.acc; did you mean"
        " 'validation.accuracy'? (it has: train.loss, validation.loss, validation.accuracy)"
    )


# --- power ----------------------------------------------------------------------------------------
def test_plan_says_what_eight_claims_of_two_sides_can_show():
    power = power_of(load_study(CASES / "two-sided-power.yaml").study)
    end = 0.05 / 16
    t = stats.t.ppf(1 - end, 7)
    found = stats.nct.sf(t, 7, power["detectable"] * math.sqrt(8))
    assert found == pytest.approx(0.8, abs=1e-4)
    assert power["by_claim"][0] == {"id": "c6", "kind": "two-sided"}
    json.dumps(power)


@pytest.mark.parametrize(
    ("seeds", "looks"), [("6", 1), ("7", 1), ("{start: 5, step: 1, max: 6}", 2)]
)
def test_power_knows_sides_corrections_and_looks(tmp_path, seeds, looks):
    text = BASE.replace("seeds: 8", f"seeds: {seeds}") + WIDTHS + (
        "claims:\n"
        "  - {id: a, says: s, metric: test.loss, contrast: {w: [8, 4]}, differs_by: 0.1}\n"
        "  - {id: b, says: s, metric: test.loss, contrast: {w: [8, 4]}, less_by: 0.1}\n"
        "  - id: c\n    says: s\n    all_of:\n"
        "      - {metric: test.loss, contrast: {w: [8, 4]}, less_by: 0.1}\n"
        "      - {metric: test.loss, contrast: {w: [8, 4]}, differs_by: 0.1}\n"
    )  # fmt: skip
    power = power_of(load(tmp_path, text).study)
    assert len(power["looks"]) == looks
    for look in power["looks"]:  # two sides share the error rate, and a look has a part of it
        assert look["by_kind"]["two-sided"] > look["by_kind"]["one-sided"] > 0
    needed = [look["by_kind"]["one-sided"] for look in power["looks"]]
    assert needed == sorted(needed, reverse=True)
    assert [claim["kind"] for claim in power["by_claim"]] == ["two-sided", "one-sided", "two-sided"]
