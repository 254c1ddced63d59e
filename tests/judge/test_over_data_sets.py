"""Claims over data sets: the data set is the unit, and what is no sample of them is refused."""

from dataclasses import replace

import numpy as np
import pytest
from sharing import lean

from harness import api
from harness.errors import InputError
from harness.judge import judge
from harness.plan.power import power_of
from harness.report.answers import certainty, sentence
from harness.report.verdicts import forecast, measured
from harness.stats.intervals import t_interval
from harness.stats.power import Rule, seeds_needed

DATA = {
    "digits": {"data": {"name": "digits", "limit": 200}},
    "iris": {"data": {"name": "table", "source": "iris"}},
    "wine": {"data": {"name": "table", "source": "wine"}},
    "cancer": {"data": {"name": "table", "source": "breast_cancer"}},
    "vote": {"data": {"name": "table", "source": "vote", "limit": 200}},
}
CLAIM = {
    "id": "deeper", "says": "Deeper is better", "metric": "test.accuracy",
    "contrast": {"depth": [2, 1]}, "generalize_over": "data", "greater_by": 0.0,
}  # fmt: skip


def study(data=DATA, claim=CLAIM, **changes):
    return {
        "study": "over-data-sets", "question": "q", "design": "factorial", "seeds": 5,
        "workload": {"data": "digits", "model": {"name": "mlp", "depth": 1, "width": 4},
                     "epochs": 1},
        "factors": {"depth": {"path": "model.depth", "levels": [1, 2]}, "data": {"levels": data}},
        "claims": [claim], "simple_baseline": "none", **changes,
    }  # fmt: skip


def load(*arguments, **changes):
    return api.load(study(*arguments, **changes))


@pytest.fixture(scope="module")
def evidence(tmp_path_factory):
    folder = tmp_path_factory.mktemp("over")
    with lean(), pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        loaded = load()
        return api.run(loaded, in_process=True)._evidence


def with_differences(evidence, by_data_set, noise=0.0):
    """Evidence whose deeper arm differs by so much on each data set, and a little by seed."""
    trials = evidence.trials.copy()
    arms = {arm.name: arm for arm in evidence.plan.arms}
    names = list(DATA)
    for i, row in trials.iterrows():
        levels = arms[row["arm"]].levels
        shift = by_data_set[names.index(levels["data"])] if levels["depth"] == 2 else 0.0
        trials.loc[i, "test.accuracy"] = 0.5 + shift + noise * (row["seed"] - 2)
    details = {
        id_: {k: v for k, v in found.items() if not k.startswith("example")}
        for id_, found in evidence.details.items()
    }
    return replace(evidence, trials=trials, details=details)


def test_the_interval_is_that_of_the_data_sets_however_little_seeds_vary(evidence):
    shifts = np.array([0.3, -0.05, 0.2, 0.1, -0.1])
    (found,) = judge(with_differences(evidence, shifts))
    assert found.effect == pytest.approx(shifts.mean())
    assert (found.ci_low, found.ci_high) == pytest.approx(t_interval(shifts, found.level))
    assert found.verdict == "inconclusive"
    assert found.interval_over == "data sets"
    assert (found.unit, found.counted) == ("data set", "5 data sets")
    assert found.seeds_needed == seeds_needed(shifts.mean(), shifts.std(ddof=1), Rule(0.05, 1))
    assert forecast(found) == (
        f"About {found.seeds_needed} data sets would decide it, if effect and spread stay as they"
        " are. More seeds of the same data sets would not."
    )
    assert measured(found.measures).startswith("Test accuracy over data sets (data): ")
    said = sentence(found, evidence.plan.metric)
    assert said.startswith("On average over the data sets, 2 is 9 percentage points above 1")
    assert certainty(found, evidence.plan.metric).endswith("over 5 data sets")
    assert "each data set counts as one number" in found.reason


def test_a_claim_that_holds_on_all_data_sets_alike_is_supported(evidence):
    (found,) = judge(with_differences(evidence, np.array([0.21, 0.19, 0.2, 0.22, 0.18])))
    assert found.verdict == "supported"
    (worse,) = judge(with_differences(evidence, -np.array([0.21, 0.19, 0.2, 0.22, 0.18])))
    assert worse.verdict == "refuted"


def test_equal_numbers_of_all_data_sets_decide_nothing(evidence):
    (found,) = judge(with_differences(evidence, np.full(5, 0.25)))
    assert found.verdict == "inconclusive"
    assert "deterministic" not in found.reason


def test_a_trial_that_is_missing_on_one_data_set_leaves_the_claim_incomplete(evidence):
    trials = evidence.trials[evidence.trials["arm"] != evidence.plan.arms[-1].name]
    (found,) = judge(replace(evidence, trials=trials))
    assert found.verdict == "incomplete"


@pytest.mark.parametrize(
    ("claim", "data", "says"),
    [
        ({"generalize_over": "dta"}, {}, "no factor is called 'dta'; did you mean 'data'"),
        ({"generalize_over": "depth"}, {}, "every level of 'depth' counts"),
        ({"contrast": {"depth": [2, 1], "at": {"data": "iris"}}}, {}, "every level of 'data'"),
        ({"contrast": {"data": ["iris", "wine"]}}, {}, "every level of 'data' counts"),
        ({"across": "lowest"}, {}, "goes with means alone"),
        ({"spread_over_seeds": True}, {}, "goes with means alone"),
        (
            {"metric": "test.loss"},
            {"vote": {"data": {"name": "table", "source": "diabetes"}}},
            "not the same number|means something else",
        ),
        (
            {"metric": "cost.seconds"},
            {"vote": {"data": {"name": "table", "source": "diabetes"}}},
            "means something else on class .* and numbers|timing",
        ),
        (
            {},
            {"vote": {"data": {"name": "table", "source": "iris", "label_noise": 0.2}}},
            "levels iris and vote of 'data' are one data set in other settings",
        ),
    ],
)  # fmt: skip
def test_what_is_no_sample_of_data_sets_is_refused(claim, data, says):
    with pytest.raises(InputError, match=says):
        load({**DATA, **data}, {**CLAIM, **claim})


def test_four_data_sets_are_too_few():
    with pytest.raises(InputError, match="4 data sets can support no claim about others"):
        load({name: DATA[name] for name in list(DATA)[:4]})


def test_levels_that_are_no_data_sets_are_refused():
    widths = {f"w{n}": {"model.width": n} for n in (2, 3, 4, 5, 6)}
    with pytest.raises(InputError, match="are one data set in other settings"):
        load(widths)


def test_a_design_that_compares_on_one_data_set_alone_is_refused():
    with pytest.raises(InputError, match="write `design: factorial`"):
        load(design="one-at-a-time")


def test_the_plan_says_what_more_data_sets_would_show():
    power = power_of(load().study)
    assert [entry["datasets"] for entry in power["datasets"]] == [5, 10, 20]
    shown = [entry["by_kind"]["one-sided"] for entry in power["datasets"]]
    assert shown == sorted(shown, reverse=True)
    many_seeds = power_of(load(seeds=50).study)
    assert many_seeds["datasets"] == power["datasets"]
    plain = {key: value for key, value in CLAIM.items() if key != "generalize_over"}
    assert power_of(load(claim=plain).study)["datasets"] == []
