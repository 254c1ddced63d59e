"""Seeds in instalments: the same looks and verdicts, whatever runs them and however often."""

import random

import pytest

from harness.cluster import LocalExecutor
from harness.plan import SIMPLE_BASELINE, make_plan
from harness.run import workers
from harness.run.observer import Observer
from harness.run.prepare import count_done, prepare
from harness.run.schedule import Schedule
from harness.run.study_run import RunOptions, run_study
from harness.search import best, next_round
from harness.store import open_store
from harness.study import load_study
from harness.trial import Phase, Record, State
from harness.workloads import data_root

pytestmark = pytest.mark.usefixtures("unreported")

SEEDS = "seeds={start: 6, step: 3, max: 14}"
FAST = ["search.candidates=2", "workload.epochs=1", SEEDS]


class Memory(dict):
    def candidates(self, search_id):
        return list(self.get(search_id, []))

    def add_candidates(self, search_id, start, candidates):
        self.setdefault(search_id, []).extend(candidates)


def plan_of(file, *overrides):
    loaded = load_study(file, None, [SEEDS, *overrides])
    return make_plan(loaded.study, loaded.arms)


def walk(plan, order, decide):
    schedule = Schedule(plan, Memory(), next_round, best, decide)
    waiting, ran = schedule.start(), []
    while waiting:
        item = waiting.pop(order(len(waiting)))
        ran.append(item)
        record = Record(item.trial, State.COMPLETE, metrics={"validation.accuracy": 0.5})
        waiting += schedule.completed(record)
    return ran


def seeds_by_arm(items):
    found = {}
    for item in items:
        if item.phase is Phase.CONFIRMATION:
            found.setdefault(item.arm, []).append(item.trial.seed)
    return {arm: sorted(seeds) for arm, seeds in found.items()}


# --- the schedule -------------------------------------------------------------------------------
def test_arms_go_on_as_they_are_asked_for_and_looks_see_whole_instalments(tiny):
    looks = []
    answers = {6: {"relu", "sigmoid"}, 9: {"relu"}, 12: {"relu"}}

    def decide(plan, seeds, records):
        looks.append((seeds, len(records)))
        assert all(record.record is not None for record in records)
        return answers[seeds]

    ran = walk(plan_of(tiny), lambda n: 0, decide)
    assert looks == [(6, 30), (9, 36), (12, 39)]  # 14 is the last: nothing is left to decide
    seeds = seeds_by_arm(ran)
    assert seeds["relu"] == list(range(14))
    assert seeds["sigmoid"] == list(range(9))
    assert seeds["tanh"] == seeds[SIMPLE_BASELINE] == list(range(6))


def test_the_order_of_records_changes_no_look(tiny):
    def decide(plan, seeds, records):
        return {"tanh"} if seeds < 12 else set()

    plan = plan_of(tiny)
    expected = seeds_by_arm(walk(plan, lambda n: 0, decide))
    assert expected["tanh"] == list(range(12))
    for seed in range(5):
        assert seeds_by_arm(walk(plan, random.Random(seed).randrange, decide)) == expected


def test_arms_that_share_all_their_trials_are_looked_at_together(tiny):
    """Each trial's record comes once for two arms: the look has the rows of both."""
    looks = []

    def decide(plan, seeds, records):
        looks.append(sorted(record.arm for record in records if record.seed == 0))
        return ()

    twins = ("arms.twin={model.activation: relu}", "search=null", "simple_baseline=none")
    walk(plan_of(tiny, *twins), lambda n: 0, decide)
    assert looks == [["linear", "relu", "sigmoid", "tanh", "twin"]]


def test_a_fixed_number_of_seeds_is_never_looked_at(tiny):
    loaded = load_study(tiny)
    plan = make_plan(loaded.study, loaded.arms)
    ran = walk(plan, lambda n: 0, lambda *_: pytest.fail("looked"))
    assert len(ran) == sum(plan.trial_counts().values())


# --- whole runs ---------------------------------------------------------------------------------
def run(file, folder, *overrides, observers=()):
    options = RunOptions(folder / "results", folder / "reports", in_process=True)
    return run_study(load_study(file, None, [*FAST, *overrides]), options, observers)


def trained(folder):
    store = open_store(folder / "results")
    return {id_: store.record(id_).deterministic_part() for id_ in store.states()}


def answers(result):
    return [(v.id, v.verdict, v.seeds, v.effect, v.p_corrected, v.trials) for v in result.verdicts]


@pytest.fixture
def doubtful(tiny):
    """A clear claim, and one that sits on its margin and needs every seed."""
    text = tiny.read_text()
    start, end = text.index("  - id: two-parts"), text.index("profiles:")
    claim = (
        "  - {id: doubtful, says: s, source: [x], metric: validation.loss,\n"
        "     contrast: {activation: [tanh, relu]}, differs_by: 0.0}\n"
    )
    clear = text[start:end].replace("0.9", "0.99")
    tiny.write_text(text[:start] + claim + clear + text[end:])
    return tiny


class Extended(Observer):
    def __init__(self):
        self.planned = []

    def opened(self, opening):
        self.planned.append(dict(opening.planned))

    def extended(self, planned):
        self.planned.append(planned)


def test_a_run_stops_adding_seeds_when_every_claim_is_decided(doubtful, tmp_path):
    watch = Extended()
    result = run(doubtful, tmp_path, observers=[watch])
    seeds = {verdict.id: verdict.seeds for verdict in result.verdicts}
    looks = {6, 9, 12, 14}
    assert set(seeds.values()) <= looks
    most = max(seeds.values())
    assert most > 6
    store = open_store(tmp_path / "results")
    rows = list(store.assigned_records(store.executions()[-1].id))
    found = {}
    for row in rows:
        if row.phase is Phase.CONFIRMATION:
            found.setdefault(row.arm, set()).add(row.seed)
    assert len(found["linear"]) == len(found[SIMPLE_BASELINE]) == 6
    assert max(map(len, found.values())) == most
    total = sum(map(len, found.values()))
    assert watch.planned[0]["confirmation"] == 30
    assert watch.planned[-1]["confirmation"] == total

    plan = prepare(load_study(doubtful, None, FAST), data_root(None))
    outlook = count_done(plan, store)
    assert outlook.to_run == 0
    assert outlook.total["confirmation"] == total
    again = run(doubtful, tmp_path)
    assert again.counts["complete"] == 0
    assert answers(again) == answers(result)


class Interrupt(Observer):
    def __init__(self, after):
        self.after = after

    def finished(self, record, assignments, reused):
        self.after -= not reused
        if self.after == 0:
            raise KeyboardInterrupt


class Shuffled(LocalExecutor):
    """Starts what was submitted in another order, as many workers would end it."""

    slots = 3

    def submit(self, pack):
        super().submit(pack)
        self._waiting.reverse()


def test_interruptions_and_workers_change_no_verdict(doubtful, tmp_path, monkeypatch):
    whole = run(doubtful, tmp_path / "whole")
    for after in (10, 20, 15):
        with pytest.raises(KeyboardInterrupt):
            run(doubtful, tmp_path / "pieces", observers=[Interrupt(after)])
    assert answers(run(doubtful, tmp_path / "pieces")) == answers(whole)
    assert trained(tmp_path / "pieces") == trained(tmp_path / "whole")
    monkeypatch.setattr(workers, "open_executor", lambda *_, needs, **__: Shuffled(needs.cpus))
    assert answers(run(doubtful, tmp_path / "shuffled")) == answers(whole)
    assert trained(tmp_path / "shuffled") == trained(tmp_path / "whole")
