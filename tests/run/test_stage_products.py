"""What stages give: own code that receives and returns it, samples, embeddings, ways that fail."""

import json
import sys

import numpy as np
import pytest
from sharing import ONE_WORKER

from harness.cli.app import run as command
from harness.plan import make_plan
from harness.run.study_run import RunOptions, run_study
from harness.store import open_store
from harness.study import InputError, load_study
from harness.trial import Phase, State

pytestmark = pytest.mark.usefixtures("unreported")

MODULE = """
import numpy as np

def fit(inputs, targets):
    rows = inputs.reshape(len(inputs), -1)
    return np.stack([rows[targets == k].mean(axis=0) for k in range(10)])

def right(centres, inputs, targets):
    rows = inputs.reshape(len(inputs), -1)
    gaps = ((rows[:, None] - centres[None]) ** 2).sum(axis=-1)
    return float((gaps.argmin(axis=1) == targets).mean())

def centres(config, report):
    "A stage: the mean of each class; examples around them; what it makes of its training part."
    assert config["phase"] != "pretraining" or config["data"]["test"] is None
    inputs, targets = config["data"]["train"]
    found = fit(inputs, targets)
    report(accuracy=right(found, *config["data"]["validation"]))
    draws = np.random.default_rng(config["seed"])
    classes = np.arange(200) % 10
    drawn = found[classes].reshape(-1, *inputs.shape[1:])
    drawn = drawn + config.get("spread", 0.1) * draws.normal(size=drawn.shape)
    return {"weights": {"centres": found}, "samples": {"inputs": drawn, "targets": classes}}

def odd(config, report):
    found = centres(config, report)
    found["samples"]["targets"] = found["samples"]["targets"] + 1
    return found

def net(shape, outputs):
    import torch
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(int(np.prod(shape)), outputs))

def forgets(config, report):
    report(accuracy=1.0)
    return {"weights": {"one": np.ones(1)}}

def breaks(config, report):
    raise RuntimeError("the oven is cold")

def compares(config, report):
    "An arm: takes over the centres, and asks a network of the harness about its own splits."
    means = config["uses"]["means"]
    assert set(means) == {"weights", "samples"}, set(means)
    network = config["uses"]["network"]
    said = network["predictions"]
    assert (said["test"] is None) == (config["data"]["test"] is None)
    assert (said["test"] is None) == (config["phase"] == "search")
    inputs, targets = config["data"]["validation"]
    assert said["validation"].shape == (len(inputs), 10)
    assert network["embeddings"]["train"].shape == (len(config["data"]["train"][0]), 16)
    assert "weight" in " ".join(network["weights"])
    try:
        network["samples"]
    except KeyError as error:
        assert "gives weights, predictions, embeddings" in str(error)
    else:
        raise AssertionError("a classifier draws no samples")
    last = {}
    if config["data"]["test"] is not None:
        test = config["data"]["test"]
        last["test.accuracy"] = right(means["weights"]["centres"], *test)
        last["test.network"] = float((said["test"].argmax(axis=1) == test[1]).mean())
    report(accuracy=right(means["weights"]["centres"], inputs, targets), **last)
"""

OWN = """\
study: handed-on
question: q
workload:
  data: {name: digits, limit: 400}
  training: {name: "stage_module:compares", metrics: {network: {goal: maximize}}}
  epochs: 1
stages:
  means: {training: {name: "stage_module:centres", products: [weights, samples]}}
  network: {training: null, model: {name: mlp, depth: 1, width: 16}, epochs: 20,
    optimizer: {name: adam, lr: 1.0e-2}}
arms:
  both: {uses: {means: means, network: network}}
design: explicit
simple_baseline: none
seeds: 8
claims:
  - {id: means, says: s, source: [x], metric: test.accuracy, of: {arm: both}, above: 0.7}
  - {id: network, says: s, source: [x], metric: test.network, of: {arm: both}, above: 0.7,
     deterministic: true}
"""

