"""A third party's optimizer, schedule, augmentation and loss: each one class, and nothing else."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from harness.cli.app import run
from harness.pretrained import own_code
from harness.registry import AUGMENTATIONS, KINDS
from harness.study import InputError, load_study
from harness.study.load import schema
from harness.study.workload import Workload
from harness.train import pack_autotuning
from harness.train import train as train_trials
from harness.trial import Phase, Record, State, Trial
from harness.workloads import load

LION = '''
from typing import ClassVar, Literal

from pydantic import Field

from harness.lazy import torch
from harness.optimizers.base import Memory, Optimizer


class Lion(Optimizer):
    """Lion (Chen et al. 2023): steps of the sign of an averaged gradient."""

    name: Literal["lion"]
    lr: float = Field(1e-3, gt=0, description="learning rate")
    beta1: float = Field(0.9, ge=0, lt=1, description="share of the average in a step")
    beta2: float = Field(0.99, ge=0, lt=1, description="share of the old average that is kept")
    weight_decay: float = Field(0.0, ge=0)

    moments: ClassVar[int] = 1

    def step(self, parameters, gradients, lr, memory: Memory):
        """See `Optimizer`."""
        (averages,) = memory.moments
        for parameter, gradient, kept in zip(parameters, gradients, averages, strict=True):
            direction = torch.lerp(gradient, kept, self.beta1).sign()
            parameter.sub_(lr * (direction + self.weight_decay * parameter))
            kept.lerp_(gradient, 1 - self.beta2)
'''
DECAY = '''
from typing import Literal

from pydantic import Field

from harness.schedules.base import Horizon, Schedule


class InverseDecay(Schedule):
    """The learning rate falls with the reciprocal of the epochs (Robbins and Monro 1951)."""

    name: Literal["inverse_decay"]
    slope: float = Field(0.1, ge=0, description="how fast it falls")

    def multiplier(self, step: int, horizon: Horizon) -> float:
        """See `Schedule`."""
        return 1 / (1 + self.slope * (step // horizon.per_epoch))
'''
CUTOUT = '''
from typing import Literal

import numpy as np
from pydantic import Field

from harness.augmentations.base import Augmentation
from harness.lazy import torch


class Cutout(Augmentation):
    """Blank out a square of an image (DeVries and Taylor 2017)."""

    name: Literal["cutout"] = "cutout"
    size: int = Field(2, ge=1, le=100, description="pixels of a side")
    share: float = Field(0.5, ge=0, le=1, description="of the images")

    def draw(self, generator, examples):
        """Draw the corners; -1000 leaves an image as it is."""
        corners = generator.integers(0, 8, (examples, 2))
        return np.where(generator.random((examples, 1)) < self.share, corners, -1000)

    def apply(self, inputs, drawn, fill):
        """See `Augmentation`."""
        rows, columns = (torch.arange(length, device=inputs.device) for length in inputs.shape[-2:])
        top, left = drawn[..., None].unbind(2)
        down = (rows >= top) & (rows < top + self.size)
        right = (columns >= left) & (columns < left + self.size)
        return torch.where((down[..., :, None] & right[..., None, :]).unsqueeze(2), fill, inputs)
'''
NOISE = '''
from typing import Literal

from pydantic import Field

from harness.augmentations.base import Augmentation


class Noise(Augmentation):
    """Add normal noise to each number of an example, images or not."""

    name: Literal["noise"] = "noise"
    deviation: float = Field(gt=0, description="standard deviation")

    images = False

    def draw(self, generator, examples):
        """Draw one number for each example: the noise is alike within it."""
        return generator.normal(0, self.deviation, examples).astype("float32")

    def apply(self, inputs, drawn, fill):
        """See `Augmentation`."""
        return inputs + drawn.reshape(*drawn.shape, *[1] * (inputs.ndim - 2))
'''
FOCAL = '''
from typing import ClassVar, Literal

from pydantic import Field

from harness.losses.base import Loss
from harness.losses.cross_entropy import likelihood


class Focal(Loss):
    """The focal loss (Lin et al. 2017): examples that are right already count less."""

    name: Literal["focal"]
    gamma: float = Field(2.0, ge=0, description="how much less")

    targets: ClassVar = ("class",)

    def mean(self, outputs, targets):
        """See `Loss`."""
        found = likelihood(outputs, targets).double()
        return -((1 - found.exp()) ** self.gamma * found).mean()
'''
THINGS = {"lion": ("optimizers", "Lion", LION),
          "inverse_decay": ("schedules", "InverseDecay", DECAY),
          "cutout": ("augmentations", "Cutout", CUTOUT), "noise": ("augmentations", "Noise", NOISE),
          "focal": ("losses", "Focal", FOCAL)}  # fmt: skip
STUDY = """
study: others
question: Do others' things train?
workload:
  data: {name: digits, limit: 400}
  model: {name: mlp, depth: 1, width: 32}
  optimizer: {name: lion, lr: 0.01}
  schedule: inverse_decay
  augmentation: {noise: 0.05, cutout: {share: 0.3}}
  loss: focal
  epochs: 16
