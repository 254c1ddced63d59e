"""Searches by the real engine: pruning, budgets in epochs and repetitions, on bundled data."""

import pytest
import yaml

from harness.evidence import gather
from harness.integrity import FINE, Provenance, check
from harness.integrity.checks import spending
from harness.plan import budgets, epochs_of
from harness.run.prepare import count_done, prepare
from harness.run.study_run import RunOptions, run_study
from harness.store import open_store
from harness.study import load_study
from harness.trial import Phase, State
from harness.workloads import data_root

SEARCH = {
    "space": {
        "optimizer.lr": {"log": [1e-4, 1.0]},
        "optimizer.name": {"choice": ["adam", "sgd"], "on": {"activation": ["relu", "tanh"]}},
        "optimizer.momentum": {"uniform": [0.5, 0.9], "when": {"optimizer.name": "sgd"}},
    },
    "epochs": 30,
    "round": 2,
    "repeats": 2,
    "pruning": {"name": "successive_halving", "first": 1, "factor": 2},
}


@pytest.fixture
def finished(tiny, tmp_path, unreported):
    data = yaml.safe_load(tiny.read_text()) | {"search": SEARCH, "profiles": {}}
    data["workload"]["epochs"] = 5
    tiny.write_text(yaml.safe_dump(data, sort_keys=False))
    loaded = load_study(tiny)
    options = RunOptions(tmp_path / "results", tmp_path / "reports", in_process=True)
    result = run_study(loaded, options)
    store = open_store(options.results)
    yield loaded, result, store, options
    store.close()


@pytest.mark.slow
def test_a_whole_study_is_pruned_within_its_budget_and_resumes_to_nothing(finished):
    loaded, result, store, options = finished
    plan = prepare(loaded, data_root(None))
    outlook = count_done(plan, store)
    assert outlook.to_run == 0
    assert outlook.total["search"] > plan.trial_counts()["search"]
    assert result.counts["pruned"] > 0
    rows = list(store.assigned_records(1))
    searched = [row for row in rows if row.phase is Phase.SEARCH]
    for row in searched:
        record = row.record
        if record.state is State.PRUNED:
            assert epochs_of(record) == len(record.curve) in (1, 2, 4)
            assert "test.accuracy" not in record.metrics
        else:
            assert epochs_of(record) == 5
        name = row.parameters.get("optimizer.name")
        assert ("optimizer.momentum" in row.parameters) == (name == "sgd")
        assert (name is not None) == (row.arm in ("relu", "tanh"))
    evidence = gather(store, store.executions("tiny")[0])
    used = {arm: found.used for arm, found in spending(evidence).items()}
    for arm, budget in budgets(plan).items():
        assert budget.epochs == 60
        assert 60 - 2 * 5 < used[arm].epochs <= 60
        assert used[arm].candidates >= budget.candidates
    confirmed = [row for row in rows if row.phase is Phase.CONFIRMATION]
    for arm in budgets(plan):
        winners = {row.seed % 2: row.candidate for row in confirmed if row.arm == arm}
        assert len(set(winners.values())) == 2
        states = {
            r.record.state for r in searched if r.candidate in winners.values() if r.arm == arm
        }
        assert states == {State.COMPLETE}
    found = {item.id: item for item in check(evidence, result.verdicts, [], Provenance())}
    assert found["budgets"].outcome == FINE, found["budgets"]
    again = run_study(loaded, options)
    assert again.counts["complete"] == again.counts["pruned"] == 0
