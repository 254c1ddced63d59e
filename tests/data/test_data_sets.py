"""A data set is one file: built in and third parties', from a study file to a verdict."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness import plugins
from harness.cli.app import run
from harness.registry import DATA
from harness.study import InputError, load_study
from harness.testing.data import DataConformance, registered, resolved
from harness.workloads import fingerprint, summary

MOONS = '''
from typing import ClassVar, Literal
from pydantic import Field
from harness.data import LOCKED_SEED, Data, Dataset, Examples, Form, Handling


class Moons(Data):
    """Two half circles that reach into each other."""

    name: Literal["moons"]
    validation_fraction: float = 0.25
    noise: float = Field(0.1, ge=0, description="standard deviation of a point from its circle")
    examples: int = Field(300, ge=20, description="for training and validation")

    rule: ClassVar = "moons-1"
    cases: ClassVar = ({}, {"noise": 0.3, "examples": 40})

    @property
    def form(self):
        """Two coordinates, and a class."""
        return Form((2,), 2)

    @property
    def class_names(self):
        """What they are called."""
        return ("upper", "lower")

    def sizes(self):
        """A third is for testing."""
        return self.examples, self.examples // 3

    def load(self, root):
        """Draw the points."""
        import numpy as np

        generator = np.random.default_rng(LOCKED_SEED)
        parts = []
        for count in self.sizes():
            classes = np.arange(count) % 2
            angles = generator.uniform(0, np.pi, count) + np.pi * classes
            points = np.stack([np.cos(angles) + classes, np.sin(angles) + classes / 2], axis=1)
            points += self.noise * generator.standard_normal((count, 2))
            parts.append(Examples(points.astype(np.float32), classes))
        return Dataset("moons", self.form, *parts, Handling(normalization="feature"))
'''
STUDY = """
study: moons
question: Does noise hurt?
workload:
  data: moons
  model: {name: mlp, depth: 1, width: 16}
  optimizer: {name: adam, lr: 0.02}
  epochs: 8
  batch_size: 16
factors:
  noise: {path: data.noise, levels: [0.0, 1.0]}
probes:
  - confusion_matrix