factors:
  gamma: {path: loss.gamma, levels: [2.0, 1.0]}
  slope: {path: schedule.slope, levels: [0.1, 0.2]}
  size: {path: augmentation.cutout.size, levels: [2, 3]}
  decay: {path: optimizer.weight_decay, levels: [0.0, 0.01]}
design: one-at-a-time
simple_baseline: none
seeds: 6
claims:
  - {id: gamma, says: It learns, metric: test.accuracy, of: {gamma: 1.0, slope: 0.1, size: 2, decay: 0.0}, above: 0.3}
  - {id: slope, says: It learns, metric: test.accuracy, of: {slope: 0.2, gamma: 2.0, size: 2, decay: 0.0}, above: 0.3}
"""  # noqa: E501
WORKLOAD = {
    "data": {"name": "digits", "limit": 200},
    "model": {"name": "mlp", "depth": 1, "width": 32},
    "optimizer": "lion",
    "schedule": {"name": "inverse_decay", "slope": 0.5},
    "augmentation": {"noise": 0.1, "flip": True, "cutout": {"size": 3}},
    "loss": {"name": "focal", "gamma": 1.5},
    "epochs": 3,
}


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a package that registers one of each, by its metadata; return a folder to work in."""
    site = tmp_path / "site"
    info = site / "acme_things-1.0.dist-info"
    info.mkdir(parents=True)
    points: dict[str, list[str]] = {}
    for name, (kind, attribute, source) in THINGS.items():
        (site / f"acme_{name}.py").write_text(textwrap.dedent(source))
        points.setdefault(kind, []).append(f"{name} = acme_{name}:{attribute}")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-things\nVersion: 1.0\n")
    groups = [f"[harness.{kind}]\n" + "\n".join(lines) for kind, lines in points.items()]
    (info / "entry_points.txt").write_text("\n".join(groups))
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "others.yaml").write_text(STUDY)
    yield tmp_path
    for name in THINGS:
        sys.modules.pop(f"acme_{name}", None)


def resolved(**changes):
    text = json.dumps({**WORKLOAD, **changes})
    return Workload.model_validate_json(text, strict=True).model_dump(mode="json")


def test_they_are_listed_and_imported_only_where_they_are_named(installed, capsys):
    for name, (kind, attribute, source) in THINGS.items():
        assert name in KINDS[kind].names()
        assert run(["list", kind]) == 0
        said = source.split('"""')[1].partition("\n")[0]
        origin = f"acme_{name}:{attribute}, of acme-things 1.0"
        assert f"{said} ({origin})" in capsys.readouterr().out
        assert f"acme_{name}" not in sys.modules
    plain = resolved(optimizer="adam", schedule="cosine", loss="auto", augmentation={"flip": True})
    assert plain["augmentation"] == {"flip": True, "shift": 0}
    assert not any(f"acme_{name}" in sys.modules for name in THINGS)
    assert "torch.optim.Class" in KINDS["optimizers"].listed()


def test_their_settings_are_resolved_and_are_one_trial_however_they_are_written(installed):
    whole = resolved()
    assert whole["optimizer"] == {
        "name": "lion", "lr": 1e-3, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.0,
    }  # fmt: skip
    assert whole["schedule"] == {"name": "inverse_decay", "slope": 0.5}
    assert whole["augmentation"] == {
        "cutout": {"size": 3, "share": 0.5}, "flip": True, "noise": 0.1, "shift": 0,
    }  # fmt: skip
    assert whole["loss"] == {"name": "focal", "gamma": 1.5}
    assert Workload.model_validate_json(json.dumps(whole), strict=True).model_dump(
        mode="json"
    ) == whole  # fmt: skip
    assert resolved(loss="focal")["loss"] == {"name": "focal", "gamma": 2.0}
    assert set(own_code(whole)) == {f"acme_{name}:{THINGS[name][1]}" for name in THINGS}
    assert "cutout" in json.dumps(schema())


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ({"optimizer": {"name": "lion", "beta": 0.9}}, "optimizer.beta: unknown key 'beta'; did "
         "you mean"),
        ({"optimizer": {"name": "lion", "beta1": 1.5}}, "optimizer.beta1: input should be less"),
        ({"optimizer": "loin"}, "did you mean 'lion'"),
        ({"schedule": {"name": "inverse_decay", "slop": 1}}, "did you mean 'slope'"),
        ({"schedule": "inverse_dcay"}, "did you mean 'inverse_decay'"),
        ({"augmentation": {"cutuot": {}}}, "did you mean 'cutout'"),
        ({"augmentation": {"cutout": {"szie": 1}}}, "augmentation.cutout.szie: unknown key 'szie'; "
         "did you mean 'size'"),
        ({"augmentation": {"noise": -1.0}}, "augmentation.noise: input should be greater"),
        ({"loss": {"name": "focal", "gama": 1}}, "did you mean 'gamma'"),
        ({"loss": "fokal"}, "did you mean 'focal'"),
        ({"data": "adding"}, "`loss: focal` does not suit the targets of adding"),
        ({"data": "adding", "loss": "auto"}, "`augmentation` changes images; adding has none"),
    ],
    ids=str,
)  # fmt: skip
def test_mistakes_are_told_like_any_others(installed, part, says):
    study = {"study": "s", "question": "?", "workload": {**WORKLOAD, **part}, "seeds": 5}
    with pytest.raises(InputError) as told:
        load_study(study)
    assert says in str(told.value)


