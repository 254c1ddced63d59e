import random

import pytest

from harness.plan import make_plan
from harness.run.schedule import Schedule
from harness.search import best, next_round
from harness.study import load_study
from harness.trial import Phase, Record, State


class Memory(dict):
    def candidates(self, search_id):
        return list(self.get(search_id, []))

    def add_candidates(self, search_id, start, candidates):
        assert len(self.get(search_id, [])) == start
        self.setdefault(search_id, []).extend(candidates)


@pytest.fixture
def plan(tiny):
    loaded = load_study(tiny, "more")
    return make_plan(loaded.study, loaded.arms)


def outcome(item):
    lr = item.trial.workload["optimizer"]["lr"]
    if lr > 0.09:
        return Record(item.trial, State.DIVERGED, "too high")
    return Record(item.trial, State.COMPLETE, metrics={"validation.accuracy": lr})


def walk(plan, memory, order, stop=None):
    """Finish trials in an order that `order` chooses; return the trials in the order they ran."""
    schedule = Schedule(plan, memory, next_round, best)
    waiting, ran = schedule.start(), []
    while waiting and len(ran) != stop:
        item = waiting.pop(order(len(waiting)))
        ran.append(item)
        waiting += schedule.completed(outcome(item))
    return ran


def test_a_schedule_runs_what_the_plan_counts(plan):
    ran = walk(plan, Memory(), lambda n: 0)
    counts = plan.trial_counts()
    assert sum(i.phase is Phase.SEARCH for i in ran) == counts["search"]
    assert sum(i.phase is Phase.CONFIRMATION for i in ran) == counts["confirmation"]
    assert len({i.trial.id for i in ran}) == len(ran)


def test_the_order_in_which_trials_finish_changes_nothing(plan):
    expected = {i.trial.id for i in walk(plan, Memory(), lambda n: 0)}
    for seed in range(5):
        shuffled = random.Random(seed)
        assert {i.trial.id for i in walk(plan, Memory(), shuffled.randrange)} == expected


def test_an_interruption_anywhere_changes_nothing(plan):
    expected = [i.trial.id for i in walk(plan, Memory(), lambda n: 0)]
    for stop in range(0, len(expected), 3):
        memory = Memory()
        walk(plan, memory, lambda n: 0, stop=stop)
        assert [i.trial.id for i in walk(plan, memory, lambda n: 0)] == expected


def test_remembered_candidates_win_over_asking_again(plan):
    memory = Memory()
    walk(plan, memory, lambda n: 0)
    schedule = Schedule(plan, memory, lambda *_: pytest.fail("asked again"), best)
    waiting = schedule.start()
    while waiting:
        waiting += schedule.completed(outcome(waiting.pop()))


def test_the_winner_is_confirmed_and_a_diverged_candidate_never_wins(plan):
    ran = walk(plan, Memory(), lambda n: 0)
    search = [i for i in ran if i.phase is Phase.SEARCH and i.arm == "relu"]
    confirmed = {i.candidate for i in ran if i.phase is Phase.CONFIRMATION and i.arm == "relu"}
    values = {i.candidate: i.parameters["optimizer.lr"] for i in search}
    allowed = {c: lr for c, lr in values.items() if lr <= 0.09}
    assert confirmed == {max(allowed, key=allowed.get)}
