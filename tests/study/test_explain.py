"""A value that may take several forms is explained once."""

import pytest

from harness.study import InputError, load_study

HEAD = "study: u\nquestion: q\n"


@pytest.mark.parametrize(
    ("line", "sentences"),
    [
        (
            "workload: {data: digits, model: {name: mlp, dropout: high}}",
            ["workload.model.dropout: expected a number or a list"],
        ),
        (
            "workload: {data: digits, model: mlp, optimizer: adam}\n"
            "search: {candidates: 3, space: {optimizer.lr: {log: [1.0, a]}}}",
            ["search.space.optimizer.lr.log[1]: expected a number, found \"a\""],
        ),
        (
            "workload: {data: digits, model: mlp, optimizer: adam}\n"
            "search: {candidates: 3, space: {optimizer.lr: {log: [1.0, 2.0], step: 3}}}",
            ["unknown key 'step'"],
        ),
    ],
)  # fmt: skip
def test_each_mistake_is_told_once(tmp_path, line, sentences):
    file = tmp_path / "u.yaml"
    file.write_text(HEAD + line + "\n")
    with pytest.raises(InputError) as error:
        load_study(file)
    found = [str(problem) for problem in error.value.problems]
    assert len(found) == len(sentences)
    for text, sentence in zip(found, sentences, strict=True):
        assert sentence in text
        assert "u.yaml:" in text
