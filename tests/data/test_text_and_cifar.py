"""Data sets in files of our own making, in the layout of the real ones; then the real ones."""

import io
import os
from pathlib import Path

import numpy as np
import pytest

from harness.data._selection import locked_split
from harness.data._words import count_vocabulary, encode, tokens
from harness.trial import Phase
from harness.workloads import DataMissingError, fingerprint, load, summary

TEXT = {"name": "rt_polarity", "length": 8, "vocabulary": 500, "limit": None}
CIFAR10 = {"name": "cifar10", "limit": None}
REAL = os.environ.get("HARNESS_DATA", "")


@pytest.fixture
def reviews(tmp_path):
    folder = tmp_path / "rt-polarity"
    folder.mkdir()
    for end, word in (("pos", "splendid"), ("neg", "dreary")):
        lines = [f"{word} caf\xe9 {word}{i} , isn't it ?" for i in range(60)]
        (folder / f"rt-polarity.{end}").write_bytes("\n".join([*lines, ""]).encode("latin-1"))
    return tmp_path


@pytest.fixture
def pictures(tmp_path):
    from PIL import Image
    from pyarrow import parquet, table

    (tmp_path / "cifar10").mkdir()
    generator = np.random.default_rng(0)
    for part, count in (("train", 40), ("test", 20)):
        rows = []
        for index in range(count):
            pixels = generator.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            pixels[0, 0] = [index, 7, 9]
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "PNG")
            rows.append({"bytes": file.getvalue(), "path": None})
        labels = [index % 10 for index in range(count)]
        parquet.write_table(
            table({"image": rows, "label": labels}), tmp_path / "cifar10" / f"{part}.parquet"
        )
    return tmp_path


def test_a_sentence_is_cut_into_words_and_signs():
    assert tokens("It isn't CAF\xc9-fare, is it?") == [
        "it", "isn't", "caf\xe9", "-", "fare", ",", "is", "it", "?",
    ]  # fmt: skip


def test_ids_go_by_frequency_then_alphabet_and_stay_below_the_size():
    vocabulary = count_vocabulary([["b", "a", "c"], ["c", "b"], ["c"]], 4)
    assert vocabulary == {"c": 2, "b": 3}
    ids = encode([["a", "b"], ["c"] * 5], vocabulary, 3)
    assert ids.tolist() == [[1, 3, 0], [2, 2, 2]]


def test_sentences_have_a_fixed_stratified_test_split(reviews):
    dataset = load(TEXT, reviews)
    assert (len(dataset.examples), len(dataset.test)) == (96, 24)
    assert np.bincount(dataset.test.targets).tolist() == [12, 12]
    assert dataset.examples.inputs.shape == (96, 8)
    assert np.issubdtype(dataset.examples.inputs.dtype, np.integer)
    assert dataset.for_phase(Phase.SEARCH).test is None
    again = load(TEXT, reviews)
    assert np.array_equal(dataset.test.inputs, again.test.inputs)
    limited = load(TEXT | {"limit": 10}, reviews)
    assert len(limited.examples) == 10
    assert set(limited.examples.targets) == {0, 1}
    assert len(limited.test) == 24


def test_the_vocabulary_has_no_word_of_the_test_split_alone(reviews):
    # every sentence holds one word of its own: in the test split all of them must be unknown
    dataset = load(TEXT, reviews)
    assert (dataset.test.inputs == 1).sum(axis=1).tolist() == [1] * 24
    assert (dataset.examples.inputs == 1).sum() == 0
    changed = reviews / "rt-polarity" / "rt-polarity.pos"
    lines = changed.read_bytes().split(b"\n")
    _, test = locked_split(np.repeat([0, 1], 60), 0.2)
    place = int(test[test >= 60][0]) - 60
    lines[place] = b"zebra zebra zebra"
    changed.write_bytes(b"\n".join(lines))
    after = load(TEXT, reviews)
    assert np.array_equal(after.examples.inputs, dataset.examples.inputs)
    assert not np.array_equal(after.test.inputs, dataset.test.inputs)


def test_the_fingerprint_knows_bytes_and_settings(reviews):
    before = fingerprint(TEXT, reviews)
    assert before == fingerprint(TEXT, reviews) == load(TEXT, reviews).fingerprint
    for change in ({"length": 9}, {"vocabulary": 400}, {"limit": 50}):
        assert fingerprint(TEXT | change, reviews) != before
    assert fingerprint(TEXT | {"validation_fraction": 0.3}, reviews) == before
    file = reviews / "rt-polarity" / "rt-polarity.neg"
    file.write_bytes(file.read_bytes().replace(b"dreary3 ", b"dreary4 "))
    assert fingerprint(TEXT, reviews) != before


def test_missing_sentences_say_what_to_do(tmp_path):
    assert fingerprint(TEXT, tmp_path) is None
    with pytest.raises(DataMissingError, match=r"rt-polarity\.pos and .*--data-root or \$HARNESS"):
        load(TEXT, tmp_path)


def test_cifar10_is_decoded_from_its_tables(pictures):
    dataset = load(CIFAR10, pictures)
    assert dataset.examples.inputs.shape == (40, 3, 32, 32)
    assert dataset.examples.inputs.dtype == np.uint8
    first = dataset.test.inputs[:, :, 0, 0]
    assert np.allclose(first, [[index, 7, 9] for index in range(20)])
    assert dataset.test.targets.tolist() == [index % 10 for index in range(20)]
    assert dataset.for_phase(Phase.SEARCH).test is None
    assert len(load(CIFAR10 | {"limit": 22}, pictures).examples) == 22
    before = fingerprint(CIFAR10, pictures)
    assert dataset.fingerprint == before
    file = pictures / "cifar10" / "test.parquet"
    file.write_bytes(file.read_bytes() + b" ")
    assert fingerprint(CIFAR10, pictures) != before


@pytest.mark.parametrize(
    ("config", "folder"),
    [(TEXT | {"length": 40, "vocabulary": 10_000}, "rt-polarity"),
     (CIFAR10 | {"limit": 1000}, "cifar10")],
)  # fmt: skip
def test_the_real_files_have_the_sizes_that_are_declared(config, folder):
    if not REAL or not (Path(REAL) / folder).is_dir():
        pytest.skip("HARNESS_DATA names no folder with these files")
    dataset = load(config, Path(REAL))
    known = summary(config)
    assert (len(dataset.examples), len(dataset.test)) == (known.examples, known.test)
    assert dataset.examples.inputs.shape[1:] == known.form.shape
    if known.form.vocabulary:
        assert dataset.examples.inputs.max() == known.form.vocabulary - 1
        assert dataset.test.inputs.max() < known.form.vocabulary


def test_windows_that_are_spread_come_from_the_whole_text(tmp_path):
    every = load({"name": "characters"}, tmp_path)
    few, more = (
        load({"name": "characters", "limit": n, "spread": True}, tmp_path) for n in (9, 99)
    )
    for one in (few, more):
        assert np.array_equal(one.test.targets, every.test.targets)  # one vocabulary
        rows = {row.tobytes(): place for place, row in enumerate(every.examples.inputs)}
        places = np.array([rows[row.tobytes()] for row in one.examples.inputs])
        assert (np.diff(places) > 0).all()
        assert places[0] == 0
        assert places[-1] >= len(rows) * (1 - 1.5 / len(places))
