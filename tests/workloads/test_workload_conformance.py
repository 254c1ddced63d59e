"""Every data set that needs no file keeps the promises that all of them make."""

import json

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from harness.study.components import DATA, Data
from harness.trial import Phase
from harness.workloads import count_duplicates, fingerprint, load, split, summary

DATA_TYPE = TypeAdapter(Data)
FILES = {  # need files; they have tests of their own
    "mnist", "cifar10", "rt_polarity", "image_folder", "image_parquet", "table_file", "texts",
    "arrays", "torchvision", "huggingface",
}  # fmt: skip
CONFIGS = [
    *sorted(set(DATA) - FILES),
    {"name": "digits", "classes": [7, 2, 5], "limit": 20},
    {"name": "docstrings", "limit": 200, "test_limit": 50, "length": 12},
    {"name": "characters", "limit": 50, "test_limit": 9, "length": 20},
    {"name": "recall", "lag": 40, "distractors": 5, "symbols": 3},
    {"name": "adding", "length": 7},
    {"name": "function", "target": "ripple"},
    {"name": "function", "target": "sawtooth", "folds": 5},
    *({"name": "series", "source": source} for source in ("co2", "nile", "elnino")),
    {"name": "series", "horizon": 3, "limit": 100, "window": 12},
    *({"name": "table", "source": source} for source in ("wine", "iris", "diabetes")),
    {"name": "table", "source": "wine", "limit": 31},
]


def resolved(config):
    return DATA_TYPE.validate_json(json.dumps(config)).model_dump(mode="json")


@pytest.fixture(scope="module", params=CONFIGS, ids=json.dumps)
def loaded(request, tmp_path_factory):
    config = resolved(request.param)
    return config, load(config, tmp_path_factory.getbasetemp())


def test_sizes_and_form_are_those_declared(loaded):
    config, dataset = loaded
    known, form = summary(config), dataset.form
    assert form == known.form
    assert len(dataset.test) == known.test
    # what a version of Python bundles is estimated
    slack = 0.05 * known.examples if config["name"] in ("docstrings", "characters") else 0
    assert len(dataset.examples) == pytest.approx(known.examples, abs=slack)
    assert DATA_TYPE.validate_python(config).kind == form.kind


def test_inputs_and_targets_have_their_form(loaded):
    _, dataset = loaded
    form = dataset.form
    for part in (dataset.examples, dataset.test):
        assert part.inputs.shape == (len(part), *form.shape)
        if form.vocabulary is not None:
            assert part.inputs.dtype == np.int64
            assert 0 <= part.inputs.min() <= part.inputs.max() < form.vocabulary
        else:
            assert part.inputs.dtype == np.float32
            assert np.isfinite(part.inputs).all()
        if form.kind == "numbers":
            assert part.targets.shape == (len(part), form.outputs)
            assert part.targets.dtype == np.float32
            assert np.isfinite(part.targets).all()
        else:
            steps = form.shape if form.kind == "sequence" else ()
            assert part.targets.shape == (len(part), *steps)
            assert part.targets.dtype == np.int64
            assert 0 <= part.targets.min() <= part.targets.max() < form.outputs


def test_loading_again_gives_the_same_bytes(loaded, tmp_path):
    config, dataset = loaded
    again = load(config, tmp_path)
    assert again.fingerprint == dataset.fingerprint == fingerprint(config, tmp_path)
    for part in ("examples", "test"):
        one, other = getattr(dataset, part), getattr(again, part)
        assert np.array_equal(one.inputs, other.inputs)
        assert np.array_equal(one.targets, other.targets)


def test_splits_are_disjoint_and_the_search_sees_no_test_split(loaded):
    config, dataset = loaded
    train, validation = split(
        dataset.examples.targets, config["validation_fraction"], 3, dataset.handling
    )
    assert not set(train) & set(validation)
    assert min(len(train), len(validation)) > 0
    left = len(dataset.examples) - len(train) - len(validation)
    assert left == dataset.handling.gap
    assert dataset.for_phase(Phase.SEARCH).test is None
    assert dataset.for_phase(Phase.CONFIRMATION).test is dataset.test
    if dataset.form.kind == "class":
        assert set(dataset.examples.targets[train]) == set(range(dataset.form.outputs))
    if config["name"] not in ("characters", "docstrings"):  # where texts repeat themselves
        assert count_duplicates(dataset) == 0


def test_the_fingerprint_knows_every_setting_that_decides(tmp_path):
    changes = [
        ("digits", {"limit": 50}), ("digits", {"classes": [1, 2]}), ("docstrings", {"length": 5}),
        ("docstrings", {"test_limit": 9}), ("characters", {"length": 9}), ("recall", {"lag": 9}),
        ("characters", {"limit": 9}), ("recall", {"symbols": 4}), ("adding", {"length": 9}),
        ("function", {"target": "ripple"}), ("function", {"folds": 9}), ("series", {"season": 3}),
        ("series", {"source": "nile"}), ("series", {"window": 30}), ("table", {"source": "wine"}),
        ("series", {"validation_fraction": 0.3}), ("table", {"limit": 60}),
    ]  # fmt: skip
    for name, change in changes:
        before, after = (fingerprint(resolved({"name": name, **more}), tmp_path)
                         for more in ({}, change))  # fmt: skip
        assert before != after, (name, change)
    same = ("digits", {"validation_fraction": 0.4})
    assert fingerprint(resolved(same[0]), tmp_path) == fingerprint(
        resolved({"name": same[0], **same[1]}), tmp_path
    )


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"name": "digits", "limit": 15}, "less than two examples of each of the 10"),
        ({"name": "digits", "classes": [1, 1]}, "stands here twice"),
        ({"name": "digits", "classes": [1, 12]}, "less than or equal to 9"),
        ({"name": "mnist", "classes": [3]}, "at least 2"),
        ({"name": "recall", "lag": 2}, "only 512 different sequences"),
        ({"name": "recall", "examples": 30, "symbols": 20}, "twice the number of `symbols`"),
        ({"name": "series", "source": "co2", "window": 20}, "shorter than a season"),
        ({"name": "table", "source": "wine", "limit": 5}, "less than two rows"),
    ],
)
def test_what_cannot_be_is_refused(config, message):
    with pytest.raises(ValidationError, match=message):
        resolved(config)
