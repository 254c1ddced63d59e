"""Characters, docstrings, tokenizers, and what generated data promise."""

import json

import numpy as np
import pytest
from pydantic import TypeAdapter

from harness.data._words import tokenizer_encoder
from harness.data.docstrings import families
from harness.data.function import sawtooth
from harness.study.workload import DataSetting
from harness.workloads import DataMissingError, fingerprint, load

CHARACTERS = {"name": "characters", "length": 9, "vocabulary": 30, "limit": None,
              "test_limit": None, "validation_fraction": 0.1}  # fmt: skip


def config(**settings):
    return TypeAdapter(DataSetting).validate_json(json.dumps(settings)).model_dump(mode="json")


@pytest.fixture
def rhyme(tmp_path):
    text = "".join("abcdefghij"[i % 10] for i in range(2000)) + "\u00e9" * 300
    (tmp_path / "rhyme.txt").write_text(text, encoding="utf-8")
    return tmp_path


def test_targets_are_the_next_characters_and_windows_share_none(rhyme):
    dataset = load({**CHARACTERS, "source": "rhyme.txt"}, rhyme)
    for part in (dataset.examples, dataset.test):
        assert np.array_equal(part.inputs[:, 1:], part.targets[:, :-1])
    assert len(dataset.examples) + len(dataset.test) == 230
    assert dataset.handling.division == "ordered"
    assert set(dataset.test.inputs.ravel()) == {12}  # the end of the text, and it was known before
    limited = load({**CHARACTERS, "source": "rhyme.txt", "limit": 20, "test_limit": 5}, rhyme)
    assert (len(limited.examples), len(limited.test)) == (20, 5)
    fewer = load({**CHARACTERS, "source": "rhyme.txt", "test_limit": 5}, rhyme)
    assert np.array_equal(fewer.test.inputs, dataset.test.inputs[:5])


def test_what_only_the_test_part_has_is_unknown(rhyme):
    file = rhyme / "rhyme.txt"
    file.write_text(file.read_text(encoding="utf-8")[:2000] + "?" * 100, encoding="utf-8")
    dataset = load({**CHARACTERS, "source": "rhyme.txt"}, rhyme)
    assert dataset.test.inputs[-1].tolist() == [1] * 9


def test_missing_texts_say_what_to_do(rhyme):
    with pytest.raises(DataMissingError, match=r"input.txt.*--data-root"):
        load({**CHARACTERS, "source": "tinyshakespeare"}, rhyme)
    with pytest.raises(DataMissingError, match=r"no text 'tinyshakespear'.*'tinyshakespeare'"):
        load({**CHARACTERS, "source": "tinyshakespear"}, rhyme)
    with pytest.raises(DataMissingError, match="too few for windows of 900"):
        load({**CHARACTERS, "source": "rhyme.txt", "length": 900}, rhyme)
    assert fingerprint({**CHARACTERS, "source": "nowhere.txt"}, rhyme) is None


def test_docstrings_are_two_balanced_families_of_different_sentences():
    networks, types = families()
    assert len(networks) == len(types) > 1500
    assert not set(networks) & set(types)
    words = [" ".join(part).lower() for part in (networks, types)]
    assert words[0].count("server") > 10 * words[1].count("server")
    assert words[1].count("decimal") > 3 * words[0].count("decimal")


def test_sentences_of_one_file_and_neighbouring_windows_are_clusters(tmp_path):
    docstrings = load(config(name="docstrings", test_limit=200), tmp_path)
    clusters = docstrings.test.clusters
    assert len(clusters) == len(docstrings.test)
    assert 20 < len(np.unique(clusters)) < 200
    # no file is of both families
    of_class = [set(clusters[docstrings.test.targets == label]) for label in (0, 1)]
    assert not of_class[0] & of_class[1]
    characters = load(config(name="characters", test_limit=30), tmp_path)
    assert characters.test.clusters.tolist() == [min(i // 4, 6) for i in range(30)]


def vocabulary_folder(folder, padding):
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast

    others = iter(range(10))
    ids = {word: next(others) for word in ([padding, "[UNK]", "a", "film"])}
    ids.setdefault("[PAD]", next(others))
    tokenizer = Tokenizer(WordLevel(ids, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]")
    fast.save_pretrained(folder)
    (folder / "config.json").write_text('{"model_type": "bert"}')
    return str(folder)


def test_a_tokenizer_takes_the_place_of_our_vocabulary(tmp_path):
    name = vocabulary_folder(tmp_path / "words", "[PAD]")
    encoder, size = tokenizer_encoder(name, 4)
    assert size == 4
    assert encoder(["a film", "film a film b film"]).tolist() == [[2, 3, 0, 0], [3, 2, 3, 1]]
    settings = config(name="docstrings", tokenizer=name, length=4, limit=20, test_limit=10)
    dataset = load(settings, tmp_path)
    assert dataset.form.vocabulary == 4
    assert dataset.examples.inputs.max() < 4
    before = fingerprint(settings, tmp_path)
    file = tmp_path / "words" / "tokenizer.json"
    file.write_text(file.read_text() + " ")
    assert fingerprint(settings, tmp_path) != before


def test_padding_must_be_id_0(tmp_path):
    name = vocabulary_folder(tmp_path / "words", "first")
    with pytest.raises(DataMissingError, match="pads with id 4"):
        tokenizer_encoder(name, 4)
    with pytest.raises(DataMissingError, match="no folder"):
        tokenizer_encoder("./nowhere/at/all", 4)


@pytest.mark.parametrize("distractors", [None, 4])
def test_recall_asks_for_the_first_symbol(tmp_path, distractors):
    settings = config(name="recall", lag=12, symbols=3, distractors=distractors)
    dataset = load(settings, tmp_path)
    rows = np.concatenate([dataset.examples.inputs, dataset.test.inputs])
    targets = np.concatenate([dataset.examples.targets, dataset.test.targets])
    assert np.array_equal(rows[:, 0] - 2, targets)
    assert (rows[:, -1] == 1).all()
    between = set(rows[:, 1:-1].ravel())
    assert between == ({2, 3, 4} if distractors is None else {5, 6, 7, 8})
    assert len(np.unique(rows, axis=0)) == len(rows)
    assert np.bincount(dataset.test.targets).tolist() == [167, 167, 166]


def test_adding_marks_two_numbers_one_in_each_half(tmp_path):
    dataset = load(config(name="adding", length=9), tmp_path)
    values, marks = dataset.test.inputs[..., 0], dataset.test.inputs[..., 1]
    assert (marks[:, :4].sum(axis=1) == 1).all()
    assert (marks[:, 4:].sum(axis=1) == 1).all()
    assert dataset.test.targets[:, 0] == pytest.approx((values * marks).sum(axis=1), abs=1e-6)
    constant = ((dataset.test.targets - 1) ** 2).mean()
    assert constant == pytest.approx(1 / 6, abs=0.02)


def test_a_sawtooth_has_as_many_pieces_as_its_folds_say():
    grid = np.linspace(-1, 1, 2**10 + 1)[:, None]
    for folds in (1, 2, 4):
        slopes = np.sign(np.diff(sawtooth(grid, folds)))
        assert 1 + (np.diff(slopes) != 0).sum() == 2**folds
        assert sawtooth(grid, folds).min() == -1
        assert sawtooth(grid, folds).max() == 1
