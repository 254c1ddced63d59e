"""Tasks that own their step: built in and third parties', from a study file to a verdict."""

import json
import os
import re
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from harness import plugins
from harness.cli.app import run
from harness.pretrained import own_code
from harness.registry import TASKS
from harness.seeding import stream
from harness.study import InputError, load_study
from harness.study.workload import Workload
from harness.tasks.adversarial import energy_distance
from harness.train import Checkpoints, Setting, train_in
from harness.trial import Phase, Record, State, Trial
from harness.workloads import load

ADVERSARIAL = {
    "data": {"name": "ring", "modes": 4, "examples": 80, "test": 20},
    "model": {"name": "mlp", "depth": 1, "width": 16},
    "task": {"name": "adversarial", "noise": 4, "discriminator": {"name": "mlp", "depth": 1}},
    "optimizer": {"name": "adam", "lr": 1e-3},
    "batch_size": 32,
    "epochs": 4,
    "keep": "last",
}
CRITIC = {**ADVERSARIAL["task"], "loss": "wasserstein", "critic_steps": 2}


def make(seed=0, probes=(), **changes):
    settings = Workload.model_validate_json(json.dumps({**ADVERSARIAL, **changes}), strict=True)
    return Trial(settings.model_dump(mode="json"), seed, Phase.CONFIRMATION, "f", "c", probes)


def train(trial, tmp_path, setting=None):
    data = load(trial.workload["data"], tmp_path).for_phase(trial.phase)
    events = list(train_in(setting or Setting(), [trial], data))
    (record,) = [event for event in events if isinstance(event, Record)]
    assert record.state is State.COMPLETE, record.reason
    return record


# --- the adversarial task -------------------------------------------------------------------------
@pytest.mark.parametrize("task", [ADVERSARIAL["task"], CRITIC], ids=["standard", "wasserstein"])
def test_a_generator_and_a_discriminator_are_trained_and_measured(task, tmp_path):
    probe = {"name": "mode_coverage", "samples": 100, "deviations": 3.0, "on": {}}
    record = train(make(probes=(probe,), task=task), tmp_path)
    assert {"train.loss", "train.discriminator_loss"} <= set(record.curve[0])
    assert record.selected_epoch == 4
    assert {"test.energy_distance", "train.energy_distance"} <= set(record.metrics)
    for name in ("probe.covered_modes", "probe.near_a_mode"):
        assert 0 <= record.metrics[name] <= 1
    assert record.deterministic_part() == train(make(probes=(probe,), task=task), tmp_path
                                                ).deterministic_part()  # fmt: skip


def test_the_losses_differ_and_critic_steps_count(tmp_path):
    curves = {
        key: train(make(task={**CRITIC, **more}), tmp_path).curve[-1]["validation.energy_distance"]
        for key, more in {"w2": {}, "w1": {"critic_steps": 1}, "no": {"penalty": 0.0},
                          "own": {"discriminator_optimizer": {"name": "sgd", "lr": 0.001}},
                          "standard": {"loss": "standard"}}.items()
    }  # fmt: skip
    assert len(set(curves.values())) == len(curves)


@pytest.mark.parametrize("more", [{}, {"clip": 0.1}, {"schedule": {"name": "cosine"}}], ids=str)
def test_a_resumed_training_is_the_one_that_was_never_interrupted(more, tmp_path):
    trial = make(task=CRITIC, **more)
    whole = train(trial, tmp_path)
    setting = Setting(checkpoints=Checkpoints(str(tmp_path / "saved"), epochs=2))
    data = load(trial.workload["data"], tmp_path).for_phase(trial.phase)
    events = train_in(setting, [trial], data)
    for _ in range(3):  # the checkpoint of epoch 2 is written before epoch 3 is told
        next(events)
    events.close()
    again = train(trial, tmp_path, setting)
    assert again.cost["resumed_after_epoch"] == 2
    assert again.deterministic_part() == whole.deterministic_part()


def test_a_checkpoint_holds_both_networks_and_both_optimizers(tmp_path):
    pretraining = replace(make(task=CRITIC), phase=Phase.PRETRAINING)
    record = train(pretraining, tmp_path)
    parts = {name.partition(".")[0] for name in record.weights}
    assert parts == {"model", "discriminator"}
    other = train(replace(make(task={**CRITIC, "critic_steps": 1}), phase=Phase.PRETRAINING),
                  tmp_path)  # fmt: skip
    for part in parts:
        mine = np.concatenate([v.ravel() for n, v in record.weights.items() if n.startswith(part)])
        theirs = np.concatenate([v.ravel() for n, v in other.weights.items() if n.startswith(part)])
        assert not np.array_equal(mine, theirs)


