"""Options of data: what they change, what they leave alone, and what is said of those in vain."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.data import Dataset, Examples, Form, Handling, split, trained_on
from harness.testing.data import resolved
from harness.train.device_data import DeviceData, on_device
from harness.workloads import DataMissingError, data_root, load

CPU = torch.device("cpu")


def loaded(**settings) -> Dataset:
    return load(resolved({"name": "digits", **settings}), data_root())


def test_noise_changes_a_share_of_each_class_outside_the_test_split_and_grows_by_adding():
    clean, some, more = (loaded(label_noise=share) for share in (0.0, 0.2, 0.5))
    wrong = [one.examples.targets != clean.examples.targets for one in (some, more)]
    for share, changed in zip((0.2, 0.5), wrong, strict=True):
        for label in range(10):
            of_class = clean.examples.targets == label
            assert changed[of_class].sum() == round(share * of_class.sum())
    assert not (wrong[0] & ~wrong[1]).any()
    assert (some.examples.targets[wrong[0]] == more.examples.targets[wrong[0]]).all()
    assert np.array_equal(some.test.targets, clean.test.targets)
    assert np.array_equal(some.examples.inputs, clean.examples.inputs)
    with pytest.raises(DataMissingError, match=r"worse than random ones; at most 0\.5"):
        loaded(classes=[3, 5], label_noise=0.6)


def test_rare_classes_lose_examples_where_it_is_said():
    whole = loaded()
    for test in (False, True):
        rare = loaded(imbalance={"classes": [3], "keep": 0.1, "test": test})
        for part, thinned in (("examples", True), ("test", test)):
            before, after = (np.bincount(getattr(d, part).targets) for d in (whole, rare))
            assert after[3] == (round(0.1 * before[3]) if thinned else before[3])
            assert np.array_equal(np.delete(after, 3), np.delete(before, 3))
    with pytest.raises(DataMissingError, match="leaves 1 examples of class 3 outside"):
        loaded(imbalance={"classes": [3], "keep": 0.01})
    same = [resolved({"name": "digits", "imbalance": {"classes": classes, "keep": 0.5}})
            for classes in ([1, 3], [3, 1, 3])]  # fmt: skip
    assert same[0] == same[1]
    assert "imbalance" not in resolved(
        {"name": "digits", "imbalance": {"classes": [1], "keep": 1.0}, "label_noise": 0}
    )


def test_few_labels_are_drawn_evenly_and_leave_the_words_of_all_examples():
    whole, some, few = (loaded(**({"labels": n} if n else {})) for n in (None, 100, 25))
    assert [len(one.examples) for one in (some, few)] == [100, 25]
    assert np.bincount(some.examples.targets).tolist() == [10] * 10
    rows = [{row.tobytes() for row in one.examples.inputs} for one in (few, some, whole)]
    assert rows[0] < rows[1] < rows[2]
    assert np.array_equal(few.test.inputs, whole.test.inputs)
    sentences = {"name": "docstrings", "length": 8, "vocabulary": 300}
    every, labelled, limited = (
        load(resolved({**sentences, **more}), data_root())
        for more in ({}, {"labels": 40}, {"limit": 40})
    )
    assert every.tokens == labelled.tokens != limited.tokens
    assert len(labelled.examples) == len(limited.examples) == 40
    assert np.array_equal(every.test.inputs, labelled.test.inputs)
    with pytest.raises(ValueError, match="leaves less than two examples of each of the 10"):
        resolved({"name": "digits", "labels": 19})


def test_a_thinner_data_set_keeps_its_groups_and_its_own_validation_part():
    from harness.data._options.base import without

    labels = np.array([0, 0, 1, 1, 0])
    examples = Examples(np.arange(5.0)[:, None], labels)
    groups, validation = np.array([7, 7, 8, 8, 9]), np.array([1, 3])
    whole = Dataset("d", Form((1,), 2), examples, examples,
                    Handling(groups=groups, validation=validation))  # fmt: skip
    left = without(whole, np.array([0, 3]))
    assert left.examples.inputs.ravel().tolist() == [1, 2, 4]
    assert left.handling.groups.tolist() == [7, 8, 9]
    assert left.handling.validation.tolist() == [0]


def test_what_leaks_is_trained_on_and_validated_too():
    dataset = loaded(leak={"duplicates": 0.5})
    placed = DeviceData(dataset.examples, CPU, dataset.handling)
    honest = DeviceData(dataset.examples, CPU).division(0.2, 3)
    leaky = placed.division(0.2, 3)
    assert np.array_equal(leaky.validation, honest.validation)
    more = leaky.train[len(honest.train) :]
    assert np.array_equal(leaky.train[: len(honest.train)], honest.train)
    assert set(more) <= set(honest.validation)
    assert len(set(more)) == len(more) == round(0.5 * len(honest.validation))
    assert (leaky.mean, leaky.scale) == (honest.mean, honest.scale)


def test_statistics_of_all_examples_or_none():
    dataset = loaded()

    def mean_and_scale(**changed):
        handling = replace(dataset.handling, **changed)
        division = on_device(dataset.examples, CPU, handling).division(0.2, 0)
        return division.mean, division.scale

    training, everything = mean_and_scale(), mean_and_scale(statistics="open")
    assert everything[0] == pytest.approx(float(dataset.examples.inputs.mean()), rel=1e-6)
    assert training[0] != everything[0]
    raw = loaded(normalize=False)
    assert mean_and_scale(normalization=raw.handling.normalization) == (0.0, 1.0)
    with pytest.raises(DataMissingError, match="never normalized by the training part; leave it"):
        load(resolved({"name": "ring", "normalize": False}), data_root())


def test_a_leaking_target_stands_in_the_input_and_is_random_in_the_test_split():
    clean, told = loaded(), loaded(leak={"target": 0.8})
    cues = {
        part: getattr(told, part).inputs.reshape(-1, 64)[:, :10].argmax(axis=1)
        for part in ("examples", "test")
    }
    right = (cues["examples"] == told.examples.targets).mean()
    assert right == pytest.approx(0.8 + 0.2 / 10, abs=0.03)
    assert (cues["test"] == told.test.targets).mean() == pytest.approx(0.1, abs=0.05)
    for part in ("examples", "test"):
        before, after = (getattr(one, part).inputs.reshape(-1, 64) for one in (clean, told))
        assert np.array_equal(before[:, 10:], after[:, 10:])
        assert (after[:, :10].sum(axis=1) == 1).all()
    table = load(
        resolved({"name": "table", "source": "wine", "leak": {"target": 1.0}}), data_root()
    )
    assert np.array_equal(table.examples.inputs[:, 0], table.examples.targets)


def test_rare_classes_are_repeated_in_the_training_part_alone():
    targets = np.array([0] * 20 + [1] * 6 + [2] * 10)
    handling = Handling(oversample=True)
    train, validation = split(targets, 0.2, 5, handling)
    repeated = trained_on(targets, train, validation, 5, handling)
    assert np.bincount(targets[repeated]).tolist() == [16, 16, 16]
    assert set(repeated) == set(train)
    times = np.bincount(repeated)[train[targets[train] == 1]]  # five examples, sixteen times
    assert sorted(times.tolist()) == [3, 3, 3, 3, 4]
    assert np.array_equal(repeated, trained_on(targets, train, validation, 5, handling))
    assert np.array_equal(train, trained_on(targets, train, validation, 5, Handling()))
