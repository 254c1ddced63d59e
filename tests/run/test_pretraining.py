"""Pretraining stages: trained once, before what starts from them, and never waited for in vain."""

import random

import numpy as np
import pytest

from harness.cluster import LocalExecutor
from harness.plan import make_plan
from harness.run import workers
from harness.run.observer import Observer
from harness.run.prepare import count_done, prepare
from harness.run.schedule import Schedule
from harness.run.study_run import RunOptions, run_study
from harness.search import best, next_round
from harness.seeding import PRETRAINING_SEED
from harness.store import open_store
from harness.study import load_study
from harness.trial import Phase, Record, State
from harness.workloads import data_root

pytestmark = pytest.mark.usefixtures("unreported")

STUDY = """\
study: borrowed
question: Do features of some digits help with the others?
workload:
  data: {name: digits, classes: [5, 6, 7, 8, 9], limit: 60}
  model: {name: mlp, depth: 1, width: 64}
  optimizer: {name: adam, lr: 1.0e-2}
  epochs: 40
  batch_size: 32
simple_baseline: none
pretraining:
  low-digits: {data: {classes: [0, 1, 2, 3, 4], limit: null}, epochs: 12}
factors:
  start:
    levels:
      scratch: {transfer: null}
      tuned: {transfer: {from: low-digits}}
      frozen: {transfer: {from: low-digits, freeze: features}}
seeds: 5
claims:
  - id: frozen-beats-chance
    says: Features of other digits are worth something
    source: [a book]
    metric: test.accuracy
    of: {start: frozen}
    above: 0.3
"""
SEARCHED = ["search={space: {optimizer.lr: {log: [1e-3, 1e-2]}}, candidates: 2}"]


@pytest.fixture
def borrowed(tmp_path):
    file = tmp_path / "borrowed.yaml"
    file.write_text(STUDY)
    return file


def plan_of(file, *overrides):
    loaded = load_study(file, None, overrides)
    return make_plan(loaded.study, loaded.arms)


def run(file, folder, *overrides, observers=()):
    options = RunOptions(folder / "results", folder / "reports", in_process=True)
    return run_study(load_study(file, None, overrides), options, observers)


def records(folder):
    store = open_store(folder / "results")
    return {id_: store.record(id_) for id_ in store.states()}


def of_phase(found, phase):
    return [record for record in found.values() if record.trial.phase is phase]


class Memory(dict):
    def candidates(self, search_id):
        return list(self.get(search_id, []))

    def add_candidates(self, search_id, start, candidates):
        self.setdefault(search_id, []).extend(candidates)


def walk(plan, order, stage_state=State.COMPLETE):
    schedule = Schedule(plan, Memory(), next_round, best)
    waiting, ran = schedule.start(), []
    while waiting:
        item = waiting.pop(order(len(waiting)))
        ran.append(item)
        state = stage_state if item.phase is Phase.PRETRAINING else State.COMPLETE
        lr = item.trial.workload["optimizer"]["lr"]
        waiting += schedule.completed(
            Record(item.trial, state, metrics={"validation.accuracy": lr})
        )
    return ran


# --- the plan -----------------------------------------------------------------------------------
def test_a_stage_is_one_trial_whose_identity_stands_behind_all_that_starts_from_it(borrowed):
    plan = plan_of(borrowed)
    stage = plan.stages["low-digits"].trial
    assert (stage.phase, stage.seed, stage.source) == (Phase.PRETRAINING, PRETRAINING_SEED, None)
    assert stage.workload["data"]["classes"] == [0, 1, 2, 3, 4]
    assert plan.trial_counts() == {"pretraining": 1, "search": 0, "confirmation": 15}

    def ids(*overrides):
        ran = walk(plan_of(borrowed, *overrides), lambda n: 0)
        return {(item.arm, item.trial.seed): item.trial for item in ran}

    before, after = ids(), ids("pretraining.low-digits.epochs=13")
    for (arm, seed), trial in before.items():
        assert (trial.id == after[arm, seed].id) == (arm == "scratch")
        assert trial.source == (stage.id if arm in ("tuned", "frozen") else None)


def test_a_stage_takes_over_the_workload_but_not_its_transfer(borrowed):
    plan = plan_of(borrowed, "workload.transfer={from: low-digits, freeze: 1}")
    assert plan.stages["low-digits"].trial.source is None
    baseline = plan_of(borrowed, "simple_baseline=logistic_regression").all_arms[-1]
    assert baseline.workload["transfer"] is None


def test_stages_that_no_arm_needs_are_not_trained_and_chains_are_ordered(borrowed):
    chained = "pretraining.second={transfer: {from: low-digits}, epochs: 3}"
    assert list(plan_of(borrowed, chained).stages) == ["low-digits"]
    used = plan_of(borrowed, chained, "factors.start.levels.tuned.transfer.from=second")
    assert list(used.stages) == ["low-digits", "second"]
    assert used.stages["second"].trial.source == used.stages["low-digits"].trial.id
    arms = [item.arm for item in walk(used, lambda n: 0)]
    assert arms.index("low-digits") < arms.index("second") < arms.index("tuned")


