"""Gaps between groups of test examples."""

import json

import numpy as np
import pytest

from harness.plan import FIXED, make_plan
from harness.probes.group_gaps import GroupGaps
from harness.run.outcome import RunOptions
from harness.run.study_run import run_study
from harness.store import open_store
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
    values = np.array([3.0, 25, 30, 39, 40, 3])[:, None]
    probe = GroupGaps(name="group_gaps", column=0)
    assert probe.groups(values).tolist() == [0, 1, 2, 3, 4, 0]
    aged = GroupGaps(name="group_gaps", column=0, edges=[40, 30])
    assert aged.groups(values).tolist() == [0, 0, 1, 1, 2, 0]
    with pytest.raises(ValueError, match="60 different values, too many for groups; give"):
        probe.groups(np.arange(60.0)[:, None])
    kinds = np.eye(3)[[0, 2, 1, 2, 0]]
    assert probe.groups(kinds).tolist() == [2, 0, 1, 0, 2]
    with pytest.raises(ValueError, match="`edges` of group_gaps: the column 0 holds kinds"):
        aged.groups(kinds)


def test_a_column_is_found_by_its_name():
    columns = ("age", "town", "town", "age is missing")
    assert GroupGaps(name="group_gaps", column="town").places(columns, 4) == [1, 2]
    assert GroupGaps(name="group_gaps", column="age is missing").places(columns, 4) == [3]
    assert GroupGaps(name="group_gaps", column=2).places((), 4) == [2]
    with pytest.raises(ValueError, match="no column 'tuwn' of 4 inputs; did you mean 'town'"):
        GroupGaps(name="group_gaps", column="tuwn").places(columns, 4)
    with pytest.raises(ValueError, match="say which: 'age', 'town', 'age is missing'"):
        GroupGaps(name="group_gaps", column=2).places(columns, 4)
    with pytest.raises(ValueError, match="say its number, 0 to 3"):
        GroupGaps(name="group_gaps", column="town").places((), 4)


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
    "probes": [{"name": "group_gaps", "column": "religious"}],
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
    religious = data.test.inputs[:, data.columns.index("religious")]
    assert sorted(set(religious)) == [1, 2, 3, 4]
    rates = [data.test.targets[religious == value].mean() for value in (1, 2, 3, 4)]
    found = {name[6:]: value for name, value in record.metrics.items() if "group" in name}
    expected = found["group_rate_gap"] - (max(rates) - min(rates))
    assert found["group_rate_gap_added"] == pytest.approx(expected)
    assert 0 < found["group_accuracy_gap"] < 1
    assert 0 < found["group_recall_gap"] < 1


CLAIM = {
    "id": "unequal",
    "says": "Groups are treated unequally",
    "metric": "probe.group_rate_gap",
    "of": {},
    "above": 0,
}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"probes": [{"name": "group_gaps", "column": 8}]}, "column 8, and the inputs have 8"),
        ({"probes": [{"name": "group_gaps", "column": 1, "positive": 2}]}, "class 2, and the data"),
        ({"workload": {"data": "digits", "model": "mlp"}}, "needs a table"),
        ({"claims": [CLAIM]}, "above: always holds: luck alone lifts probe.group_rate_gap above 0"),
        (
            {"workload": {"data": {"name": "table", "source": "diabetes"}, "model": "mlp"}},
            "needs a class for each input",
        ),
    ],
)
def test_what_has_no_such_groups_is_refused(changed, message):
    with pytest.raises(InputError, match=message):
        load_study({**STUDY, **changed})


def test_a_wrong_column_of_a_file_is_told_before_anything_trains(tmp_path):
    rows = [f"{30 + i % 40},{'north' if i % 2 else 'south'},{i % 2}" for i in range(200)]
    (tmp_path / "people.csv").write_text("\n".join(["age,town,ill", *rows]) + "\n")
    data = {"name": "table_file", "path": "people.csv", "target": "ill"}
    workload = {**STUDY["workload"], "data": data}
    study = {**STUDY, "workload": workload, "probes": [{"name": "group_gaps", "column": "tonw"}]}
    (tmp_path / "groups.yaml").write_text(json.dumps(study))
    with pytest.raises(InputError, match="no column 'tonw' of 3 inputs; did you mean 'town'"):
        run_study(
            load_study(tmp_path / "groups.yaml"),
            RunOptions(results=tmp_path / "results", in_process=True),
        )
    store = open_store(tmp_path / "results")
    assert (store.executions(), store.states()) == ([], {})
    store.close()
