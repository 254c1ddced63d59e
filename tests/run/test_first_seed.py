"""Confirmation seeds that begin later: which are trained, judged and counted."""

import pytest

from harness.evidence import shown_by
from harness.plan import Winner, make_plan
from harness.probes.first_layer_filters import FirstLayerFilters
from harness.run.prepare import count_done, prepare
from harness.run.results import open_results
from harness.run.study_run import RunOptions, run_study
from harness.store import open_store
from harness.study import InputError, load_study

pytestmark = pytest.mark.usefixtures("undrawn")

STUDY = {
    "study": "later",
    "question": "?",
    "workload": {
        "data": {"name": "digits", "limit": 100},
        "model": {"name": "mlp", "depth": 1, "width": 4},
        "epochs": 1,
    },
    "factors": {"width": {"path": "model.width", "levels": [4, 16]}},
    "seeds": {"start": 5, "step": 1, "max": 6},
    "first_seed": 20_000,
    "claims": [
        {
            "id": "wider",
            "says": "?",
            "source": ["test"],
            "metric": "test.loss",
            "contrast": {"width": [16, 4]},
            "below": 5,
        }
    ],
}


def test_seeds_follow_the_first_and_winners_take_turns():
    loaded = load_study(STUDY)
    plan = make_plan(loaded.study, loaded.arms)
    winners = [Winner(0, {"optimizer.lr": 0.1}), Winner(1, {"optimizer.lr": 0.2})]
    first, more = (plan.confirmation_trials(plan.arms[0], winners, look) for look in (0, 1))
    assert [item.trial.seed for item in first] == list(range(20_000, 20_005))
    assert [item.candidate for item in first] == [0, 1, 0, 1, 0]
    assert [(item.trial.seed, item.candidate) for item in more] == [(20_005, 1)]
    plain = load_study({key: value for key, value in STUDY.items() if key != "first_seed"})
    assert make_plan(plain.study, plain.arms).hash != plan.hash
    zero = load_study({**STUDY, "first_seed": 0})
    others = make_plan(zero.study, zero.arms).confirmation_trials(plan.arms[0], winners)
    assert not {item.trial.id for item in first} & {item.trial.id for item in others}


def test_they_are_judged_as_any_others_and_the_report_says_where_they_begin(tmp_path):
    loaded = load_study({**STUDY, "probes": ["first_layer_filters"]})
    run_study(loaded, RunOptions(tmp_path / "results", tmp_path / "reports", in_process=True))
    [result] = open_results(tmp_path / "results").judged()
    shown = shown_by(result.evidence, FirstLayerFilters)
    assert [(one.arm, one.seed) for one in shown] == [("4", 20_000), ("16", 20_000)]
    [verdict] = result.verdicts
    assert (verdict.verdict, verdict.seeds) == ("supported", 5)
    assert verdict.ci_low < verdict.effect < verdict.ci_high < 5
    [check] = [check for check in result.checks if check.id == "first-seed"]
    assert "Confirmation seeds begin at 20,000" in check.says[0]
    outlook = count_done(prepare(loaded, tmp_path), open_store(tmp_path / "results"))
    assert outlook.to_run == 0
    assert outlook.total["confirmation"] == 15  # two arms and the simple baseline, five seeds


@pytest.mark.parametrize("first", [8, 15_000, 1_000_000, -10_000])
def test_seeds_begin_where_they_cannot_overlap_with_others(first):
    with pytest.raises(InputError, match="first_seed"):
        load_study({**STUDY, "first_seed": first})


def test_runs_of_other_code_have_their_own_seeds():
    study = {
        **STUDY,
        "workload": {
            "training": {
                "name": "mlflow",
                "experiment": "e",
                "params": {"a": 1},
                "metrics": {"test.loss": "loss"},
            }
        },
        "factors": {"b": {"path": "training.params.b", "levels": [1, 2]}},
        "claims": [],
    }
    with pytest.raises(InputError, match="`first_seed` is of no use with `training: mlflow`"):
        load_study(study)
