"""Commands that hold a study to its word, on a small study that is run for real."""

import shutil
from contextlib import chdir, redirect_stdout
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.cli.app import run

STUDY = """\
study: guarded
question: Does the activation matter?
workload:
  data: {name: digits, limit: 300}
  model: {name: mlp, depth: 1, width: 8, activation: relu}
  optimizer: {name: adam, lr: 1e-2}
  epochs: 2
  batch_size: 64
factors:
  activation: {path: model.activation, levels: [relu, tanh]}
simple_baseline: none
seeds: 6
claims:
  - {id: learns, says: It learns & it's <fine>, metric: test.accuracy, of: {activation: relu},
     above: 0.05}
  - {id: perfect, says: It is perfect, metric: test.accuracy, of: {activation: relu}, above: 0.999}
  - {id: alike, says: It is all the same, metric: test.accuracy, within: 0.9,
     contrast: {activation: [relu, tanh]}}
profiles:
  long: {workload.epochs: 3}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder in which the study was registered, run and published."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "studies").mkdir()
    (folder / "studies" / "guarded.yaml").write_text(STUDY)
    with chdir(folder), redirect_stdout(StringIO()):
        assert run(["run", "studies/guarded.yaml", "--in-process", "--json"]) == 0
        assert run(["publish"]) == 0
    return folder


@pytest.fixture
def here(home, tmp_path, monkeypatch):
    """Work in a copy of that folder."""
    shutil.copytree(home, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture
def said(capsys):
    """Return a function that runs a command: its exit status, what it prints, what it says."""

    def call(*arguments):
        capsys.readouterr()
        status = run(list(arguments))
        out, err = capsys.readouterr()
        return status, out, err

    return call


def test_claims_fail_on_the_kinds_that_are_named(here, said):
    assert said("claims")[0] == 0
    status, out, err = said("claims", "guarded", "--fail-on", "refuted,incomplete,changed")
    assert status == 1
    assert "It is perfect" in out
    assert err == "harness: guarded (default): the claim perfect is refuted\n"
    assert said("claims", "--fail-on", "incomplete,changed")[0] == 0
    file = Path("studies/guarded.yaml")
    file.write_text(file.read_text().replace("0.05", "0.04"))
    status, _, err = said("claims", "--fail-on", "changed")
    assert (status, err) == (1, "harness: guarded (default): the claim learns is changed\n")


def test_claims_as_tests_of_junit(here, said):
    assert said("claims", "--fail-on", "refuted", "--junit", "out/claims.xml")[0] == 1
    root = ElementTree.parse("out/claims.xml").getroot()
    assert (root.tag, root.attrib["tests"], root.attrib["failures"]) == ("testsuites", "3", "1")
    [suite] = root
    assert suite.attrib["name"] == "guarded.default"
    cases = {case.attrib["name"]: case for case in suite}
    learns, perfect, _ = cases.values()
    assert learns.attrib["name"] == "learns: It learns & it's <fine>"
    assert [child.tag for child in learns] == ["system-out"]
    failure = perfect.find("failure")
    assert failure.attrib["type"] == "refuted"
    assert failure.attrib["message"].startswith("refuted: ")


def test_a_published_file_that_is_damaged_is_an_error_in_junit(here, said):
    shutil.rmtree("reports")
    Path("results/harness.db").unlink()
    Path("results/published/guarded.default.json.gz").write_bytes(b"nothing")
    status, _, err = said("claims", "guarded", "--junit", "claims.xml")
    assert status == 2
    assert "cannot be unpacked" in err
    root = ElementTree.parse("claims.xml").getroot()
    assert (root.attrib["errors"], root.attrib["tests"]) == ("1", "1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fail-on", "refutd"], "--fail-on: 'refutd' is not one of supported, refuted"),
        (["--fail-on", ""], "--fail-on: '' is not one of"),
        (["guardd"], "there are no results of a study 'guardd'; did you mean 'guarded'?"),
        (["--junit", "studies"], "--junit: 'studies' cannot be written: Is a directory"),
    ],
)
def test_claims_refuses_wrong_input(here, said, arguments, message):
    status, _, err = said("claims", *arguments)
    assert status == 2
    assert message in err