seeds: 6
claims:
  - {id: hurts, says: Noise hurts, metric: test.accuracy, contrast: {noise: [0.0, 1.0]},
     greater_by: 0.05}
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a package that registers a data set, by its metadata; return a folder to work in."""
    info = tmp_path / "site" / "acme_moons-1.0.dist-info"
    info.mkdir(parents=True)
    (tmp_path / "site" / "acme_moons.py").write_text(MOONS)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-moons\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[harness.data]\nmoons = acme_moons:Moons\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "acme_moons", raising=False)
    plugins._read.cache_clear()
    (tmp_path / "moons.yaml").write_text(STUDY)
    return tmp_path


@pytest.mark.usefixtures("unmirrored", "undrawn")
def test_a_third_party_data_set_is_treated_no_worse(installed, capsys):
    assert run(["list", "data"]) == 0
    assert "moons" in capsys.readouterr().out
    assert run(["validate", "moons.yaml"]) == 0
    assert run(["plan", "moons.yaml"]) == 0
    assert "noise" in capsys.readouterr().out.partition("arm ")[2]
    assert run(["run", "moons.yaml", "--in-process", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [claim["verdict"] for claim in result["claims"]] == ["supported"]
    page = Path(result["report"]).read_text()
    assert "moons" in page
    assert "upper" in page
    assert "logistic regression" in page
    assert run(["run", "moons.yaml", "--in-process", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["trials"]["complete"] == 0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [("data.noise", "data.nois", "noise"), ("data: moons", "data: {name: moons, noise: -1}",
      "greater than or equal to 0"),
     ("data: moons", "data: moon", "did you mean 'moons'"),
     ("data: moons", "data: {name: moons, exampels: 30}", "did you mean 'examples'")],
)  # fmt: skip
def test_what_a_study_says_wrongly_of_it_is_refused(installed, capsys, old, new, said):
    (installed / "bad.yaml").write_text(STUDY.replace(old, new))
    assert run(["validate", "bad.yaml"]) == 2
    assert said in capsys.readouterr().err


def test_it_passes_the_suite_by_its_own_cases(installed):
    cases = registered("moons")
    assert [case.get("examples") for case in cases] == [None, 40]
    suite = DataConformance()
    for test in [name for name in dir(suite) if name.startswith("test_")]:
        for case in cases:
            getattr(suite, test)(case)


def test_the_data_set_of_the_documentation_passes_the_suite(installed, monkeypatch):
    page = Path(__file__).parents[2] / "docs" / "extending.md"
    (code,) = re.findall(r"```python\n# birds.py\n(.*?)```", page.read_text(), re.S)
    (installed / "site" / "birds.py").write_text(code)
    info = installed / "site" / "acme_moons-1.0.dist-info" / "entry_points.txt"
    info.write_text("[harness.data]\nbirds = birds:Birds\n")
    plugins._read.cache_clear()
    monkeypatch.setenv("HARNESS_DATA", str(installed))
    assert fingerprint(resolved("birds"), installed) is None
    (installed / "birds").mkdir()
    draws = np.random.default_rng(0)
    songs = {"samples": draws.normal(size=(1000, 500)), "species": np.arange(1000) % 4}
    np.savez(installed / "birds" / "songs.npz", **songs)
    suite, (case,) = DataConformance(), registered("birds")
    for test in [name for name in dir(suite) if name.startswith("test_")]:
        getattr(suite, test)(case)


def test_its_fingerprint_knows_settings_and_code_but_no_comments(installed):
    config = resolved("moons")
    ask = "import json, sys, pathlib; from harness.workloads import fingerprint; "
    ask += f"print(fingerprint(json.loads({json.dumps(config)!r}), pathlib.Path('.')))"
    environment = {**os.environ, "PYTHONPATH": str(installed / "site")}

    def asked():
        command = [sys.executable, "-c", ask]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        return done.stdout.strip()

    before = asked()
    assert before == fingerprint(config, installed)
    assert before != fingerprint({**config, "noise": 0.2}, installed)
    assert before == fingerprint({**config, "validation_fraction": 0.4}, installed)
    file = installed / "site" / "acme_moons.py"
    file.write_text(MOONS + "\n# a comment\n")
    assert asked() == before
    file.write_text(MOONS.replace("classes / 2", "classes / 3"))
    assert asked() != before


def test_a_registered_file_is_part_of_the_fingerprint(installed):
    files = (
        '    def files(self, root):\n        """One."""\n        return [root / "moons.bin"]\n\n'
    )
    code = MOONS.replace("    def load(", f"{files}    def load(")
    (installed / "site" / "acme_moons.py").write_text(code)
    config = resolved("moons")
    assert fingerprint(config, installed) is None
    (installed / "moons.bin").write_bytes(b"1")
    before = fingerprint(config, installed)
    (installed / "moons.bin").write_bytes(b"2")
    assert None is not before != fingerprint(config, installed)


@pytest.mark.parametrize("name", DATA.own())
def test_each_module_describes_its_settings(name):
    kind = DATA.find(name)
    assert len(kind.__doc__.strip()) > 20
    about = kind.model_json_schema()["properties"]
    clear = {"name", "targets", "color", "target", "source"}  # a choice of words that say it
    assert not [f for f, said in about.items() if "description" not in said and f not in clear]


def test_settings_are_checked_without_the_libraries_that_read():
    code = "import json, sys; from harness.study.workload import Workload\n"
    needy = {"image_folder", "image_parquet", "table_file", "texts", "arrays", "torchvision",
             "huggingface", "openml"}  # fmt: skip
    for name in sorted(set(DATA.own()) - needy):
        code += f'w = Workload.model_validate_json(\'{{"data": "{name}", "model": "mlp"}}\')\n'
        code += "w.data.kind, w.data.summary()\n"
    heavy = ("torch", "torchvision", "sklearn", "pandas", "numpy", "pyarrow", "PIL", "datasets")
    code += f"print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_seasons_decide_what_forecasts_by_them():
    study = {"study": "s", "question": "?", "seeds": 5,
             "workload": {"data": "adding", "model": "seasonal_naive"}}  # fmt: skip
    with pytest.raises(InputError, match="seasonal_naive forecasts a series"):
        load_study(study)
    study["workload"] = {"data": "series", "model": {"name": "mlp"}}
    assert load_study(study).study.simple_model == "seasonal_naive"


def test_an_unknown_name_lists_what_there_is():
    study = {"study": "s", "question": "?", "seeds": 5,
             "workload": {"data": "digit", "model": "mlp"}}  # fmt: skip
    with pytest.raises(InputError) as caught:
        load_study(study)
    said = str(caught.value)
    assert all(re.search(rf"\b{name}\b", said) for name in (*DATA.own(), "none", "did you mean"))
    assert "'digits'" in said


def test_a_summary_is_that_of_the_class():
    known = summary({"name": "mnist", "limit": 100, "test_limit": 40})
    assert (known.examples, known.test, known.form.shape) == (100, 40, (1, 28, 28))