NETWORKS = """\
study: handed-on
question: q
workload:
  data: {name: digits, limit: 60}
  model: {name: mlp, depth: 1, width: 16}
  optimizer: {name: adam, lr: 1.0e-2}
  epochs: 6
stages:
  means: {training: {name: "stage_module:centres", products: [weights, samples]}, model: none,
    optimizer: adam, data.limit: 400}
  wide: {model.width: 48, data.limit: 400, epochs: 8}
arms:
  alone: {}
  more: {uses: {augmentation: means}}
  embedded: {uses: {features: wide}}
  tuned: {uses: {initial: wide}, transfer.freeze: features, model.width: 48}
design: explicit
simple_baseline: none
seeds: 5
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    (tmp_path / "stage_module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("stage_module", None)


def write(text):
    with open("handed-on.yaml", "w") as file:
        file.write(text)
    return "handed-on.yaml"


def loaded(text, *overrides):
    from pathlib import Path

    return load_study(Path(write(text)), None, overrides)


def plan_of(text, *overrides):
    study = loaded(text, *overrides)
    return make_plan(study.study, study.arms)


def run(text, here, *overrides, in_process=True):
    options = RunOptions(here / "results", here / "reports", in_process=in_process)
    return run_study(loaded(text, *overrides), options)


def records(here):
    store = open_store(here / "results")
    found = [store.record(id_) for id_ in store.states()]
    store.close()
    return found


def trials_of(plan):
    from harness.plan import FIXED

    return {
        (arm.name, item.trial.seed): item.trial
        for arm in plan.all_arms
        for item in plan.confirmation_trials(arm, [FIXED])
    }


# --- own code -------------------------------------------------------------------------------------
def test_own_code_receives_what_stages_give_and_returns_what_others_use(here):
    result = run(OWN, here)
    assert [verdict.verdict for verdict in result.verdicts] == ["supported", "supported"]
    stages = [record for record in records(here) if record.trial.phase is Phase.PRETRAINING]
    assert {record.state for record in stages} == {State.COMPLETE}
    assert not any(name.startswith("test.") for record in stages for name in record.metrics)
    again = run(OWN, here)
    assert again.counts["complete"] == 0


def test_a_search_hands_over_nothing_of_the_test_split(here):
    searched = OWN.replace("seeds: 8", "search: {space: {training.settings.shift: "
                           "{choice: [0, 1]}}, candidates: 2}\nseeds: 8")  # fmt: skip
    searched = searched.replace("{goal: maximize}}}", "{goal: maximize}}, settings: {shift: 0}}")
    result = run(searched, here)
    assert result.counts["failed"] == 0, [record.reason for record in records(here)]
    found = [record for record in records(here) if record.trial.phase is Phase.SEARCH]
    assert len(found) == 2
    assert not any(name.startswith("test.") for record in found for name in record.metrics)


@pytest.mark.slow
def test_products_travel_over_ray(here, monkeypatch):
    monkeypatch.setenv(*next(iter(ONE_WORKER.items())))
    result = run(OWN, here, in_process=False)
    assert [verdict.verdict for verdict in result.verdicts] == ["supported", "supported"]
    over_ray = {r.trial_id: r.deterministic_part() for r in records(here)}
    for file in (here / "results").glob("harness.db*"):
        file.unlink()
    run(OWN, here)
    assert {r.trial_id: r.deterministic_part() for r in records(here)} == over_ray


# --- the roles of the harness' own tasks ----------------------------------------------------------
def test_samples_are_trained_on_and_embeddings_are_read(here):
    result = run(NETWORKS, here)
    assert result.counts["failed"] == 0, [record.reason for record in records(here)]
    by_use = {}
    for record in records(here):
        if record.trial.phase is Phase.CONFIRMATION:
            by_use.setdefault(tuple(record.trial.sources), []).append(record)
    accuracy = {
        use: np.mean([record.metrics["test.accuracy"] for record in found])
        for use, found in by_use.items()
    }
    alone, more = by_use[()][0], by_use["augmentation",][0]
    assert more.cost["steps"] > alone.cost["steps"]  # an epoch has 200 examples more
    assert accuracy["augmentation",] > accuracy[()] + 0.1, accuracy
    assert accuracy["features",] > accuracy[()] + 0.1, accuracy
    assert by_use["features",][0].cost["parameters"] == 48 * 16 + 16 + 16 * 10 + 10
    for record in (more, by_use["features",][0], by_use["initial",][0]):
        assert command(["trial", record.trial_id, "--replay"]) == 0


def test_a_teacher_may_be_a_network_of_the_users_own(here):
    text = (
        NETWORKS[: NETWORKS.index("arms:")]
        + """\
  own: {model: "stage_module:net"}
arms:
  alone: {}
  taught: {task: distillation, uses: {teacher: own}}
  embedded: {uses: {features: own}}
