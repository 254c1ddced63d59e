"""A plan says how files are read and divided, and what about a column is probably not meant."""

import random

import pytest

from harness.data import data_of
from harness.workloads import DataMissingError, load


def write(file, header, rows, separator=","):
    lines = [header, *rows]
    file.write_text("".join(f"{separator.join(map(str, line))}\n" for line in lines))


def days(count):
    return [f"2024-{1 + i // 28:02}-{1 + i % 28:02}" for i in range(count)]


def read(root, **config):
    return data_of(config).reading(root)


def test_the_parts_of_a_series_are_shown_with_rows_dates_and_horizon(tmp_path):
    write(tmp_path / "sales.csv", ["day", "sales"], zip(days(200), range(200), strict=True))
    config = {"name": "series", "source": "sales.csv", "window": 10, "horizon": 5}
    lines = read(tmp_path, **config)
    assert lines == [
        "sales.csv: 200 rows; 'sales' is predicted, 5 rows ahead, from the 10 rows before",
        "  training: rows 1 to 117, 2024-01-01 to 2024-05-05; 103 windows",
        "  validation: rows 118 to 160, 2024-05-06 to 2024-06-20; 29 windows",
        "  test: rows 161 to 200, 2024-06-21 to 2024-08-04; 26 windows",
    ]
    limited = read(tmp_path, **config, limit=60)
    assert limited[1] == "  training: rows 87 to 134, 2024-04-03 to 2024-05-22; 34 windows"
    assert len(load({**config, "limit": 60}, tmp_path).examples) == 60


@pytest.mark.parametrize(
    ("form", "warned"),
    [("{year}-{month:02}-01", True), ("01.{month:02}.{year}", True), ("{year}-{month:02}", True),
     ("{day:02}/{month:02}/{year}", False), ("week {month}", False)],
)  # fmt: skip
def test_rows_against_the_order_of_time_are_told(tmp_path, form, warned):
    months = [form.format(year=2000 + i // 12, month=1 + i % 12, day=1) for i in range(120)]
    write(tmp_path / "s.csv", ["when", "x"], zip(reversed(months), range(120), strict=True))
    lines = read(tmp_path, name="series", source="s.csv")
    assert any("the future predicts the past" in line for line in lines) is warned
    write(tmp_path / "s.csv", ["when", "x"], zip(months, range(120), strict=True))
    assert not [li for li in read(tmp_path, name="series", source="s.csv") if "warning" in li]


COLUMNS = {
    "id": (range(60), "is read as a feature; list the other columns under `features`"),
    "customer": ([random.Random(i).randrange(10**9) for i in range(60)],
                 "'customer' is another whole number in every row"),
    "big": ([2**24 + i % 7 for i in range(60)], "'big' has whole numbers beyond 16,777,216"),
    "age": (["?" if i == 3 else 20 + i % 9 for i in range(60)],
            "'age' is read as kinds, although most of it are numbers; what is none: '?'"),
    "income": ([f'"{1 + i % 9},{100 + i % 20}"' for i in range(60)],
               "written with separators of thousands"),
    "share": ([f'"0,{i % 20}"' for i in range(60)], 'say `decimal: ","`'),
    "name": ([f"n{i}" for i in range(60)], "every row has another 'name'"),
    "same": (["x"] * 60, "'same' is the same in every row"),
}  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
def test_what_about_a_column_is_not_meant_is_told(tmp_path, name):
    values, warning = COLUMNS[name]
    rows = [(value, i % 5, "ab"[i % 2]) for i, value in enumerate(values)]
    write(tmp_path / "t.csv", [name, "fine", "kind"], rows)
    lines = read(tmp_path, name="table_file", path="t.csv", target="kind")
    assert lines[0] == "t.csv: 60 rows; 38 to train, 10 to validate, 12 to test"
    assert lines[1] == "  target kind: 2 kinds: a and b"
    assert lines[3] == "  fine: numbers from 0 to 4"
    warnings = [line for line in lines if line.startswith("warning: ")]
    assert any(warning in line for line in warnings)
    assert not [line for line in warnings if "fine" in line]


def test_texts_that_are_cut_off_are_told(tmp_path):
    rows = [(" ".join(["word"] * (30 if i < 6 else 5)), "ab"[i % 2]) for i in range(60)]
    write(tmp_path / "t.csv", ["text", "label"], rows)
    texts = {"name": "texts", "path": "t.csv"}
    lines = read(tmp_path, **texts, length=20)
    assert lines == [
        "t.csv: 60 texts of 2 kinds; 38 to train, 10 to validate, 12 to test",
        "warning: 6 of 60 texts have more than 20 tokens, and the rest of them is not read;"
        " `length` says how many",
    ]
    assert read(tmp_path, **texts, length=4)[1].startswith("warning: 60 of 60")
    assert len(read(tmp_path, **texts, length=30)) == 1


def test_another_separator_is_suggested_and_can_be_said(tmp_path):
    rows = [(f"{i / 4}".replace(".", ","), "ab"[i % 2]) for i in range(40)]
    write(tmp_path / "t.csv", ["x", "kind"], rows, ";")
    write(tmp_path / "s.csv", ["day", "x"], [(d, f"{i},5") for i, d in enumerate(days(99))], ";")
    table = {"name": "table_file", "path": "t.csv", "target": "kind"}
    for config in (table, {"name": "series", "source": "s.csv"}):
        with pytest.raises(DataMissingError, match='say `separator: ";"`'):
            load(config, tmp_path)
        said = {**config, "separator": ";", "decimal": ","}
        assert load(said, tmp_path).examples.inputs.shape[-1] == 1
    assert "  x: numbers from 0 to 9.75" in read(tmp_path, **table, separator=";", decimal=",")


def test_what_is_not_said_leaves_the_identity_as_it_was(tmp_path):
    for config in ({"name": "series", "source": "s.csv"},
                   {"name": "table_file", "path": "t.csv", "target": "k"}):  # fmt: skip
        assert not {"separator", "decimal"} & data_of(config).decides().keys()
