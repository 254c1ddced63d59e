"""Samplers as levels of a factor: equal budgets, equal spaces, and claims about what is found."""

import copy

import pytest
import yaml

from harness.plan import make_plan
from harness.study import InputError, load_study

STUDY = yaml.safe_load("""\
study: methods
question: Which sampler?
workload: {data: digits, model: {name: mlp, depth: 1, width: 8}, epochs: 1}
factors:
  sampler: {path: search.sampler, levels: [random, grid, tpe, cmaes, gaussian_process]}
search:
  space: {optimizer.lr: {log: [1.0e-3, 1.0e-1]}, model.dropout: {uniform: [0, 0.5]}}
  candidates: 9
  repeats: 6
seeds: 6
probes: [split_half]
claims:
  - {id: c, says: s, metric: search.best, contrast: {sampler: [random, grid]}, greater_by: 0}
  - {id: o, says: s, metric: search.optimism, of: {sampler: random}, above: 0}
""")


def changed(path, value, start=STUDY):
    data = copy.deepcopy(start)
    *parents, last = path.split("/")
    part = data
    for name in parents:
        part = part[int(name)] if isinstance(part, list) else part[name]
    if value is None:
        del part[last]
    else:
        part[last] = value
    return data


def plan_of(data):
    loaded = load_study(data)
    return make_plan(loaded.study, loaded.arms)


def test_every_arm_is_searched_by_its_own_sampler_with_one_budget_over_one_space():
    plan = plan_of(STUDY)
    spaces = {arm.name: plan.space(arm) for arm in plan.arms}
    assert {name: space.sampler for name, space in spaces.items()} == {n: n for n in spaces}
    assert {space.candidates for space in spaces.values()} == {9}
    assert len({repr(space.dimensions) for space in spaces.values()}) == 1
    assert {space.default for space in spaces.values()} == {None}
    assert len({plan.search_id(arm) for arm in plan.arms}) == 5
    assert plan.baseline.name == "tpe"


def test_one_sampler_for_all_arms_means_the_same_however_it_is_written():
    by_factor = plan_of(changed("claims", [], changed("factors/sampler/levels", ["random"])))
    data = changed("claims", [], changed("search/sampler", "random"))
    plain = plan_of(changed("factors", None, data))
    (one,), (other,) = by_factor.arms, plain.arms
    assert by_factor.space(one) == plain.space(other)
    assert by_factor.search_id(one) == plain.search_id(other)
    assert by_factor.space(one).default is not None


def test_a_search_among_others_shares_no_candidates_with_one_that_tries_the_own_setting_first():
    plan = plan_of(STUDY)
    alone = plan_of(changed("claims", [], changed("factors/sampler/levels", ["tpe"])))
    assert plan.search_id(plan.baseline) != alone.search_id(alone.baseline)


def test_grids_of_other_sizes_share_no_candidates():
    data = changed("claims", [], changed("factors/sampler/levels", ["grid"]))
    small, large = plan_of(data), plan_of(changed("search/candidates", 25, data))
    assert small.search_id(small.baseline) != large.search_id(large.baseline)


ON_TPE = {"optimizer.lr": {"log": [1e-3, 1e-1], "on": {"sampler": ["tpe", "grid"]}}}
BAD = [
    ("factors/sampler/levels", ["random", "tep"], "'tep' is not one of .*mean 'tpe'"),
    ("factors/sampler/path", "search.candidates", "cannot differ between arms.*equal budgets"),
    ("factors/sampler/path", "search.space", "only `search.sampler` can"),
    ("search", None, "no use without a `search`"),
    ("search/candidates", 10, "10 candidates, of which arm 'grid' could ask 9"),
    ("search/epochs", 9, "give the budget as `candidates` alone"),
    ("search/space", ON_TPE, "optimizer.lr.*not the same.*equal spaces"),
    ("search/repeats", 1, "each arm is searched once: a claim needs `search.repeats` of at least"),
    ("search/repeats", 4, "each arm is searched 4 times"),
    ("claims/0/metric", "search.bset", "searches have no search.bset.*mean 'search.best'"),
    ("probes", [], "needs the probe split_half"),
    ("search/metric", "validation.loss", "of validation.accuracy, and the search chooses by"),
    ("claims/0/metric", "probe.first_half", "has no probe.first_half"),
    (
        "factors/sampler",
        {"levels": {"random": {"search.sampler": "random", "optimizer.lr": 0.1},
                    "grid": {"search.sampler": "grid"}}},
        "can set nothing else .`optimizer.lr`",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "message"), BAD)
def test_what_would_compare_unequal_searches_is_refused(path, value, message):
    with pytest.raises(InputError, match=message):
        load_study(changed(path, value))


def test_the_best_of_unequal_searches_is_not_compared():
    space = {**STUDY["search"]["space"], "model.norm": {"choice": ["none", "layer"]}}
    space["model.norm"]["on"] = {"width": 8}
    data = changed("factors", {"width": {"path": "model.width", "levels": [8, 16]}})
    data["search"]["space"] = space
    data["claims"] = [data["claims"][0] | {"contrast": {"width": [8, 16]}}]
    with pytest.raises(InputError, match="'8' and '16' are not searched over the same space"):
        load_study(data)


def test_an_arm_that_is_not_searched_has_no_best():
    data = changed("factors", {"rate": {"path": "optimizer.lr", "levels": [0.1, 0.01]}})
    data["search"]["space"] = {"optimizer.lr": {"log": [1e-3, 1e-1]}}
    data["workload"] = {**STUDY["workload"], "optimizer": {"name": "adam"}}
    data["arms"] = {"free": {"model.width": 9}}
    data["claims"] = [data["claims"][0] | {"contrast": [{"arm": "free"}, {"rate": 0.1}]}]
    with pytest.raises(InputError, match=r"is not searched, so that it has no search\.best"):
        load_study(data)
