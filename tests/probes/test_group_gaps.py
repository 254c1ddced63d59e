"""Gaps between groups of test examples."""

import numpy as np
import pytest

from harness.plan import FIXED, make_plan
from harness.probes.group_gaps import GroupGaps
from harness.study import InputError, load_study
from harness.train import train
from harness.trial import Phase, Record, State
from harness.workloads import load


def test_gaps_are_those_between_the_best_and_the_worst_group():
    probe = GroupGaps(name="group_gaps", column=0, smallest=4)
    #                   group 0         group 1         group 2: too small
    groups = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2])
    true = np.array([1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1])
    said = np.array([1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    found = probe.gaps(groups, said, true)
    assert found["group_accuracy_gap"] == pytest.approx(4 / 5 - 5 / 8)
    assert found["group_recall_gap"] == pytest.approx(3 / 4 - 1 / 4)
    assert found["group_rate_gap"] == pytest.approx(3 / 5 - 1 / 8)
    assert found["group_rate_gap_added"] == pytest.approx(3 / 5 - 1 / 8 - (4 / 5 - 4 / 8))
    few = GroupGaps(name="group_gaps", column=0, smallest=5)
    assert set(few.gaps(groups, said, true)) == set(found) - {"group_recall_gap"}
    assert GroupGaps(name="group_gaps", column=0, smallest=9).gaps(groups, said, true) == {}
    negative = GroupGaps(name="group_gaps", column=0, smallest=1, positive=0)
    assert negative.gaps(groups, said, true)["group_recall_gap"] == 0.0


def test_groups_are_values_or_lie_between_edges():
    values = np.array([3.0, 25, 30, 39, 40, 3])
    probe = GroupGaps(name="group_gaps", column=0)
    assert probe.groups(values).tolist() == [0, 1, 2, 3, 4, 0]
    aged = GroupGaps(name="group_gaps", column=0, edges=[40, 30])
    assert aged.groups(values).tolist() == [0, 0, 1, 1, 2, 0]
    with pytest.raises(ValueError, match="60 different values, too many for groups; give"):
        probe.groups(np.arange(60.0))


STUDY = {
    "study": "groups",
    "question": "?",
    "workload": {
        "data": {"name": "table", "source": "affairs"},
        "model": {"name": "mlp", "depth": 1, "width": 8},
        "epochs": 2,
        "batch_size": 128,
    },
    "seeds": 5,
    "probes": [{"name": "group_gaps", "column": 4}],
}


def test_a_trial_is_probed_by_the_raw_column(tmp_path):
    loaded = load_study(STUDY)
    plan = make_plan(loaded.study, loaded.arms)
    (arm,) = plan.arms
    item = plan.confirmation_trials(arm, [FIXED])[0]
    data = load(arm.workload["data"], tmp_path)
    events = train([item.trial], data.for_phase(Phase.CONFIRMATION))
    (record,) = (event for event in events if isinstance(event, Record))
    assert record.state is State.COMPLETE, record.reason
    religious = data.test.inputs[:, 4]
    assert sorted(set(religious)) == [1, 2, 3, 4]
    rates = [data.test.targets[religious == value].mean() for value in (1, 2, 3, 4)]
    found = {name[6:]: value for name, value in record.metrics.items() if "group" in name}
    expected = found["group_rate_gap"] - (max(rates) - min(rates))
    assert found["group_rate_gap_added"] == pytest.approx(expected)
    assert 0 < found["group_accuracy_gap"] < 1
    assert 0 < found["group_recall_gap"] < 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"probes": [{"name": "group_gaps", "column": 8}]}, "column 8, and the inputs have 8"),
        ({"probes": [{"name": "group_gaps", "column": 1, "positive": 2}]}, "class 2, and the data"),
        ({"workload": {"data": "digits", "model": "mlp"}}, "needs a table"),
        (
            {"workload": {"data": {"name": "table", "source": "diabetes"}, "model": "mlp"}},
            "needs a class for each input",
        ),
    ],
)
def test_what_has_no_such_groups_is_refused(changed, message):
    with pytest.raises(InputError, match=message):
        load_study({**STUDY, **changed})
