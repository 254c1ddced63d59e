"""Which code a trial depends on: a change trains again what it can change, and nothing else."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness.identity import modules
from harness.own.package import reached
from harness.registry import KINDS
from harness.study import InputError, load_study

DIGITS = {"name": "digits", "limit": None, "validation_fraction": 0.2}
FUNCTION = {"name": "function"}
WORKLOADS = {
    "classes": {"data": DIGITS, "model": {"name": "mlp"}, "optimizer": {"name": "adam"}},
    "convolutions": {"data": DIGITS, "model": {"name": "cnn"}, "optimizer": {"name": "adam"}},
    "numbers": {"data": FUNCTION, "model": {"name": "mlp"}, "optimizer": {"name": "sgd"}},
    "generator": {
        "data": FUNCTION, "model": {"name": "mlp"}, "optimizer": {"name": "adam"},
        "task": {"name": "adversarial"},
    },
}  # fmt: skip
ALL = set(WORKLOADS)
ASK = """
import json, sys
from harness.identity import training_version
probes = [{"name": "dead_units"}]
print(json.dumps({
    name: [training_version(one), training_version(one, probes=probes)]
    for name, one in json.loads(sys.argv[1]).items()
}))
"""
CHANGES = {
    "train/loop.py": ALL,
    "train/pack.py": ALL,
    "metrics.py": ALL,
    "isolation.py": ALL,
    "pretrained.py": ALL,
    "seeding.py": ALL,
    "tasks/base.py": ALL,
    "tasks/classification.py": {"classes", "convolutions"},
    "tasks/regression.py": {"numbers"},
    "tasks/adversarial.py": {"generator"},
    "losses/cross_entropy.py": {"classes", "convolutions"},
    "models/mlp.py": ALL - {"convolutions"},
    "models/cnn.py": {"convolutions"},
    "models/resnet/network.py": set(),
    "optimizers/sgd.py": {"numbers"},
    "data/function.py": {"numbers", "generator"},
    "report/view.py": set(),
    "judge/verdicts.py": set(),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the package, whose code can be changed, and what identifies trials there."""
    root = tmp_path_factory.mktemp("copy")
    leave = shutil.ignore_patterns("bundled", "__pycache__")
    shutil.copytree(Path(harness.__file__).parent, root / "harness", ignore=leave)

    def versions():
        command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(root)!r});{ASK}"]
        done = subprocess.run(
            [*command, json.dumps(WORKLOADS)], capture_output=True, text=True, check=True, cwd=root
        )
        return json.loads(done.stdout)

    return root / "harness", versions, versions()


def changed(copy, file, change):
    """Return the workloads whose trials are trained, or measured, again after a change."""
    folder, versions, before = copy
    text = (folder / file).read_text()
    (folder / file).write_text(change(text))
    try:
        after = versions()
    finally:
        (folder / file).write_text(text)
    plain = {name for name in ALL if after[name][0] != before[name][0]}
    return plain, {name for name in ALL if after[name][1] != before[name][1]}


@pytest.mark.parametrize("file", CHANGES)
def test_a_change_trains_again_what_it_can_change(copy, file):
    plain, probed = changed(copy, file, lambda text: text + "\n\nCHANGED = True\n")
    assert plain == probed == CHANGES[file]


def test_a_probe_is_part_of_what_it_measures(copy):
    plain, probed = changed(copy, "probes/dead_units.py", lambda text: text + "\nCHANGED = True\n")
    assert (plain, probed) == (set(), ALL)


@pytest.mark.parametrize("file", ["train/loop.py", "models/mlp.py", "tasks/base.py"])
def test_comments_docstrings_and_descriptions_train_nothing(copy, file):
    def reworded(text):
        text = text.replace('"""', '"""In other words: ', 1).replace(
            'description="', 'description="a '
        )
        return text.replace("\n    def ", "\n    # a comment\n    def ")

    assert changed(copy, file, reworded) == (set(), set())


def test_the_loop_reaches_no_single_thing():
    """Else a change in it would train everything again."""
    things = {
        module for kind in KINDS.values() for name in kind.own() if (module := kind.module(name))
    }
    assert not things & set(reached([]))


def test_every_kind_that_a_workload_can_name_counts():
    workload = {
        "data": {"name": "mnist"}, "model": {"name": "resnet"},
        "optimizer": {"name": "torch.optim.Adamax"}, "schedule": {"name": "cosine"},
        "augmentation": {"shift": 2}, "loss": "auto",
        "task": {"name": "adversarial", "discriminator": {"name": "cnn"}},
    }  # fmt: skip
    assert modules(workload, [{"name": "step_time"}]) == [
        "harness.augmentations.shift", "harness.data.mnist", "harness.losses.auto",
        "harness.models.cnn", "harness.models.resnet", "harness.optimizers._torch",
        "harness.probes.step_time", "harness.schedules.cosine", "harness.tasks.adversarial",
    ]  # fmt: skip


STUDY = """
study: spelling
question: Are two spellings one arm?
workload: {data: DATA, model: {name: mlp, depth: 1, width: 4}, epochs: 2}
factors:
  f: {levels: {short: {epochs: 2}, long: {SETTING}}}
seeds: 8
claims:
  - id: same
    says: they are alike
    metric: validation.loss
    contrast: {f: [short, long]}
    within: 1
"""


@pytest.mark.parametrize(
    ("data", "setting"),
    [
        ("digits", "task: classification"),
        ("digits", "loss: cross_entropy"),
        ("digits", "schedule: constant"),
        ("digits", "model.dropout: 0"),
        ("function", "task: {name: regression}, loss: mean_squared_error"),
        ("recall", "task: {name: classification}, loss: {name: cross_entropy}"),
    ],
)
def test_what_is_usual_is_one_arm_whether_it_is_said_or_not(tmp_path, data, setting):
    file = tmp_path / "study.yaml"
    file.write_text(STUDY.replace("DATA", data).replace("SETTING", setting))
    with pytest.raises(InputError, match="compares short with long, but they are one arm"):
        load_study(file)


def test_another_loss_or_task_is_another_arm(tmp_path):
    file = tmp_path / "study.yaml"
    text = STUDY.replace("DATA", "function").replace("SETTING", "loss: mean_absolute_error")
    text = text.replace("validation.loss", "validation.root_mean_squared_error")
    file.write_text(text)
    short, long = load_study(file).arms
    assert (short.workload["loss"], long.workload["loss"]) == ("auto", "mean_absolute_error")
