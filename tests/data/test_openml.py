"""Tables of OpenML from a cache as scikit-learn keeps it; nothing is fetched."""

import gzip
import hashlib
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from harness.data import DataMissingError, data_of
from harness.study import load_study
from harness.study.suites import bundled_suites

ROWS = [f"{'?' if i == 3 else i % 7},{'red' if i % 3 else 'blue'},{'good' if i % 2 else 'bad'},{i}"
        for i in range(60)]  # fmt: skip
ARFF = """@RELATION small
@ATTRIBUTE size NUMERIC
@ATTRIBUTE colour {red,blue}
@ATTRIBUTE class {good,bad}
@ATTRIBUTE row NUMERIC
@DATA
"""


def keep(root, path, text):
    file = root / "openml" / "openml.org" / f"{path}.gz"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress(text if isinstance(text, bytes) else text.encode()))


def cache(root, number=7, rows=ROWS, target="class"):
    """Write what OpenML answers about a table, where scikit-learn looks for it first."""
    arff = (ARFF + "\n".join(rows) + "\n").encode()
    said = {
        "id": str(number), "name": "small", "version": "1", "format": "ARFF", "status": "active",
        "url": f"https://www.openml.org/data/v1/download/{number}/small.arff", "description": "",
        "md5_checksum": hashlib.md5(arff, usedforsecurity=False).hexdigest(),
    }  # fmt: skip
    kinds = {"size": "numeric", "colour": "nominal", "class": "nominal", "row": "numeric"}
    columns = [
        {"index": str(i), "name": name, "data_type": kind, "is_target": str(name == target).lower(),
         "is_ignore": "false", "is_row_identifier": str(name == "row").lower(),
         "number_of_missing_values": "0"}
        for i, (name, kind) in enumerate(kinds.items())
    ]  # fmt: skip
    qualities = [{"name": "NumberOfInstances", "value": str(len(rows))}]
    answers = {
        f"{number}": {"data_set_description": said},
        f"features/{number}": {"data_features": {"feature": columns}},
        f"qualities/{number}": {"data_qualities": {"quality": qualities}},
    }
    for path, answer in answers.items():
        keep(root, f"api/v1/json/data/{path}", json.dumps(answer))
    keep(root, f"data/v1/download/{number}/small.arff", arff)


def read(root, **settings):
    return data_of({"name": "openml", "id": 7, **settings}).load_offline(root)


def test_a_table_in_the_cache_becomes_inputs_and_classes(tmp_path):
    cache(tmp_path)
    dataset = read(tmp_path, missing="impute")
    assert dataset.columns == ("size", "colour", "colour")  # what identifies rows is no input
    assert (len(dataset.examples), len(dataset.test)) == (48, 12)
    assert dataset.form.outputs == 2
    rows = np.concatenate([dataset.examples.inputs, dataset.test.inputs])
    assert set(rows[:, 1] + rows[:, 2]) == {1.0}
    assert read(tmp_path, features=["colour"]).columns == ("colour", "colour")
    numbers = read(tmp_path, target="row", targets="numbers", features=["colour"])
    assert numbers.form.kind == "numbers"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"id": 8}, r"OpenML's table 8 is not under .* \(it was not fetched yet\)"),
        ({}, "row 4 has no value in the column 'size'.*say `missing: impute`"),
        ({"features": ["sise"]}, "no column 'sise'.*'size'"),
        ({"target": "klass", "missing": "impute"}, "table 7: Could not find target_column='klass'"),
        ({"target": "size", "features": ["colour"]}, "has no value in the column 'size'"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, settings, says):
    cache(tmp_path)
    with pytest.raises(DataMissingError, match=says):
        read(tmp_path, **settings)


def test_rows_that_were_not_fetched_are_not_fetched_while_nothing_may_be(tmp_path):
    cache(tmp_path)
    (rows,) = (tmp_path / "openml/openml.org/data/v1/download/7").iterdir()
    rows.unlink()
    with pytest.raises(DataMissingError, match="not fetched yet"):
        read(tmp_path)


def test_a_damaged_cache_is_told_where_it_cannot_be_fetched_again(tmp_path, monkeypatch):
    import sklearn.datasets

    def offline(**_):
        raise OSError("no network")

    cache(tmp_path)
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", offline)
    with pytest.raises(DataMissingError, match=r"could not be had \(OSError: no network\)"):
        read(tmp_path)


def test_iris_as_openml_answered(tmp_path):
    """The answers that scikit-learn keeps for its own tests."""
    package = importlib.util.find_spec("sklearn.datasets.tests.data.openml.id_61")
    folder = Path(package.origin).parent
    for mine, path in (("jd", "61"), ("jdf", "features/61"), ("jdq", "qualities/61")):
        answer = gzip.decompress((folder / f"api-v1-{mine}-61.json.gz").read_bytes())
        keep(tmp_path, f"api/v1/json/data/{path}", answer)
        if mine == "jd":
            url = json.loads(answer)["data_set_description"]["url"]
    (arff,) = folder.glob("data-v1-dl-*.arff.gz")
    keep(tmp_path, url.partition("openml.org/")[2], gzip.decompress(arff.read_bytes()))
    dataset = read(tmp_path, id=61)
    assert len(dataset.examples) + len(dataset.test) == 150
    assert dataset.form.outputs == 3
    assert dataset.columns == ("sepallength", "sepalwidth", "petallength", "petalwidth")


def test_a_suite_of_openml_is_read_from_the_cache(tmp_path):
    suite = "suite: mine\nabout: Mine\ndata:\n" + "".join(
        f"  t{i}: {{name: openml, id: {i}, missing: impute}}\n" for i in (1, 2)
    )
    (tmp_path / "mine.yaml").write_text(suite)
    (tmp_path / "s.yaml").write_text(
        "study: s\nquestion: q\nseeds: 2\ndesign: benchmark\n"
        "workload: {data: digits, model: mlp, epochs: 1}\n"
        "factors:\n  model: {levels: {a: {model: nearest_neighbours}, b: {model: mlp}}}\n"
        "  data: {suite: mine.yaml}\n"
    )
    loaded = load_study(tmp_path / "s.yaml")
    for number in (1, 2):
        cache(tmp_path, number)
    for arm in loaded.arms:
        assert len(data_of(arm.workload["data"]).load_offline(tmp_path).examples) == 48


def test_the_bundled_suite_names_each_table_once():
    assert "openml" in bundled_suites()
