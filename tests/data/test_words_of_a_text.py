"""A text word by word: the next word is predicted."""

import re

import numpy as np
import pytest

from harness import api
from harness.errors import InputError
from harness.study import load_study
from harness.workloads import load

TEXT = "The cat sat on the mat; the cat's hat isn't on it. " * 60
WORDS = re.findall(r"[\w']+|[^\w\s]", TEXT.lower())


@pytest.fixture
def text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cats.txt").write_text(TEXT)
    return {"name": "characters", "source": "cats.txt", "unit": "words", "length": 7,
            "vocabulary": 50}  # fmt: skip


def test_windows_are_the_words_in_their_order(text, tmp_path):
    data = load(text, tmp_path)
    search = data.examples
    first = search.inputs[0].tolist()
    assert [data.tokens[id_].strip() for id_ in first] == WORDS[:7]
    assert [data.tokens[id_].strip() for id_ in search.targets[0]] == WORDS[1:8]
    assert [data.tokens[id_].strip() for id_ in search.inputs[1]] == WORDS[8:15]  # nothing twice
    assert len({*WORDS}) == len(data.tokens) - 2
    assert np.max(search.inputs) < 50


def test_words_that_are_rare_are_unknown(text, tmp_path):
    data = load({**text, "vocabulary": 5}, tmp_path)
    common = {token.strip() for token in data.tokens[2:]}
    assert len(common) == 3
    assert "the" in common
    unknown = np.mean(data.examples.inputs == 1)
    assert unknown == pytest.approx(
        1 - sum(word in common for word in WORDS) / len(WORDS), abs=0.05
    )


def test_settings_that_contradict_words_are_refused(text):
    study = {"study": "w", "question": "q", "seeds": 2, "claims": [],
             "workload": {"data": text, "model": "transformer", "epochs": 1}}  # fmt: skip
    for more, why in (
        ({"vocabulary": "bytes"}, "vocabulary: bytes"),
        ({"tokenizer": "x"}, "a tok"),
    ):
        wrong = {**study, "workload": {**study["workload"], "data": {**text, **more}}}
        with pytest.raises(InputError, match=f"unit: words does not go with {why}"):
            load_study(wrong)
    with pytest.raises(InputError, match="is a real one"):
        load_study({**study, "probes": ["text_temperature"]})


def test_a_network_of_words_learns_and_writes(text, tmp_path, unmirrored, undrawn):
    result = api.run(
        {
            "study": "words", "question": "q", "seeds": 2, "claims": [],
            "workload": {
                "data": text, "epochs": 12, "batch_size": 16,
                "model": {"name": "transformer", "layers": 1, "width": 32, "heads": 2},
                "optimizer": {"name": "adam", "lr": 1.0e-2},
            },
            "probes": [{"name": "generated_text", "characters": 30}],
        },
        in_process=True,
    )  # fmt: skip
    rows = result.evidence.set_index("arm")["test.accuracy"]
    assert (rows["baseline"] > 0.9).all()
    assert (rows["simple-baseline"] > 0.5).all()  # counts of the words that came before
    (folder,) = tmp_path.glob("reports/words")
    assert "cat sat on the mat ; the" in (folder / "index.html").read_text()
