"""What a workload can ask of training beside its optimizer, in packs as alone."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.augmentations import augmentations
from harness.metrics import metric_of
from harness.train.augmentation import Augmented
from harness.train.updates import clipped
from harness.trial import Phase, State

RATES = [1e-3, 1e-3, 0.02, 0.005]
FAST = {"name": "sgd", "lr": 0.3}


def parts(records):
    assert {record.state for record in records} == {State.COMPLETE}, records[0].reason
    return [record.deterministic_part() for record in records]


FEATURES = [
    {"clip": 0.05},
    {"keep": "last"},
    {"early_stopping": {"patience": 1}, "epochs": 12},
    {"early_stopping": {"patience": 1}, "keep": "last", "epochs": 12},
    {"early_stopping": {"patience": 1, "metric": "validation.loss"}, "epochs": 12},
    {"l1": 0.05},
    {"l1": 0.05, "transfer": {"freeze": 2, "unfreeze_every": 2, "rate_decay": 0.3}, "epochs": 6},
    {"clear_gradients": False, "clip": 0.5, "early_stopping": {"patience": 1}, "epochs": 8},
    {"transfer": {"freeze": "features"}},
    {"transfer": {"freeze": 1, "rate_decay": 0.5}},
    {"transfer": {"freeze": 2, "unfreeze_every": 2, "rate_decay": 0.3}, "epochs": 6},
    {"transfer": {"rate_decay": 0.5}, "clip": 0.1, "early_stopping": {"patience": 2}},
]


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: "-".join(map(str, feature)))
def test_a_pack_with_a_feature_is_its_trials_alone(of_each_kind, records_of, feature):
    data, make = of_each_kind
    trials = [make(seed, optimizer={"lr": lr}, **feature) for seed, lr in enumerate(RATES)]
    packed = records_of(trials, data)
    assert packed[0].cost["pack_size"] == 4
    assert parts(packed) == parts(records_of(trials, data, largest_pack=1))
    plain = records_of([make(0, optimizer={"lr": RATES[0]}, epochs=feature.get("epochs", 3))], data)
    if "early_stopping" not in feature and "keep" not in feature:
        assert packed[0].metrics != plain[0].metrics


OF_CLASSES = [
    {"loss": {"name": "cross_entropy", "label_smoothing": 0.2}},
    {"loss": {"name": "cross_entropy", "class_weights": "balanced"}},
    {"loss": {"name": "one_hot_squared_error", "class_weights": "balanced", "softmax": True}},
    {"loss": "one_hot_squared_error", "augmentation": {"mixup": 1.0}},
    {"augmentation": {"mixup": 0.4}, "loss": {"name": "cross_entropy", "label_smoothing": 0.1}},
]


@pytest.mark.parametrize("feature", OF_CLASSES, ids=str)
def test_a_pack_with_a_feature_of_classes_is_its_trials_alone(
    make_trial, records_of, blobs, feature
):
    trials = [make_trial(seed, optimizer={"lr": lr}, **feature) for seed, lr in enumerate(RATES)]
    packed = records_of(trials, blobs)
    assert packed[0].cost["pack_size"] == 4
    assert parts(packed) == parts(records_of(trials, blobs, largest_pack=1))


def test_keep_last_reports_the_last_epoch(make_trial, records_of, blobs):
    best, last = records_of(
        [make_trial(0, optimizer=FAST, epochs=9, keep=keep) for keep in ("best", "last")], blobs
    )
    assert best.selected_epoch < 9
    assert last.selected_epoch == 9
    for record in (best, last):
        point = record.curve[record.selected_epoch - 1]
        assert record.metrics["validation.loss"] == point["validation.loss"]


def test_early_stopping_leaves_after_its_patience_with_the_best_weights(
    make_trial, records_of, blobs
):
    trials = [
        make_trial(seed, optimizer=FAST, epochs=40, early_stopping={"patience": 3})
        for seed in range(6)
    ]
    records = records_of(trials, blobs)
    assert len({record.cost["epochs"] for record in records}) > 1
    for record in records:
        epochs = len(record.curve)
        assert record.cost["epochs"] == epochs < 40
        assert record.selected_epoch == epochs - 3
        assert "test.accuracy" in record.metrics
        best = max(point["validation.accuracy"] for point in record.curve)
        assert record.metrics["validation.accuracy"] == best
        assert record.cost["steps"] == epochs * 4


def test_stop_rules_prune_what_is_worse_and_nothing_else(make_trial, records_of, blobs):
    rule = {"epoch": 2, "metric": "validation.loss", "worse_than": 0.9}
    trials = [
        make_trial(0, optimizer={"lr": lr}, epochs=4, stop_rules=[rule], phase=Phase.SEARCH)
        for lr in (1e-6, 0.05, 2e-6)
    ]
    bad, good, again = records_of(trials, replace(blobs, test=None))
    assert [bad.state, good.state, again.state] == [State.PRUNED, State.COMPLETE, State.PRUNED]
    assert (bad.cost["epochs"], good.cost["epochs"]) == (2, 4)
    assert "validation.loss was" in bad.reason
    assert len(bad.curve) == 2
    point = bad.curve[bad.selected_epoch - 1]
    assert bad.metrics["validation.accuracy"] == point["validation.accuracy"]
    assert all(name.startswith("validation.") for name in bad.metrics)
    unruled = make_trial(0, optimizer={"lr": 0.05}, epochs=4, phase=Phase.SEARCH)
    (free,) = records_of([unruled], replace(blobs, test=None))
    assert free.metrics == good.metrics


def test_a_rule_about_what_is_not_measured_is_told(make_trial, records_of, blobs):
    rule = {"epoch": 1, "metric": "validation.bits", "worse_than": 0.9}
    (record,) = records_of([make_trial(0, stop_rules=[rule])], blobs)
    assert record.state is State.FAILED
    assert "an epoch has no validation.bits" in record.reason


def test_every_end_tells_the_epochs_it_took(make_trial, records_of, blobs):
    wild = make_trial(0, optimizer={"name": "sgd", "lr": 1e30}, epochs=5)
    diverged, complete = records_of([wild, make_trial(0)], blobs)
    assert diverged.state is State.DIVERGED
    assert diverged.cost["epochs"] == len(diverged.curve) + 1
    assert complete.cost["epochs"] == 3


def test_clipping_bounds_each_members_gradient_by_its_own_norm():
    generator = torch.Generator().manual_seed(0)
    gradients = [
        torch.randn(shape, generator=generator) * torch.tensor([0.01, 3.0]).view(2, *[1] * more)
        for shape, more in [((2, 5, 4), 2), ((2, 7), 1), ((2,), 0)]
    ]
    ours = clipped(gradients, torch.tensor([1.0, 1.0]))
    for row in range(2):
        alone = [gradient[row] for gradient in gradients]
        norm = torch.linalg.vector_norm(torch.cat([gradient.flatten() for gradient in alone]))
        for mine, given in zip(ours, alone, strict=True):
            torch.testing.assert_close(mine[row], given / max(float(norm), 1.0))
    assert norm > 1
    assert all(torch.equal(mine[0], given[0]) for mine, given in zip(ours, gradients, strict=True))


# --- augmentation -----------------------------------------------------------------------------
def test_shifts_and_flips_are_those_that_were_drawn():
    images = torch.arange(2 * 30 * 2 * 4 * 5, dtype=torch.float32).view(2, 30, 2, 4, 5) + 1
    change = Augmented(augmentations({"shift": 2, "flip": True}), [3, 4], (2, 4, 5))
    change.draw(50, images.device)
    found = change.apply(images, 20, torch.zeros(2, 1, 1, 1, 1))
    moves, flips = change._drawn["shift"][:, 20:], change._drawn["flip"][:, 20:]
    assert moves.min() == -2
    assert moves.max() == 2
    assert 0 < flips.float().mean() < 1
    for member in range(2):
        for place in range(30):
            image = images[member, place].numpy()
            image = image[:, :, ::-1] if flips[member, place] else image
            down, right = moves[member, place].tolist()
            padded = np.pad(image, ((0, 0), (2, 2), (2, 2)))
            expected = padded[:, 2 - down : 6 - down, 2 - right : 7 - right]
            assert np.array_equal(found[member, place].numpy(), expected)


def test_augmented_packs_are_their_trials_alone_and_dark_edges_are_dark(
    make_trial, records_of, images, monkeypatch
):
    seen = []
    apply = Augmented.apply

    def watched(self, inputs, start, fill):
        seen.append((inputs.shape[0], fill.flatten(1)[:, 0].tolist()))
        return apply(self, inputs, start, fill)

    monkeypatch.setattr(Augmented, "apply", watched)
    change = {"shift": 1, "flip": True}
    trials = [make_trial(seed, augmentation=change, epochs=2) for seed in range(3)]
    packed = records_of(trials, images)
    assert {members for members, _ in seen} == {3}
    assert len(seen) == 2 * 3  # batches of training, none of validation
    assert all(value < 0 for _, fill in seen for value in fill)  # zero lies below the mean
    assert parts(packed) == parts(records_of(trials, images, largest_pack=1))
    (plain,) = records_of([make_trial(0, epochs=2)], images)
    assert plain.metrics != packed[0].metrics


def test_only_images_are_augmented(make_trial, records_of, blobs):
    (record,) = records_of([make_trial(0, augmentation={"shift": 1, "flip": False})], blobs)
    assert record.state is State.FAILED
    assert "augmentation changes images" in record.reason


def test_curves_know_the_direction_of_their_metrics():
    curve = [{"validation.loss": loss, "validation.accuracy": 1 - loss} for loss in (3, 2, 4)]
    loss, accuracy = metric_of("validation.loss"), metric_of("validation.accuracy")
    assert loss.best_so_far(curve) == [3, 2, 2]
    assert accuracy.best_so_far(curve) == [-2, -1, -1]
    assert loss.is_worse(2.0, 1.0)
    assert not loss.is_worse(2.0, 2.0)
    gap = [{"validation.loss": 3}, {}, {"validation.loss": math.inf}, {"validation.loss": 1}]
    assert loss.best_so_far(gap) == [3, 3, 3, 1]
    assert loss.best({"a": math.nan, "b": 2.0, "c": 1.0, "d": 1.0}) == "c"
    assert metric_of("validation.mse").best({"a": 1.0}) is None
    with pytest.raises(ValueError, match=r"whether a low or a high validation\.mse is better"):
        metric_of("validation.mse").is_worse(1.0, 2.0)