def test_the_energy_distance_is_its_definition():
    draws = torch.Generator().manual_seed(stream(0, "test"))
    one, other = torch.randn(7, 3, generator=draws), torch.randn(7, 3, generator=draws) + 1
    gaps = [[float((a - b).norm()) for b in other] for a in one]
    inside = [[float((a - b).norm()) for i, a in enumerate(x) for j, b in enumerate(x) if i != j]
              for x in (one, other)]  # fmt: skip
    expected = 2 * np.mean(gaps) - np.mean(inside[0]) - np.mean(inside[1])
    assert energy_distance(one, other) == pytest.approx(expected)
    assert energy_distance(one, one + 100) > 100


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"loss": "cross_entropy"}, "`loss` is of no use with the task adversarial"),
        ({"model": {"name": "logistic_regression"}}, "logistic_regression is no network"),
        ({"task": "adversial"}, "adversarial"),
        ({"task": {"name": "adversarial", "critic_step": 2}}, "critic_steps"),
        ({"task": "regression"}, "the task regression needs targets of kind numbers"),
    ],
    ids=str,
)
def test_what_does_not_go_with_a_task_is_refused(changes, said):
    study = {"study": "s", "question": "?", "workload": {**ADVERSARIAL, **changes}, "seeds": 5}
    with pytest.raises(InputError, match=re.escape(said)):
        load_study(study)


def test_probes_of_supervised_networks_are_refused():
    study = {"study": "s", "question": "?", "workload": ADVERSARIAL, "seeds": 5}
    with pytest.raises(InputError, match="its task is adversarial"):
        load_study({**study, "probes": ["gradient_norms"]})
    supervised = {**ADVERSARIAL, "task": None}
    with pytest.raises(InputError, match="needs a task that generates"):
        load_study({**study, "workload": supervised, "probes": ["mode_coverage"]})


# --- a third party's ------------------------------------------------------------------------------
TWINS = '''
from typing import ClassVar, Literal
from pydantic import Field
from harness.metrics import Metric
from harness.tasks.base import Task


class Twins(Task):
    """Learn classes by two networks in turn, each of which also learns from the other."""

    name: Literal["twins"]
    trust: float = Field(0.5, ge=0, description="weight of the other's opinion")

    metrics: ClassVar = (
        Metric("agreement", "maximize", "", "share of examples on which both agree"),
        Metric("accuracy", "maximize", "", "share that the first has right"),
    )
    selects: ClassVar = "accuracy"
    targets: ClassVar = ("class",)

    def build(self, settings, form, network):
        """Two of one kind."""
        return {part: network(settings.model, form, part) for part in ("model", "other")}

    def optimizers(self, settings):
        """The second learns by plain descent."""
        from harness.optimizers.sgd import SGD

        return {"model": settings.optimizer, "other": SGD(name="sgd", lr=0.05)}

    def step(self, state, batch):
        """Train one, then the other."""
        from torch.nn.functional import cross_entropy

        losses = {}
        for part, peer in (("model", "other"), ("other", "model")):
            opinion = state.outputs(peer, batch.inputs).detach().softmax(1)
            said = state.outputs(part, batch.inputs)
            loss = cross_entropy(said, batch.targets) + self.trust * cross_entropy(said, opinion)
            state.update(part, loss)
            losses[part] = loss.detach()
        return {"loss": losses["model"], "other_loss": losses["other"]}

    def evaluate(self, state, split):
        """Both of them."""
        one, other = (state.outputs(p, split.inputs).argmax(1) for p in ("model", "other"))
        right = (one == split.targets).double().mean()
        return {"agreement": float((one == other).double().mean()), "accuracy": float(right)}
'''
STUDY = """
study: twins
question: Does a twin's opinion help?
workload:
  data: {name: digits, limit: 200}
  task: twins
  model: {name: mlp, depth: 1, width: 16}
  epochs: 12
factors:
  trust: {path: task.trust, levels: [0.0, 1.0]}
search: {space: {optimizer.lr: {log: [1.0e-3, 1.0e-2]}}, candidates: 2}
seeds: 6
claims:
  - {id: agree, says: They agree, metric: test.agreement, of: {trust: 1.0}, above: 0.3}
  - {id: right, says: They are right, metric: test.accuracy, of: {trust: 1.0}, above: 0.3}
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a package that registers a task, by its metadata; return a folder to work in."""
    site = tmp_path / "site"
    (site / "acme_twins-1.0.dist-info").mkdir(parents=True)
    (site / "acme_twins.py").write_text(textwrap.dedent(TWINS))
    info = site / "acme_twins-1.0.dist-info"
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-twins\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[harness.tasks]\ntwins = acme_twins:Twins\n")
    monkeypatch.syspath_prepend(str(site))
    sys.modules.pop("acme_twins", None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "twins.yaml").write_text(STUDY)
    return tmp_path


