"""Metrics of the order of all examples are the same in a pack and alone."""

AREAS = ["area_under_roc", "area_under_precision_recall"]


def test_areas_are_measured_in_packs_as_alone(make_trial, records_of, blobs):
    task = {"name": "classification", "also": [*AREAS, "f1"]}
    together = records_of([make_trial(seed, task=task) for seed in range(3)], blobs)
    alone = [records_of([make_trial(seed, task=task)], blobs)[0] for seed in range(3)]
    plain = records_of([make_trial(seed) for seed in range(3)], blobs)
    for one, other, bare in zip(together, alone, plain, strict=True):
        assert one.metrics == other.metrics
        assert 0 < one.metrics["test.area_under_roc"] <= 1
        assert bare.metrics.items() <= one.metrics.items()
