import math
import random

import pytest
import yaml

from harness.plan import Budget, budgets, epochs_of, make_plan
from harness.run.schedule import Schedule
from harness.search import best, next_round
from harness.study import load_study
from harness.trial import Phase, Record, State

EPOCHS = 9


class Memory(dict):
    def candidates(self, search_id):
        return list(self.get(search_id, []))

    def add_candidates(self, search_id, start, candidates):
        assert len(self.get(search_id, [])) == start
        self.setdefault(search_id, []).extend(candidates)


def make(tiny, **search):
    data = yaml.safe_load(tiny.read_text())
    data["workload"]["epochs"] = EPOCHS
    space = {"optimizer.lr": {"log": [1e-3, 1e-1]}}
    data["search"] = {"space": space, "round": 4} | search
    data["profiles"] = {}
    tiny.write_text(yaml.safe_dump(data, sort_keys=False))
    loaded = load_study(tiny)
    return make_plan(loaded.study, loaded.arms)


def accuracy(trial, epoch):
    """A learning curve that depends on the rate, the seed and, a little, on the arm."""
    rate = abs(math.log10(trial.workload["optimizer"]["lr"]) + 2)
    luck = (trial.seed % 7) / 100
    depth = trial.workload["model"].get("depth", 0) / 1000
    return (1 - rate / 3 + luck + depth) * (1 - math.exp(-epoch))


def outcome(item):
    """Train as the engine would, stop rules and all."""
    trial = item.trial
    rules = {rule["epoch"]: rule for rule in trial.workload.get("stop_rules", ())}
    curve = []
    for epoch in range(1, EPOCHS + 1):
        value = accuracy(trial, epoch)
        curve.append({"epoch": epoch, "validation.accuracy": value})
        if epoch in rules and value < rules[epoch]["worse_than"]:
            cost = {"epochs": float(epoch)}
            return Record(trial, State.PRUNED, "behind", curve=tuple(curve), cost=cost)
    return Record(
        trial,
        State.COMPLETE,
        metrics={"validation.accuracy": curve[-1]["validation.accuracy"]},
        curve=tuple(curve),
        cost={"epochs": float(EPOCHS)},
    )


def walk(plan, memory=None, order=None, stop=None):
    """Finish trials in an order that `order` chooses; return the trials in the order they ran."""
    memory = Memory() if memory is None else memory
    schedule = Schedule(plan, memory, next_round, best)
    waiting, ran = schedule.start(), []
    while waiting and len(ran) != stop:
        item = waiting.pop(order(len(waiting)) if order else 0)
        ran.append(item)
        waiting += schedule.completed(outcome(item))
    return ran


def used(ran):
    by_arm = {}
    for item in ran:
        if item.phase is Phase.SEARCH:
            by_arm.setdefault(item.arm, []).append(item)
    return {
        arm: Budget(
            len({item.candidate for item in items}),
            sum(epochs_of(outcome(item)) for item in items),
        )
        for arm, items in by_arm.items()
    }


HALVING = {"name": "successive_halving", "first": 1, "factor": 3}
SETTINGS = {
    "halving": {"candidates": 16, "pruning": HALVING, "sampler": "tpe"},
    "hyperband": {"epochs": 120, "pruning": {"name": "hyperband"}, "sampler": "random"},
    "epochs": {"epochs": 50, "sampler": "cmaes", "seeds": 2},
    "repeats": {"candidates": 4, "repeats": 3, "seeds": 2},
    "all": {"epochs": 70, "repeats": 2, "pruning": HALVING, "candidates": 12, "sampler": "cmaes"},
}


@pytest.fixture(params=list(SETTINGS))
def plan(request, tiny):
    return make(tiny, **SETTINGS[request.param])


