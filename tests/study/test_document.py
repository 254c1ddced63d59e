import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InputError
from harness.study.document import assign, parse_document, parse_value


def test_scalars_follow_the_core_schema():
    text = "a: 1e-3\nb: no\nc: true\nd: null\ne: 012\nf: '1'\ng: -2.5\nh: 1.0e+2\ni: relu"
    data = parse_document(text).data
    assert data == {
        "a": 0.001, "b": "no", "c": True, "d": None, "e": 12, "f": "1", "g": -2.5, "h": 100.0,
        "i": "relu",
    }  # fmt: skip


def test_positions_count_from_one():
    document = parse_document("a: 1\nb:\n  - x\n  - {c: 2}\n")
    assert document.positions["a",] == (1, 4)
    assert document.positions["b", 1, "c"] == (4, 9)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("# only a comment", "is empty"),
        ("- a\n- b", "must be a mapping"),
        ("a: [1, 2", "is not valid YAML"),
        ("a: b: c", "is not valid YAML"),
        ("a: 1\na: 2", "stands here twice"),
        ("a: !!python/object/apply:os.system [ls]", "tag 'tag:yaml.org,2002:python"),
        ("a: !custom x", "tag '!custom'"),
        ("a: !!binary aGk=", "is not allowed"),
        ("base: &b {x: 1}\na: {<<: *b}", "merge keys"),
        ("a: .inf", "not allowed"),
        ("a: .nan", "not allowed"),
        ("a: 1e999", "too large"),
        ("a: 99999999999999999999", "too long"),
        ("? [a, b]\n: 1", "a key must be a word"),
        ("a: &x [*x]", "nested more than"),
        ("a: " + "[" * 60 + "]" * 60, "nested more than"),
        (BOMB, "unfolds to more than"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(InputError, match=message.replace("'", ".")) as error:
        parse_document(text, "study.yaml")
    assert "study.yaml" in str(error.value)


@given(st.text(max_size=200))
def test_no_text_gives_anything_but_data_or_an_input_error(text):
    with contextlib.suppress(InputError):
        parse_document(text)


def test_values_of_set():
    assert parse_value("[1, 2]") == [1, 2]
    assert parse_value("1e-3") == 0.001
    assert parse_value("relu") == "relu"


def test_assign_reaches_into_names_lists_and_dotted_keys():
    data = {"model": "mlp", "space": {"optimizer.lr": 1}, "claims": [{"a": 1}]}
    assign(data, "model.depth", 3)
    assign(data, "space.optimizer.lr", 2)
    assign(data, "claims.0.a", 5)
    assign(data, "new.path", {"x": 1})
    assert data == {
        "model": {"name": "mlp", "depth": 3},
        "space": {"optimizer.lr": 2},
        "claims": [{"a": 5}],
        "new": {"path": {"x": 1}},
    }
    with pytest.raises(KeyError):
        assign(data, "claims.7.a", 1)
