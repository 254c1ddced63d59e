"""The examples of other people's code, each from its study file to its verdict."""

import logging
import sys
from pathlib import Path

import pytest

from harness.run.outcome import RunOptions
from harness.run.study_run import run_study
from harness.study import load_study

FOLDER = Path(__file__).parent.parent / "examples"
VERDICTS = {
    "by_hand": {"supported"},
    "vision": {"refuted", "inconclusive"},
    "text": {"supported"},
    "tabular": {"refuted", "inconclusive"},
    "lightning": {"refuted", "inconclusive"},
    "trainer": {"refuted", "inconclusive"},
    "parallel": {"supported", "inconclusive"},
    "segmentation": {"supported"},
    "ratings": {"refuted", "inconclusive"},
    "attribution": {"supported"},
    "grid_world": {"supported"},
}
MODULES = {file.stem for file in FOLDER.glob("*.py")}


@pytest.fixture(autouse=True)
def example_modules(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    yield
    for name in MODULES:
        sys.modules.pop(name, None)


def test_every_example_is_tested():
    assert {file.stem for file in FOLDER.glob("*.yaml")} == set(VERDICTS)
    readme = (FOLDER / "README.md").read_text()
    assert all(f"`{name}.yaml`" in readme for name in VERDICTS)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("name", VERDICTS)
def test_an_example_comes_to_its_verdict(name, tmp_path):
    logging.getLogger("lightning").setLevel(logging.ERROR)
    loaded = load_study(FOLDER / f"{name}.yaml")
    result = run_study(loaded, RunOptions(tmp_path / "r", tmp_path / "p", None, None, True))
    assert result.counts["failed"] == 0
    (verdict,) = result.verdicts
    assert verdict.verdict in VERDICTS[name], verdict
    assert verdict.effect is not None
    again = run_study(loaded, RunOptions(tmp_path / "r", tmp_path / "p", None, None, True))
    assert again.counts["complete"] == 0
