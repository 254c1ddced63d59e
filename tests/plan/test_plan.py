import subprocess
import sys

import pytest

from harness.plan import SIMPLE_BASELINE, Winner, estimate_seconds, make_plan
from harness.plan import plan as plan_module
from harness.study import load_study
from harness.trial import Phase


@pytest.fixture
def plan(tiny):
    loaded = load_study(tiny)
    return make_plan(loaded.study, loaded.arms, fingerprints={})


def test_counts_are_those_of_the_trials(plan):
    assert [arm.name for arm in plan.all_arms] == [
        "relu", "tanh", "sigmoid", "linear", SIMPLE_BASELINE,
    ]  # fmt: skip
    assert plan.trial_counts() == {"search": 4 * 3, "confirmation": 5 * 5}
    assert plan.baseline.name == "relu"


def test_search_and_confirmation_never_share_a_seed_and_only_confirmation_is_probed(plan):
    arm = plan.arms[0]
    search = plan.search_trials(arm, 0, {"optimizer.lr": 0.01})
    confirmation = plan.confirmation_trials(arm, [Winner(0, {"optimizer.lr": 0.01})])
    assert not {i.trial.seed for i in search} & {i.trial.seed for i in confirmation}
    assert {i.trial.phase for i in search} == {Phase.SEARCH}
    assert all(i.trial.probes == () for i in search)
    assert all(len(i.trial.probes) == 2 for i in confirmation)


def test_every_arm_gets_the_same_space_and_first_candidate(plan):
    spaces = [plan.space(arm) for arm in plan.arms]
    assert all(space == spaces[0] for space in spaces)
    assert len({plan.search_id(arm) for arm in plan.arms}) == len(plan.arms)
    assert spaces[0].default == {"optimizer.lr": 0.01}
    assert plan.space(plan.all_arms[-1]) is None


def test_an_arm_that_fixes_a_searched_path_is_not_searched(tiny):
    loaded = load_study(tiny, None, ["arms.linear={optimizer.lr: 0.5, model.depth: 0}"])
    plan = make_plan(loaded.study, loaded.arms)
    assert plan.space(plan.arms[-1]) is None


def test_the_hash_follows_what_is_declared_and_not_the_name_of_the_profile(tiny):
    def hashed(*overrides, profile=None):
        loaded = load_study(tiny, profile, overrides)
        return make_plan(loaded.study, loaded.arms, profile=loaded.profile).hash

    assert hashed() == hashed()
    assert hashed("seeds=6", "search.candidates=4") == hashed(profile="more")
    assert hashed("claims.0.greater_by=0.02") != hashed()
    assert hashed("alpha=0.04") != hashed()


def test_estimates_grow_with_the_work(plan):
    workload = dict(plan.arms[0].workload)
    more = workload | {"epochs": 20}
    assert 0 < estimate_seconds(workload) < estimate_seconds(more)


def test_planning_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from harness.cli.app import run\n"
        "assert run(['plan', 'studies/activations.yaml', '--profile', 'quick']) == 0\n"
        "heavy = {'torch', 'ray', 'mlflow', 'optuna', 'pandas', 'sklearn', 'matplotlib', 'scipy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_metric_is_looked_up_once_however_many_arms_there_are(tiny, monkeypatch):
    """Each of them has a say in it, so that asking for each arm would take the square of them."""
    loaded = load_study(tiny, None, ["search.metric=validation.loss"])
    made, asked = make_plan(loaded.study, loaded.arms), []
    known = plan_module.metric_of
    monkeypatch.setattr(
        plan_module, "metric_of", lambda *given: asked.append(given[0]) or known(*given)
    )
    assert len(made.arms) > 2
    assert all(made.space(arm) for arm in made.arms)
    assert asked == ["validation.loss"]
