"""What probes show of a network's inside."""

import numpy as np

from harness.exhibit import as_details, exhibit
from harness.trial import State


def test_arrays_and_texts_come_back_as_they_were():
    parts = {"map": np.arange(12).reshape(3, 4), "row": np.array([0.5, 2]), "words": ["a", "b"]}
    details = as_details("probe", parts)
    found = exhibit(details, "probe", list(parts))
    assert found.keys() == parts.keys()
    assert all((found[name] == parts[name]).all() for name in parts)
    assert exhibit(details, "probe", ["map", "other"]) is None
    damaged = details | {"inside.probe.map.shape": [3, 5]}
    assert exhibit(damaged, "probe", ["map"]) is None


def test_a_confusion_matrix_counts_the_whole_test_split(tiny, make_trial, records_of):
    trials = [make_trial(seed, probes=[{"name": "confusion_matrix"}]) for seed in range(2)]
    for record in records_of(trials, tiny):
        assert record.state is State.COMPLETE, record.reason
        counts = exhibit(record.details, "confusion_matrix", ["counts"])["counts"]
        assert counts.shape == (3, 3)
        assert (counts.sum(axis=1) == np.bincount(tiny.test.targets)).all()
        assert np.trace(counts) / counts.sum() == record.metrics["test.accuracy"]