def test_a_third_party_task_is_treated_no_worse(installed, capsys):
    assert "twins" in TASKS.names()
    assert run(["list", "tasks"]) == 0
    assert "twins" in capsys.readouterr().out
    assert run(["validate", "twins.yaml"]) == 0
    bad = (installed / "twins.yaml").read_text().replace("task.trust", "task.thrust")
    (installed / "bad.yaml").write_text(bad)
    assert run(["validate", "bad.yaml"]) == 2
    assert "thrust" in capsys.readouterr().err
    assert run(["run", "twins.yaml", "--in-process", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    verdicts = {claim["id"]: claim["verdict"] for claim in result["claims"]}
    assert verdicts == {"agree": "supported", "right": "supported"}
    page = Path(result["report"]).read_text()
    assert "agreement" in page
    assert run(["run", "twins.yaml", "--in-process", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["trials"]["complete"] == 0


OPTIMIZERS = TWINS[TWINS.index("    def optimizers") : TWINS.index("    def step")]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('in ("model", "other")}', 'in ("one", "other")}',
         "twins: it has the parts one, other and no 'model'; set `main`"),
        ("    def optimizers", "    def build(self, settings, form, network):\n        pass\n\n"
         "    def optimizers", "`build` of twins returned NoneType, expected a mapping"),
        ("        return {\"loss\"", "        return None and {\"loss\"",
         "`step` of twins returned NoneType, expected a mapping of losses"),
        ("state.update(part, loss)", "state.update(part[:-1], loss)",
         "no part 'mode'; parts: model, other; did you mean 'model'?"),
        ("state.outputs(peer, ", "state.outputs('othr', ",
         "no part 'othr'; parts: model, other; did you mean 'other'?"),
        (OPTIMIZERS, "", "part 'other' has no optimizer: return one from `optimizers`"),
    ],
)  # fmt: skip
def test_parts_that_do_not_go_together_are_told_before_the_run(
    installed, capsys, before, after, said
):
    assert before in TWINS
    (installed / "site" / "acme_twins.py").write_text(TWINS.replace(before, after))
    assert run(["validate", "--build", "twins.yaml"]) == 2
    found = capsys.readouterr().err
    assert said in found
    assert "twins.yaml:6:9: workload.task: " in found


@pytest.mark.usefixtures("unmirrored", "undrawn")
def test_the_task_of_the_documentation_learns(installed, capsys):
    page = Path(__file__).parents[2] / "docs" / "tasks.md"
    (code,) = re.findall(r"```python\n# denoising.py\n(.*?)```", page.read_text(), re.S)
    site = installed / "site"
    (site / "denoising.py").write_text(code)
    points = "[harness.tasks]\ndenoising = denoising:Denoising\n"
    (site / "acme_twins-1.0.dist-info" / "entry_points.txt").write_text(points)
    study = STUDY[: STUDY.index("search:")].replace("[0.0, 1.0]", "[0.1, 1.0]")
    study = study.replace("task: twins", "task: {name: denoising, noise: 0.5}")
    study = study.replace("task.trust", "task.noise") + textwrap.dedent("""
        seeds: 6
        claims:
          - {id: c, says: harder, metric: test.loss, contrast: {trust: [1.0, 0.1]}, above: 0}
    """)
    (installed / "noise.yaml").write_text(study)
    plugins._read.cache_clear()
    assert run(["run", "noise.yaml", "--in-process", "--json"]) == 0
    (claim,) = json.loads(capsys.readouterr().out)["claims"]
    assert claim["verdict"] == "supported"


# --- identity -------------------------------------------------------------------------------------
@pytest.mark.usefixtures("unmirrored", "undrawn")
def test_a_changed_task_of_a_third_party_is_trained_again(installed):
    """Each plan is made by a process of its own, which reads the code anew."""
    environment = {**os.environ, "PYTHONPATH": str(installed / "site")}

    def planned():
        done = subprocess.run(
            [sys.executable, "-m", "harness", "plan", "twins.yaml", "--json"],
            capture_output=True, text=True, check=True, env=environment,
        )  # fmt: skip
        return json.loads(done.stdout)["trials"]

    assert run(["run", "twins.yaml", "--in-process", "--json"]) == 0
    task = installed / "site" / "acme_twins.py"
    task.write_text(task.read_text() + "\n# a comment\n")
    found = planned()
    assert (found["done"], found["to_run"]) == (16, 0)
    task.write_text(task.read_text().replace("self.trust * ", "2 * self.trust * "))
    assert planned()["done"] == 0


def test_own_networks_inside_a_task_are_part_of_its_identity():
    own = {**ADVERSARIAL["task"], "discriminator": {"name": "nets:critic"},
           "discriminator_optimizer": {"name": "steps:Slow", "lr": 0.1}}  # fmt: skip
    assert own_code(make(task=own).workload) == ["nets:critic", "steps:Slow"]
