"""A new study by flags and by questions; what `validate --explain` teaches."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from harness.cli.app import run
from harness.study import load_study
from harness.study.explain import EXAMPLES

CASES = [
    ([], "test.accuracy", ["relu", "tanh"]),
    (["--vary", "model.depth", "--levels", "1,2,4"], "test.accuracy", [1, 2, 4]),
    (["--vary", "optimizer.name", "--levels", "adam, sgd", "--seeds", "6"], "test.accuracy",
     ["adam", "sgd"]),
    (["--data", "function", "--vary", "model.residual", "--levels", "true,false"],
     "test.root_mean_squared_error", [True, False]),
    (["--data", "recall", "--model", "transformer", "--vary", "model.heads", "--levels", "1,2",
      "--metric", "validation.loss"], "validation.loss", [1, 2]),
]  # fmt: skip


@pytest.mark.parametrize(("flags", "metric", "levels"), CASES)
def test_what_the_flags_say_is_a_sound_study(tmp_path, capsys, flags, metric, levels):
    assert run(["new", "mine", "--folder", str(tmp_path), *flags]) == 0
    file = tmp_path / "mine.yaml"
    study = load_study(file).study
    assert study.claims[0].metric == metric
    assert next(iter(study.factors.values())).levels == levels
    assert "# what is varied" in file.read_text()
    assert json.loads((tmp_path / "study.schema.json").read_text())["title"] == "Study"


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = "\n".join(f"{i},{i / 3},{'ab'[i % 2]}" for i in range(30))
    (tmp_path / "rows.csv").write_text(f"years,price,kind\n{rows}\n")
    (tmp_path / "gaps.csv").write_text(f"years,price,kind\n,1,a\n{rows}\n")
    days = "\n".join(f"2020-01-{1 + i % 30:02},{i},{-i}" for i in range(90))
    (tmp_path / "sales.csv").write_text(f"day,sales,visitors\n{days}\n")
    days = "\n".join(f"2020-01-{1 + i % 30:02};{i},5;{'ab'[i % 2]}" for i in range(60))
    (tmp_path / "halves.csv").write_text(f"day;height;kind\n{days}\n")
    (tmp_path / "alone.csv").write_text("sales\n" + "\n".join(map(str, range(90))))
    return tmp_path


@pytest.mark.parametrize(
    ("flags", "data", "model"),
    [
        (["image_folder:pets/cats"], {"name": "image_folder", "path": "pets/cats"}, "mlp"),
        (["texts:mails"], {"name": "texts", "path": "mails"}, "transformer"),
        (["series:alone.csv"], {"name": "series", "source": "alone.csv"}, "mlp"),
        (["series:sales.csv", "--target", "sales"], {"column": "sales"}, "mlp"),
        (["table_file:halves.csv", "--target", "height"],
         {"separator": ";", "decimal": ",", "targets": "numbers",
          "features": ["kind"]}, "mlp"),
        (["series:halves.csv", "--target", "height"], {"separator": ";", "decimal": ","}, "mlp"),
        (["table_file:gaps.csv", "--target", "kind"], {"missing": "impute"}, "mlp"),
        (["table_file:rows.csv", "--target", "kind"], {"target": "kind", "targets": "class"},
         "mlp"),
        (["table_file:rows.csv", "--target", "price"], {"target": "price", "targets": "numbers"},
         "mlp"),
        (["table_file:rows.csv", "--target", "years"], {"targets": "numbers"}, "mlp"),
    ],
)  # fmt: skip
def test_data_of_ones_own_are_named_by_their_path(place, flags, data, model):
    assert run(["new", "mine", "--data", *flags]) == 0
    workload = load_study(place / "studies" / "mine.yaml").study.workload
    assert data.items() <= workload.data.model_dump().items()
    assert workload.model.name == model


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["image_folder"], "--data: needs its path, such as image_folder:my_path"),
        (["table_file:rows.csv"], "--target: say which column .* has: years, price, kind"),
        (["table_file:rows.csv", "--target", "prize"], "did you mean 'price'"),
        (["table_file:row.csv", "--target", "price"], "no data in 'row.csv'"),
        (["series:sales.csv"], "--target: say which column .* has: sales, visitors"),
        (["series:sales.csv", "--target", "sale"], "did you mean 'sales'"),
        (["rows.csv"], "say what rows.csv is: table_file:rows.csv, series:rows.csv or texts:"),
        (["csv:rows.csv"], "say what rows.csv is: table_file:rows.csv"),
        (["."], "say what . is: image_folder:. or texts:."),
        (["digits:mine"], "digits has neither a path nor a source"),
        (["digits", "--target", "price"], "--target: is for table_file"),
    ],
)
def test_what_such_data_lack_is_asked_for(place, capsys, flags, message):
    assert run(["new", "mine", "--data", *flags]) == 2
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data", "digist"], "did you mean 'digits'"),
        (["--levels", "relu"], "at least two"),
        (["--levels", "relu, tahn"], "did you mean 'tanh'"),
        (["--vary", "model.widht"], "did you mean"),
        (["--metric", "accuracy"], "does not have the form"),
        (["--seeds", "3"], "can support no claim"),
        (["--data", "}: x"], "harness:"),
    ],
)
def test_what_makes_no_study_is_said_and_not_written(tmp_path, capsys, flags, message):
    assert run(["new", "mine", "--folder", str(tmp_path / "studies"), *flags]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "studies").exists()


def test_on_a_terminal_it_asks(tmp_path):
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "harness", "new", "asked", "--model", "mlp"]
    with subprocess.Popen(command, stdin=slave, stdout=subprocess.PIPE, cwd=tmp_path,
                          text=True) as process:  # fmt: skip
        os.write(master, b"table\nmodel.width\n8, 16\n\n7\n")
        out, _ = process.communicate()
    os.close(slave)
    os.close(master)
    assert process.returncode == 0
    assert "Data (harness list data; your own as image_folder:PATH, table_file:PATH, ...)" in out
    assert "Model" not in out  # the option said it
    study = load_study(tmp_path / "studies" / "asked.yaml").study
    assert (study.workload.data.name, study.seeds) == ("table", 7)
    assert study.factors["width"].levels == [8, 16]


def test_validate_explains_a_mistake(tmp_path, capsys):
    file = tmp_path / "wrong.yaml"
    assert run(["new", "wrong", "--folder", str(tmp_path)]) == 0
    file.write_text(file.read_text().replace("seeds: 8", "seeds: many").replace("epochs", "epoch"))
    assert run(["validate", str(file)]) == 2
    assert "for example" not in capsys.readouterr().err
    assert run(["validate", "--explain", str(file)]) == 2
    said = capsys.readouterr().err
    assert "seeds: many" in said
    assert "  for example: seeds: 8" in said
    number, mark = said.splitlines()[1:3]
    assert number[mark.index("^") :].startswith("epoch")


def test_the_examples_are_right():
    base = ["study", "question", "workload", "factors", "claims"]
    for key, line in EXAMPLES.items():
        lines = [EXAMPLES[name] for name in base if name != key] + [line]
        data = yaml.safe_load("\n".join(lines))
        load_study(data if key != "extends" else {"study": "mine", "extends": data["extends"]})


def test_a_link_to_the_schema_stands_in_the_first_line(tmp_path):
    assert run(["new", "mine", "--folder", str(tmp_path)]) == 0
    first = Path(tmp_path / "mine.yaml").read_text().splitlines()[0]
    assert first.endswith("$schema=study.schema.json")