def test_a_pack_of_them_is_its_trials_alone(installed, monkeypatch):
    monkeypatch.setattr(pack_autotuning, "UNMEASURED_BELOW", float("inf"))
    data = load(WORKLOAD["data"], installed).for_phase(Phase.CONFIRMATION)
    trials = [
        Trial(
            resolved(optimizer={"name": "lion", "lr": lr}), seed, Phase.CONFIRMATION, "f", "c", ()
        )
        for seed, lr in enumerate([1e-3, 1e-3, 3e-3])
    ]

    def parts(**options):
        records = [e for e in train_trials(trials, data, **options) if isinstance(e, Record)]
        assert {record.state for record in records} == {State.COMPLETE}, records[0].reason
        return {r.cost["pack_size"] for r in records}, [
            record.deterministic_part()
            for record in sorted(records, key=lambda record: record.trial.seed)
        ]

    (packed, together), (single, alone) = parts(), parts(largest_pack=1)
    assert (packed, single) == ({3.0}, {1.0})
    assert together == alone
    for part, value in {"loss": "auto", "schedule": "constant",
                        "augmentation": {"noise": 0.1, "flip": True}}.items():  # fmt: skip
        trials[:] = [Trial(resolved(**{part: value}), 0, Phase.CONFIRMATION, "f", "c", ())]
        assert parts()[1][0] != alone[0], part


def test_what_one_draws_changes_nothing_for_another(installed):
    """Only the streams that are shared for the sake of old records move together."""
    assert AUGMENTATIONS.find("cutout").stream == ""
    shared = {name for name in AUGMENTATIONS.own() if AUGMENTATIONS.find(name).stream}
    assert shared == {"flip", "shift"}


@pytest.mark.usefixtures("unmirrored", "undrawn")
def test_they_are_validated_run_judged_and_shown(installed, capsys):
    assert run(["validate", "others.yaml"]) == 0
    capsys.readouterr()
    assert run(["run", "others.yaml", "--in-process", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    verdicts = {claim["id"]: claim["verdict"] for claim in result["claims"]}
    assert verdicts == {"gamma": "supported", "slope": "supported"}
    page = Path(result["report"]).read_text()
    for name in ("lion", "inverse_decay", "cutout", "focal"):
        assert name in page
    assert run(["run", "others.yaml", "--in-process", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["trials"]["complete"] == 0


CHANGES = {
    "lion": ("direction + self", "2 * direction + self"),
    "inverse_decay": ("1 / (1", "2 / (2"),
    "noise": ("inputs + drawn", "inputs - drawn"),
    "focal": ("return -(", "return -1.0 * ("),
}


@pytest.mark.usefixtures("unmirrored", "undrawn")
def test_a_changed_thing_is_trained_again(installed):
    """Each plan is made by a process of its own, which reads the code anew."""
    text = (installed / "others.yaml").read_text()
    few = text[: text.index("factors:")] + "simple_baseline: none\nseeds: 2\n"
    (installed / "others.yaml").write_text(few.replace("epochs: 16", "epochs: 1"))
    environment = {**os.environ, "PYTHONPATH": str(installed / "site")}

    def done():
        planned = subprocess.run(
            [sys.executable, "-m", "harness", "plan", "others.yaml", "--json"],
            capture_output=True, text=True, check=True, env=environment,
        )  # fmt: skip
        return json.loads(planned.stdout)["trials"]["done"]

    assert run(["run", "others.yaml", "--in-process", "--json"]) == 0
    files = {name: installed / "site" / f"acme_{name}.py" for name in CHANGES}
    for file in files.values():
        file.write_text(file.read_text() + "\n# a comment\n")
    assert done() == 2
    for name, file in files.items():
        before = file.read_text()
        assert CHANGES[name][0] in before
        file.write_text(before.replace(*CHANGES[name]))
        assert done() == 0
        file.write_text(before)
    assert done() == 2
