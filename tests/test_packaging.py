"""The wheel alone, in a fresh environment far from the repository, as a user would install it."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

from harness.extras import EXTRAS

ROOT = Path(__file__).parent.parent
UV = str(Path(sys.executable).with_name("uv"))
OWN_NETWORK = """\
from torch import nn


def network(shape, outputs, width=8):
    return nn.Sequential(nn.Flatten(), nn.Linear(shape[-1] ** 2, width), nn.ReLU(),
                         nn.Linear(width, outputs))
"""
OWN_STUDY = """\
study: mine
question: Does my network gain from being wider?
workload: {data: digits, model: {name: "my_networks:network"}, epochs: 2}
factors:
  width: {levels: {narrow: {model.settings.width: 2}, wide: {model.settings.width: 32}}}
seeds: 6
claims:
  - {id: wide-wins, says: Wide beats narrow, metric: test.accuracy,
     contrast: {width: [wide, narrow]}, greater_by: 0.05}
"""


def call(command, folder, **variables):
    """Run a command, with an environment that knows nothing of this one."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        command, cwd=folder, env=kept | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def take_bytecode(environment):
    """Take along what Python has compiled here of packages that are the same there.

    Python compiles what differs: all of it, PyTorch and others, would take half a minute.
    """
    here = Path(sysconfig.get_path("purelib"))
    there = next(environment.glob("lib/python*/site-packages"))
    for cache in here.rglob("__pycache__"):
        target = there / cache.relative_to(here)
        if target.parent.is_dir() and not target.exists():
            shutil.copytree(cache, target)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    source = tmp_path_factory.mktemp("source")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("harness", "studies", "docs", "examples"):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    arguments = ["--wheel", "--no-build-isolation", "--python", sys.executable]
    call([UV, "build", *arguments, "--out-dir", "dist", "."], source)
    return next((source / "dist").glob("*.whl"))


def test_the_wheel_holds_what_a_user_needs(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    studies = {f"harness/bundled/{file.name}" for file in (ROOT / "studies").iterdir()}
    templates = {f"harness/{file.relative_to(ROOT / 'harness')}"
                 for file in (ROOT / "harness/report/templates").rglob("*")
                 if file.is_file()}  # fmt: skip
    pages = {f"harness/pages/{file.name}" for file in (ROOT / "docs").glob("*.md")}
    examples = {f"harness/examples/{file.name}" for file in (ROOT / "examples").iterdir()
                if file.suffix in (".py", ".yaml")}  # fmt: skip
    assert studies | templates | pages | examples | {"harness/py.typed"} <= names
    assert not [name for name in names if name.startswith(("tests", "benchmarks"))]
    assert any(name.endswith("licenses/LICENSE") for name in names)


@pytest.mark.slow
def test_the_wheel_alone_runs_a_bundled_study_and_a_users_own(wheel, tmp_path):
    environment = tmp_path / "environment"
    call([UV, "venv", "--python", sys.executable, str(environment)], tmp_path)
    python, harness = str(environment / "bin/python"), str(environment / "bin/harness")
    pins = ["--constraints", str(ROOT / "requirements.lock")]
    call([UV, "pip", "install", "--python", python, *pins, str(wheel)], tmp_path)
    take_bytecode(environment)

    small = ["--set", "workload.epochs=1", "--set", "seeds=5", "--set", "search=null"]
    bundled = [harness, "run", "learning-rate", "--profile", "quick", "--in-process", "--json"]
    answer = json.loads(call([*bundled, *small], tmp_path))
    assert answer["study"] == "learning-rate"
    assert answer["trials"]["failed"] == 0

    (tmp_path / "vision.yaml").write_text(OWN_STUDY.replace(
        '{name: "my_networks:network"}', "{name: torchvision, architecture: resnet18}"
    ).replace("model.settings.width: 2}", "epochs: 1}").replace("model.settings.width: 32}",
                                                               "epochs: 2}"))  # fmt: skip
    refused = subprocess.run([harness, "plan", "vision.yaml"], cwd=tmp_path, capture_output=True,
                             text=True, check=False)  # fmt: skip
    assert refused.returncode == 2
    assert "needs the package torchvision" in refused.stderr
    assert "pip install 'harness[vision]'" in refused.stderr

    (tmp_path / "my_networks.py").write_text(OWN_NETWORK)
    (tmp_path / "mine.yaml").write_text(OWN_STUDY)
    answer = json.loads(call([harness, "run", "mine.yaml", "--json"], tmp_path))
    assert answer["claims"][0]["verdict"] == "supported"
    assert (tmp_path / "reports" / "mine" / "index.html").is_file()


def test_studies_and_tests_are_locked_to_the_same_versions():
    """`make demo` installs the first file, `make test` both."""

    def versions(name):
        text = (ROOT / name).read_text()
        return dict(re.findall(r"^([a-z][\w.-]*)(?:\[[^]]*\])?==(\S+)", text, re.M))

    runs, all_ = versions("requirements.lock"), versions("requirements-dev.lock")
    assert runs.items() < all_.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["setup"]]
    names = {re.match(r"[\w-]+", one)[0] for one in wanted}
    assert names <= runs.keys()
    for extra in set(EXTRAS.values()):
        brought = {
            re.match(r"[\w-]+", one)[0].lower() for one in project["optional-dependencies"][extra]
        }
        assert brought - {"harness"} <= runs.keys(), extra
    assert not {"pytest", "mkdocs", "mypy"} & runs.keys()
