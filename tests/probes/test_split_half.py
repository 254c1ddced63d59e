"""A candidate's score on two halves of its validation examples."""

import pytest

from harness.plan import Winner, make_plan
from harness.probes.split_half import SplitHalf
from harness.search.found import HALVES
from harness.study import InputError, load_study
from harness.train import train
from harness.trial import Phase, Record
from harness.workloads import load

STUDY = {
    "study": "halves",
    "question": "?",
    "workload": {
        "data": {"name": "digits", "limit": 200, "validation_fraction": 0.5},
        "model": {"name": "mlp", "depth": 1, "width": 8},
        "epochs": 2,
        "keep": "last",
    },
    "search": {"space": {"optimizer.lr": {"log": [1e-4, 1e-1]}}, "candidates": 3},
    "seeds": 5,
    "probes": ["split_half"],
}


def test_halves_of_candidates_make_the_validation_score_and_confirmation_has_none(tmp_path):
    loaded = load_study(STUDY)
    plan = make_plan(loaded.study, loaded.arms)
    (arm,) = plan.arms
    candidates = [{"optimizer.lr": lr} for lr in (1e-4, 1e-2, 1e-1)]
    trials = [
        item.trial
        for i, given in enumerate(candidates)
        for item in plan.search_trials(arm, i, given)
    ]
    data = load(arm.workload["data"], tmp_path)
    events = train(trials, data.for_phase(Phase.SEARCH))
    records = [event for event in events if isinstance(event, Record)]
    assert len(records) == 3
    for record in records:
        first, second = (record.metrics[half] for half in HALVES)
        assert (first + second) / 2 == pytest.approx(record.metrics["validation.accuracy"])
        assert not any(name.startswith("test.") for name in record.metrics)
    assert any(r.metrics[HALVES[0]] != r.metrics[HALVES[1]] for r in records)
    confirmed, *_ = plan.confirmation_trials(arm, [Winner(0, candidates[0])])
    assert confirmed.trial.probes == ()


def test_the_probe_is_a_part_of_what_a_candidate_is():
    with_it, without = (
        make_plan(one.study, one.arms)
        for one in (load_study(STUDY), load_study({**STUDY, "probes": []}))
    )
    ids = [plan.search_trials(plan.arms[0], 0, {})[0].trial.id for plan in (with_it, without)]
    assert ids[0] != ids[1]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"name": "table", "source": "diabetes"}, "plain mean over independent examples"),
        ({"name": "ring", "modes": 4}, None),
    ],
)
def test_scores_that_are_no_mean_over_examples_are_refused(data, message):
    study = {**STUDY, "workload": {**STUDY["workload"], "data": data}}
    if message is None:
        assert SplitHalf(name="split_half").refusal(load_study(study).study.workload) is None
        return
    with pytest.raises(InputError, match=message):
        load_study(study)