design: explicit
simple_baseline: none
seeds: 5
"""
    )
    result = run(text, here)
    assert result.counts["failed"] == 0, [record.reason for record in records(here)]
    assert result.counts["complete"] == 1 + 15


def test_a_stage_is_a_part_of_the_identity_of_what_uses_it():
    before = trials_of(plan_of(NETWORKS))
    after = trials_of(plan_of(NETWORKS, "stages.wide.epochs=9"))
    for (arm, seed), trial in before.items():
        assert (trial.id == after[arm, seed].id) == (arm in ("alone", "more"))


def test_two_spellings_are_one_trial():
    other = NETWORKS.replace("stages:", "pretraining:").replace(
        "{uses: {initial: wide}, transfer.freeze: features,",
        "{transfer: {from: wide, freeze: features},",
    )
    assert other != NETWORKS
    one, two = plan_of(NETWORKS), plan_of(other)
    assert {k: t.id for k, t in trials_of(one).items()} == {
        k: t.id for k, t in trials_of(two).items()
    }
    assert {n: s.trial.id for n, s in one.stages.items()} == {
        n: s.trial.id for n, s in two.stages.items()
    }
    renamed = NETWORKS.replace("tuned: {uses: {initial: wide}", "tuned: {uses.initial: wide")
    assert trials_of(plan_of(renamed))["tuned", 0].id == trials_of(one)["tuned", 0].id
    shared = ("workload.uses={initial: wide}", "arms.alone={uses: null}")
    nothing = trials_of(plan_of(NETWORKS, *shared))["alone", 0]
    assert nothing.id == trials_of(one)["alone", 0].id
    assert "uses" not in nothing.workload


# --- what goes wrong ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("function", "reason"), [("breaks", "the oven is cold"), ("forgets", "gave no samples")]
)
def test_a_stage_that_comes_to_nothing_fails_what_uses_it(here, function, reason, capsys):
    text = NETWORKS.replace("stage_module:centres", f"stage_module:{function}")
    result = run(text, here)
    assert result.counts["failed"] == 1 + 5
    assert result.counts["complete"] == 1 + 15
    failed = [record for record in records(here) if record.state is State.FAILED]
    (stage,) = [record for record in failed if record.trial.phase is Phase.PRETRAINING]
    assert reason in stage.reason
    for record in failed:
        if record is not stage:
            assert record.reason == "nothing to use as augmentation: the stage means is failed"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("products: [weights, samples]", "products: [weights]", "'means' gives no samples"),
        ("transfer.freeze: features,", "transfer: {from: means},",
         "arms.tuned.uses.initial: starts from 'wide', and `transfer.from` from 'means'"),
        ("features: wide", "features: means", "asks a network that the harness trained"),
        ("augmentation: means", "augmentation: wide", "'wide' gives no samples, which the task"),
        ("augmentation: means", "augmentatoin: means", "did you mean 'augmentation'?"),
        ("products: [weights, samples]", "products: [weigths]", "did you mean 'weights'"),
        ("stages:", "pretraining: {wide: {}}\nstages:", "stands under `stages` and under"),
        ("alone: {}", "alone: {model: logistic_regression, uses: {augmentation: means}}",
         "logistic_regression makes no use of stages"),
        ("wide: {", "wide: {uses: {features: far}, ", "no stage is called 'far'"),
    ],
)  # fmt: skip
def test_what_a_stage_cannot_give_is_refused(before, after, message):
    assert before in NETWORKS
    with pytest.raises(InputError) as caught:
        loaded(NETWORKS.replace(before, after, 1))
    assert message in str(caught.value)


def test_samples_of_another_form_are_refused_or_a_failure_with_its_reason(here):
    table = "augmentation: means}, data: {name: table, source: wine}}"
    table = NETWORKS.replace("augmentation: means}}", table)
    with pytest.raises(InputError, match="used as augmentation has inputs of shape"):
        run(table, here)
    run(NETWORKS.replace("stage_module:centres", "stage_module:odd"), here)
    failed = {r.reason.splitlines()[-1] for r in records(here) if r.state is State.FAILED}
    assert failed == {"ValueError: the samples have classes outside 0 to 9"}


def test_validate_and_plan_show_stages(here, capsys):
    assert command(["plan", write(NETWORKS)]) == 0
    said = capsys.readouterr().out
    assert "stage means: for more" in said
    assert "stage wide: for embedded, tuned" in said
    assert command(["plan", "handed-on.yaml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)
