"""Counts that no seed can change are known; those that a search or a stop may change are not."""

import pandas as pd
import pytest

from harness.evidence import Evidence
from harness.judge import judge
from harness.plan import make_plan
from harness.store import Execution
from harness.study import load_study

WORKLOAD = {"data": "digits", "model": {"name": "mlp", "depth": 2}}
LEVELS = {"all": {}, "last": {"transfer": {"freeze": "features"}}}
GRADUAL = {"transfer": {"freeze": "features", "unfreeze_every": 3}}
SEARCH = {
    "space": {"model.width": {"choice": [8, 64]}, "optimizer.lr": {"log": [0.001, 0.1]}},
    "candidates": 2,
    "repeats": 5,
}
COUNTS = {"all": 1000.0, "last": 100.0}


def evidence(metric, tried=None, levels=LEVELS, said=("all", "last"), **parts):
    """Return evidence of a claim that one arm has fewer of something, equal on all seeds.

    Args:
        metric: of the claim.
        tried: numbers of each arm's candidates.
        levels: of the factor.
        said: arms whose records name the trained parameters.
        parts: of the study, beside these.
    """
    claim = {"id": "c", "says": "s", "metric": metric, "less_by": 0.5,
             "ratio": {"tuned": ["last", "all"]}}  # fmt: skip
    study = {
        "study": "made",
        "question": "?",
        "workload": WORKLOAD,
        "factors": {"tuned": {"levels": levels}},
        "simple_baseline": "none",
        "seeds": 5,
        "claims": [claim],
    }
    loaded = load_study({**study, **parts})
    plan = make_plan(loaded.study, loaded.arms)
    rows = []
    for arm, count in COUNTS.items():
        sizes = {"cost.parameters": count if metric == "cost.parameters" else COUNTS["all"]}
        for phase, numbers in (("confirmation", [count] * 5), ("search", tried or [])):
            for seed, number in enumerate(numbers):
                known = {metric: number} if arm in said else {}
                rows.append({"arm": arm, "seed": seed, "phase": phase, "state": "complete",
                             "trial_id": f"{arm}-{phase}-{seed}", **sizes, **known})  # fmt: skip
    execution = Execution(1, "made", "default", "h", {}, {}, 0.0, 1.0, "finished", 1.0)
    return Evidence(plan, execution, pd.DataFrame(rows), pd.DataFrame(), {}, [])


@pytest.mark.parametrize("metric", ["cost.parameters", "cost.trained_parameters"])
def test_a_count_that_is_equal_on_all_seeds_is_known(metric):
    (verdict,) = judge(evidence(metric))
    assert (verdict.verdict, verdict.p_value) == ("supported", 0.0)
    assert verdict.ci_low == verdict.ci_high == verdict.effect == pytest.approx(0.1)


def test_where_no_record_names_trained_parameters_all_are_trained():
    (verdict,) = judge(evidence("cost.trained_parameters", said=("last",)))
    assert (verdict.verdict, verdict.effect) == ("supported", pytest.approx(0.1))


@pytest.mark.parametrize(
    ("early_stopping", "outcome"), [(None, "supported"), ({"patience": 2}, "inconclusive")]
)
def test_how_many_layers_were_unfrozen_is_luck_where_a_training_may_stop(early_stopping, outcome):
    levels = {"all": {}, "last": GRADUAL}
    workload = {**WORKLOAD, "early_stopping": early_stopping}
    (verdict,) = judge(evidence("cost.trained_parameters", levels=levels, workload=workload))
    assert verdict.verdict == outcome


@pytest.mark.parametrize(
    ("tried", "outcome"),
    [([700.0] * 10, "supported"), ([700.0] * 9 + [90.0], "inconclusive"), ([], "inconclusive")],
)
def test_winners_that_agree_are_luck_where_repeated_searches_tried_other_counts(tried, outcome):
    (verdict,) = judge(evidence("cost.parameters", tried, search=SEARCH))
    assert verdict.verdict == outcome


def test_one_search_decides_for_the_settings_that_it_found():
    once = {**SEARCH, "repeats": 1}
    (verdict,) = judge(evidence("cost.parameters", [700.0, 90.0], search=once))
    assert verdict.verdict == "supported"
    assert "for the settings that this one search found" in verdict.reason