def test_neither_order_nor_workers_nor_an_interruption_change_what_is_tried(plan):
    ran = walk(plan)
    expected = {item.trial.id for item in ran}
    for seed in range(3):
        assert {i.trial.id for i in walk(plan, order=random.Random(seed).randrange)} == expected
    for stop in range(0, len(ran), max(len(ran) // 4, 1)):
        memory = Memory()
        walk(plan, memory, order=random.Random(stop).randrange, stop=stop)
        assert {item.trial.id for item in walk(plan, memory)} == expected


def test_every_arm_has_the_same_budget_and_keeps_to_it(plan):
    planned, used_up = budgets(plan), used(walk(plan))
    assert list(planned) == [arm.name for arm in plan.arms]
    assert len(set(planned.values())) == 1
    for arm, budget in planned.items():
        assert used_up[arm].epochs <= budget.epochs
        assert used_up[arm].candidates >= budget.candidates


def test_candidates_are_distinct_over_repetitions_and_their_seeds_too(plan):
    ran = [item for item in walk(plan) if item.phase is Phase.SEARCH and item.arm == "relu"]
    seeds = plan.study.search.seeds
    pairs = [(item.candidate, item.trial.seed) for item in ran]
    assert len(set(pairs)) == len(pairs)
    by_candidate = {}
    for candidate, seed in pairs:
        by_candidate.setdefault(candidate, set()).add(seed)
    groups = {frozenset(found) for found in by_candidate.values()}
    assert len(groups) == plan.study.search.repeats
    assert all(len(group) == seeds for group in groups)
    assert sum(map(len, groups)) == len(frozenset.union(*groups))


def test_what_falls_behind_is_stopped_and_makes_room_for_others(tiny):
    whole = make(tiny, epochs=72)
    pruned = make(tiny, epochs=72, pruning=HALVING)
    before, after = used(walk(whole)), used(walk(pruned))
    for arm in before:
        assert before[arm].candidates == 8
        assert before[arm].epochs == 72
        assert after[arm].candidates > 10
        assert 72 - EPOCHS < after[arm].epochs <= 72
    states = {outcome(item).state for item in walk(pruned) if item.phase is Phase.SEARCH}
    assert states == {State.COMPLETE, State.PRUNED}


def test_the_first_round_has_no_rules_and_the_next_those_worked_out_by_hand(tiny):
    plan = make(tiny, candidates=8, pruning=HALVING)
    search = [i for i in walk(plan) if i.phase is Phase.SEARCH and i.arm == "relu"]
    first, second = search[:4], search[4:]
    assert all("stop_rules" not in item.trial.workload for item in first)
    for epoch in (1, 3):
        values = sorted((accuracy(item.trial, epoch) for item in first), reverse=True)
        for item in second:
            rule = next(r for r in item.trial.workload["stop_rules"] if r["epoch"] == epoch)
            assert rule["worse_than"] == values[0]  # the best 4 // 3 = 1 of four


def test_confirmation_seeds_take_the_winners_of_the_repetitions_in_turn(tiny):
    plan = make(tiny, candidates=5, repeats=2, sampler="random")
    ran = [item for item in walk(plan) if item.arm == "tanh"]
    winners = []
    for low in (0, 5):
        mine = [i for i in ran if i.phase is Phase.SEARCH and low <= i.candidate < low + 5]
        values = {i.candidate: accuracy(i.trial, EPOCHS) for i in mine}
        assert len(values) == 5
        winners.append(max(values, key=values.get))
    confirmed = {i.trial.seed: i.candidate for i in ran if i.phase is Phase.CONFIRMATION}
    assert confirmed == {seed: winners[seed % 2] for seed in range(5)}


def test_a_pruned_candidate_never_wins_and_no_rule_reaches_the_evidence(tiny):
    plan = make(tiny, candidates=16, pruning={"name": "hyperband", "factor": 2})
    ran = walk(plan)
    for arm in plan.arms:
        mine = [item for item in ran if item.arm == arm.name]
        states = {i.candidate: outcome(i).state for i in mine if i.phase is Phase.SEARCH}
        confirmed = [i for i in mine if i.phase is Phase.CONFIRMATION]
        assert {states[item.candidate] for item in confirmed} == {State.COMPLETE}
        assert all("stop_rules" not in item.trial.workload for item in confirmed)


def test_pruning_is_part_of_the_identity_of_a_search(tiny):
    plain = make(tiny, candidates=4)
    ids = [plain.search_id(arm) for arm in plain.arms]
    pruned = make(tiny, candidates=4, pruning=HALVING)
    assert not set(ids) & {pruned.search_id(arm) for arm in pruned.arms}
    more = make(tiny, candidates=9)
    assert [more.search_id(arm) for arm in more.arms] == ids
    assert more.search_id(more.arms[0], 1) not in ids