# --- the schedule -------------------------------------------------------------------------------
def test_nothing_runs_before_its_stage_whatever_the_order(borrowed):
    plan = plan_of(borrowed, *SEARCHED)
    expected = {item.trial.id for item in walk(plan, lambda n: 0)}
    for seed in range(5):
        ran = walk(plan, random.Random(seed).randrange)
        assert {item.trial.id for item in ran} == expected
        ended = set()
        for item in ran:
            assert item.trial.source is None or item.trial.source in ended
            ended.add(item.trial.id)


@pytest.mark.parametrize("state", [State.FAILED, State.DIVERGED])
def test_a_stage_that_comes_to_nothing_holds_nobody_up(borrowed, state):
    assert len(walk(plan_of(borrowed), lambda n: 0, state)) == 1 + 15


# --- whole runs ---------------------------------------------------------------------------------
class Watch(Observer):
    def __init__(self):
        self.started_arms = []

    def started(self, assignment):
        self.started_arms.append(assignment.arm)


def test_a_network_is_pretrained_once_and_its_features_are_worth_something(borrowed, tmp_path):
    watch = Watch()
    result = run(borrowed, tmp_path, observers=[watch])
    assert result.counts["complete"] == 16
    assert watch.started_arms.count("low-digits") == 1
    found = records(tmp_path)
    (stage,) = of_phase(found, Phase.PRETRAINING)
    assert not [name for name in stage.metrics if name.startswith("test.")]
    assert [(v.id, v.verdict) for v in result.verdicts] == [("frozen-beats-chance", "supported")]

    again = run(borrowed, tmp_path)
    assert (again.counts["complete"], again.counts["reused"]) == (0, 16)
    watch = Watch()  # three more seeds: the weights come from the store
    more = run(borrowed, tmp_path, "seeds=6", observers=[watch])
    assert (more.counts["complete"], more.counts["reused"]) == (3, 16)
    assert "low-digits" not in watch.started_arms
    assert more.verdicts[0].verdict == "supported"


def test_stages_that_take_turns_with_an_interruption_change_no_record(borrowed, tmp_path):
    class Interrupt(Observer):
        left = 3

        def finished(self, record, assignments, reused):
            self.left -= not reused
            if self.left == 0:
                raise KeyboardInterrupt

    run(borrowed, tmp_path / "whole")
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            run(borrowed, tmp_path / "pieces", observers=[Interrupt()])
    run(borrowed, tmp_path / "pieces")
    whole, pieces = records(tmp_path / "whole"), records(tmp_path / "pieces")
    assert {i: r.deterministic_part() for i, r in whole.items()} == {
        i: r.deterministic_part() for i, r in pieces.items()
    }


def test_what_starts_from_a_stage_that_diverged_fails_and_says_why(borrowed, tmp_path):
    diverging = "pretraining.low-digits.optimizer={name: sgd, lr: 1e30}"
    result = run(borrowed, tmp_path, diverging)
    assert result.counts["diverged"] == 1
    assert (result.counts["failed"], result.counts["complete"]) == (10, 5)
    reasons = {r.reason for r in records(tmp_path).values() if r.state is State.FAILED}
    assert reasons == {"no weights to start from: the pretraining low-digits is diverged"}
    assert result.verdicts[0].verdict == "incomplete"
    assert run(borrowed, tmp_path, diverging).counts["failed"] == 10
    assert {r.attempt for r in records(tmp_path).values() if r.state is State.FAILED} == {2}


def test_a_stage_without_weights_has_failed(borrowed, tmp_path, monkeypatch):
    class Forgetful(LocalExecutor):
        def events(self, timeout):
            events = super().events(timeout)
            for event in events:
                if isinstance(event, Record):
                    object.__setattr__(event, "products", {})
            return events

    monkeypatch.setattr(workers, "open_executor", lambda *_, needs, **__: Forgetful(needs.cpus))
    result = run(borrowed, tmp_path)
    assert (result.counts["failed"], result.counts["complete"]) == (11, 5)
    (stage,) = of_phase(records(tmp_path), Phase.PRETRAINING)
    assert stage.reason == "the training gave no weights"
    monkeypatch.undo()
    assert run(borrowed, tmp_path).counts["complete"] == 11  # a failure is tried again


def test_the_plan_knows_what_is_done(borrowed, tmp_path):
    loaded = load_study(borrowed)
    plan = prepare(loaded, data_root(None))
    assert count_done(plan, None).to_run == 16
    assert count_done(plan, None).seconds is None
    run(borrowed, tmp_path)
    store = open_store(tmp_path / "results")
    outlook = count_done(plan, store)
    assert outlook.to_run == 0
    assert outlook.done["pretraining"] == 1
    weights = store.weights(plan.stages["low-digits"].trial.id)
    assert weights is not None
    assert {array.dtype for array in weights.values()} == {np.dtype(np.float32)}
