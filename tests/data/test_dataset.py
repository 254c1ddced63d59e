import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from harness.data._dataset import LOCKED_SEED
from harness.publish import read_file
from harness.trial import Phase
from harness.workloads import (
    DataMissingError,
    count_duplicates,
    data_root,
    fingerprint,
    load,
    split,
    summary,
)

DIGITS = {"name": "digits", "validation_fraction": 0.2}


@given(st.integers(0, 10**9), st.floats(0.05, 0.8))
@settings(max_examples=25, deadline=None)
def test_splits_are_disjoint_whole_and_stratified(seed, fraction):
    targets = np.repeat(np.arange(4), [30, 40, 50, 7])
    train, validation = split(targets, fraction, seed)
    assert sorted([*train, *validation]) == list(range(len(targets)))
    for label, count in zip(range(4), [30, 40, 50, 7], strict=True):
        held_out = (targets[validation] == label).sum()
        assert held_out == max(1, round(fraction * count))


def test_splits_depend_on_the_seed_alone():
    targets = np.arange(200) % 10
    assert np.array_equal(split(targets, 0.2, 5)[0], split(targets, 0.2, 5)[0])
    assert not np.array_equal(split(targets, 0.2, 5)[0], split(targets, 0.2, 6)[0])


def test_digits_are_the_bundled_ones_and_the_search_gets_no_test_split(tmp_path):
    dataset = load(DIGITS, tmp_path)
    known = summary(DIGITS)
    assert (len(dataset.examples), len(dataset.test)) == (known.examples, known.test)
    assert dataset.examples.inputs.shape[1:] == known.form.shape
    assert dataset.examples.inputs.min() >= 0
    assert dataset.examples.inputs.max() <= 1
    assert dataset.for_phase(Phase.SEARCH).test is None
    assert dataset.for_phase(Phase.CONFIRMATION).test is dataset.test
    assert dataset.fingerprint == fingerprint(DIGITS, tmp_path)


def test_digits_are_read_and_divided_as_scikit_learn_does_without_it(tmp_path):
    code = "import sys; from pathlib import Path; from harness.workloads import load;"
    code += f"load({DIGITS}, Path()); sys.exit('sklearn' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    bunch, dataset = load_digits(), load(DIGITS, tmp_path)
    parts = train_test_split(
        np.arange(len(bunch.target)), test_size=0.25, stratify=bunch.target,
        random_state=LOCKED_SEED,
    )  # fmt: skip
    for ours, theirs in zip((dataset.examples, dataset.test), parts, strict=True):
        assert np.array_equal(ours.inputs[:, 0], bunch.images[theirs].astype(np.float32) / 16)
        assert np.array_equal(ours.targets, bunch.target[theirs])


def test_duplicates_between_test_and_the_rest_are_counted(tmp_path):
    dataset = load(DIGITS, tmp_path)
    before = count_duplicates(dataset)
    dataset.test.inputs[:7] = dataset.examples.inputs[:7]
    assert count_duplicates(dataset) == before + 7


def test_a_named_root_must_exist(tmp_path, monkeypatch):
    with pytest.raises(DataMissingError, match="is not a folder"):
        data_root(tmp_path / "nowhere")
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path))
    assert data_root() == tmp_path
    assert fingerprint({"name": "mnist"}, tmp_path) is None


def test_mnist_is_read_from_the_root(tmp_path):
    """Files of our own making, in the layout and format of the real ones."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for prefix, count in (("train", 300), ("t10k", 50)):
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        header = np.array([0x803, count, 28, 28], dtype=">i4").tobytes()
        (raw / f"{prefix}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        header = np.array([0x801, count], dtype=">i4").tobytes()
        (raw / f"{prefix}-labels-idx1-ubyte").write_bytes(header + labels.tobytes())
    config = {"name": "mnist", "limit": None}
    dataset = load(config, tmp_path)
    assert dataset.examples.inputs.shape == (300, 1, 28, 28)
    assert dataset.test.targets.tolist() == [i % 10 for i in range(50)]
    before = fingerprint(config, tmp_path)
    assert dataset.fingerprint == before
    assert len(load(config | {"limit": 100}, tmp_path).examples) == 100
    file = raw / "t10k-labels-idx1-ubyte"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"\x05")
    assert fingerprint(config, tmp_path) != before
    header = whole[:7] + b"\x31"  # one label less
    for wrong in (b"", whole[:-1], b"gone" + whole[4:], header + whole[8:-1], whole[:-1] + b"\x0a"):
        file.write_bytes(wrong)
        with pytest.raises(DataMissingError, match=r"t10k-.*restore"):
            load(config, tmp_path)


def test_real_images_have_the_fingerprints_that_are_published_and_need_no_pytorch():
    root = os.environ.get("HARNESS_DATA", "")
    if not (Path(root) / "MNIST").is_dir():
        pytest.skip("HARNESS_DATA names no folder with MNIST")
    known = {
        mark: config
        for file in (Path(__file__).parents[2] / "results" / "published").glob("*.json.gz")
        if re.search(rb'"name": ?"(mnist|cifar10)"', gzip.decompress(file.read_bytes()))
        for item in read_file(file).items
        if item.record is not None
        and (config := item.record.trial.workload["data"])["name"] in ("mnist", "cifar10")
        and "test_limit" in config  # the rule of the test split before had no limit
        for mark in [item.record.trial.data_fingerprint]
    }
    assert len(known) >= 7
    for mark, config in known.items():
        if (Path(root) / {"mnist": "MNIST"}.get(config["name"], config["name"])).is_dir():
            assert fingerprint(config, Path(root)) == mark
    code = (
        "import sys; from pathlib import Path; from harness.workloads import load;"
        f"load({{'name': 'mnist'}}, Path({root!r})); print('torch' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"
