"""What `--json` prints is as its published schema says, for every command that has the option."""

import json
import shutil

import jsonschema
import pytest
import typer

from harness.cli.app import app, run
from harness.cli.forms import forms

pytestmark = pytest.mark.usefixtures("unmirrored", "undrawn")

STUDY = """\
study: told
question: q
workload:
  data: digits
  model: {name: mlp, depth: 1, width: 4}
  epochs: 1
factors:
  width: {path: model.width, levels: [4, 8]}
search: {space: {optimizer.lr: {log: [1.0e-3, 1.0e-1]}}, candidates: 2}
seeds: 5
claims:
  - {id: one, says: s, metric: test.accuracy, contrast: {width: [8, 4]}, greater_by: 0.01}
  - id: two
    says: t
    all_of:
      - {metric: test.accuracy, of: {width: 8}, above: 0.2}
      - {metric: cost.parameters, ratio: {width: [8, 4]}, greater_by: 1.1}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder where a study was run and one of its trials is known."""
    folder = tmp_path_factory.mktemp("told")
    (folder / "told.yaml").write_text(STUDY)
    return folder


@pytest.fixture
def printed(place, monkeypatch, capsys):
    monkeypatch.chdir(place)

    def call(*arguments):
        assert run([*arguments, "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        jsonschema.validate(document, forms()[arguments[0]].json_schema())
        return document

    return call


def test_every_command_with_the_option_has_a_schema():
    commands = typer.main.get_command(app).commands
    having = {n for n, c in commands.items() if any("--json" in p.opts for p in c.params)}
    assert having == set(forms())


def test_documents_are_as_their_schemas_say(printed):
    assert printed("plan", "told.yaml")["seconds_on_one_worker"] is None
    ran = printed("run", "told.yaml", "--in-process")
    assert printed("plan", "told.yaml", "--set", "seeds=6")["seconds_on_one_worker"] > 0
    mine = ran["claims"][0]["trials"][0]
    assert len(printed("claims")) == 2
    assert printed("trial", mine)["state"] == "complete"
    assert printed("trial", mine, "--replay")["identical"]
    assert printed("verify", "told")["differs"] == 0
    shutil.copytree("results", "copy")
    assert printed("merge", "results", "copy")["records"] == 19
    printed("report", "--compare", "results", "merged")
    assert printed("pilot", "told.yaml", "--seeds", "3")["arm"] == "4"
    assert printed("plan", "told.yaml")["pilot"]["arm"] == "4"


def test_a_key_too_many_is_found():
    schema = forms()["merge"].json_schema()
    whole = {"into": "a", "records": 1, "executions": 1, "contradicting": []}
    jsonschema.validate(whole, schema)
    for wrong in ({**whole, "more": 1}, {"into": "a"}, {**whole, "records": "1"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


def test_schemas_and_pages_are_printed(capsys):
    assert run(["schema", "plan"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Plan"
    assert run(["schema", "plna"]) == 2
    assert "did you mean 'plan'" in capsys.readouterr().err
    assert run(["docs"]) == 0
    listed = capsys.readouterr().out
    assert "own-code" in listed
    assert "examples/hf_trainer.py" in listed
    assert "Does a hidden layer pay" in listed
    for page, says in (("own-code", "# Your own code"), ("commands", "harness merge"),
                       ("study-file", "batch_size"), ("documents", "plan_hash"),
                       ("examples/trainer.yaml", "hf_trainer:train")):  # fmt: skip
        assert run(["docs", page]) == 0
        assert says in capsys.readouterr().out
    assert run(["docs", "own-cod"]) == 2
    assert "did you mean 'own-code'" in capsys.readouterr().err
