"""Study files that extend one another."""

import json

import pytest

from harness.cli.app import run
from harness.study import InputError, files_of, load_study

BASE = """\
study: base
question: Which?
workload: {data: digits, model: {name: mlp, width: 16, depth: 3}, optimizer: adam, epochs: 3}
factors:
  activation: {path: model.activation, levels: [relu, tanh]}
seeds: 6
claims:
  - {id: a, says: a, metric: test.accuracy, contrast: {activation: [relu, tanh]}, greater_by: 0.1}
  - {id: b, says: b, metric: test.accuracy, contrast: {activation: [tanh, relu]}, greater_by: 0.1}
profiles:
  quick: {workload.epochs: 1}
"""


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    write("base.yaml", BASE)
    return write


def test_what_the_extending_file_says_goes_first(write):
    file = write("mine.yaml", "study: mine\nextends: base.yaml\nseeds: 9\nworkload:\n  epochs: 7\n"
                 "  model: {width: 8}\n  optimizer: {lr: 0.5}\n")  # fmt: skip
    mine, base = load_study(file), load_study(file.with_name("base.yaml"))
    workload = mine.arms[0].workload
    assert (mine.study.study, mine.study.question, mine.study.seeds) == ("mine", "Which?", 9)
    assert (workload["epochs"], workload["model"]["width"], workload["model"]["depth"]) == (7, 8, 3)
    assert (workload["optimizer"]["name"], workload["optimizer"]["lr"]) == ("adam", 0.5)
    assert mine.study.claims == base.study.claims
    assert load_study(file, "quick").arms[0].workload["epochs"] == 1


def test_lists_and_other_components_replace(write):
    text = "study: mine\nextends: base.yaml\nworkload: {model: {name: cnn}}\nfactors:\n"
    text += "  activation: {levels: [tanh, gelu]}\nclaims: []\n"
    loaded = load_study(write("mine.yaml", text))
    assert loaded.study.claims == []
    assert [arm.workload["model"]["activation"] for arm in loaded.arms] == ["tanh", "gelu"]
    assert loaded.arms[0].workload["model"]["name"] == "cnn"


def test_a_study_may_extend_a_bundled_one_and_a_chain(write):
    write("middle.yaml", "study: middle\nextends: base.yaml\nseeds: 7\n")
    file = write("mine.yaml", "study: mine\nextends: middle.yaml\nalpha: 0.1\n")
    loaded = load_study(file)
    assert (loaded.study.seeds, loaded.study.alpha) == (7, 0.1)
    assert [path.name for path in files_of(file)] == ["mine.yaml", "middle.yaml", "base.yaml"]
    file = write("own.yaml", "study: own\nextends: activations\nseeds: 10\n")
    assert load_study(file, "quick").study.question.startswith("Which hidden activation")


def problems(file):
    with pytest.raises(InputError) as error:
        load_study(file)
    return error.value.problems


def test_a_mistake_is_told_where_it_stands(write):
    write("base.yaml", BASE.replace("levels: [relu, tanh]", "levels: [relu, tahn]"))
    (problem, *_) = problems(write("mine.yaml", "study: mine\nextends: base.yaml\n"))
    assert (problem.file.rsplit("/")[-1], problem.line) == ("base.yaml", 5)
    write("base.yaml", BASE)
    text = "study: mine\nextends: base.yaml\n\nfactors:\n  activation: {levels: [relu, gleu]}\n"
    (problem, *_) = problems(write("mine.yaml", text))
    assert (problem.file.rsplit("/")[-1], problem.line) == ("mine.yaml", 5)
    assert "did you mean 'gelu'" in problem.message
    text = "study: mine\nextends: base.yaml\nprofiles:\n  slow: {workload.epochs: many}\n"
    (problem, *_) = problems(write("mine.yaml", text))
    assert (problem.file.rsplit("/")[-1], problem.line) == ("mine.yaml", 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: base.yaml", "a name of its own"),
        ("study: m\nextends: [base.yaml]", "must be the path"),
        ("study: m\nextends: bsae.yaml", "there is no file"),
        ("study: m\nextends: activatons", "did you mean 'activations'"),
        ("study: m\nextends: /etc/hostname", "neither a .yaml file nor"),
        ("study: m\nextends: mine.yaml", "extends this file in turn"),
    ],
)
def test_a_base_that_cannot_be_had_is_told(write, text, message):
    (problem,) = problems(write("mine.yaml", text))
    assert message in problem.message
    assert problem.line == text.count("\n") + 1


@pytest.mark.usefixtures("unmirrored", "undrawn")
def test_a_changed_base_makes_a_new_report(write, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("mine.yaml", "study: mine\nextends: base.yaml\nsimple_baseline: none\n")
    command = ["run", "mine.yaml", "--profile", "quick", "--in-process", "--json"]
    assert run(command) == 0
    assert run(command) == 0
    write("base.yaml", BASE.replace("greater_by: 0.1}\n  - {id: b", "greater_by: 0.2}\n  - {id: b"))
    capsys.readouterr()
    assert run(command) == 0
    (claim, _) = json.loads(capsys.readouterr().out)["claims"]
    assert claim["changed_after_evidence"]
