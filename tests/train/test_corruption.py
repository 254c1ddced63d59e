"""Corrupted test images, and a trial that is judged on them."""

import numpy as np
import pytest
import torch

from harness.probes.corruption import CONTRAST, NOISE, SEVERITIES, Corruption, corrupted, pixels
from harness.trial import State


def drawn(images, kind, severity, seed=0):
    return corrupted(images, kind, severity, (0.0, 1.0), torch.Generator().manual_seed(seed))


def test_each_corruption_is_what_it_says():
    images = torch.rand(40, 2, 8, 10, generator=torch.Generator().manual_seed(1))
    for severity in SEVERITIES:
        noisy = drawn(images, "noise", severity)
        assert 0 <= noisy.min() <= noisy.max() <= 1
        flat = drawn(images, "contrast", severity)
        assert torch.allclose(flat.mean(dim=(2, 3)), images.mean(dim=(2, 3)), atol=1e-6)
        ratio = (flat.std(dim=(2, 3)) / images.std(dim=(2, 3))).mean()
        assert ratio == pytest.approx(CONTRAST[severity - 1], rel=1e-4)
        blurred = drawn(images, "blur", severity)
        assert blurred.var() < images.var()
        assert torch.allclose(drawn(torch.ones(1, 1, 8, 8), "blur", severity), torch.tensor(1.0))
    grey = torch.full((200, 1, 8, 8), 0.5)
    assert float((drawn(grey, "noise", 1) - grey).std()) == pytest.approx(NOISE[0], rel=0.02)
    assert torch.equal(drawn(images, "noise", 3, 5), drawn(images, "noise", 3, 5))
    assert not torch.equal(drawn(images, "noise", 3, 5), drawn(images, "noise", 3, 6))
    assert torch.equal(images, torch.rand(40, 2, 8, 10, generator=torch.Generator().manual_seed(1)))


@pytest.mark.parametrize(("side", "pixels_moved"), [(8, 2), (64, 4)])
def test_a_shift_moves_whole_pixels_one_of_four_ways(side, pixels_moved):
    image = torch.arange(1.0, side * side + 1).reshape(1, 1, side, side) / side**2
    found = drawn(image.expand(40, 1, side, side), "shift", 2)
    ways = {
        tuple(np.argwhere(one[0].numpy() == 1.0).ravel() - (side - 1)) for one in found
        if (one == 1.0).any()
    }  # fmt: skip
    # the last pixel, the brightest, moves out of the image where it goes down or to the right
    assert ways == {(-pixels_moved, 0), (0, -pixels_moved)}
    assert (found.flatten(1) == 0).sum(1).tolist() == [side * pixels_moved] * 40


def test_bytes_are_scaled_and_other_inputs_refused():
    assert pixels(np.full((1, 1, 2, 2), 255, np.uint8)).max() == 1
    with pytest.raises(ValueError, match=r"needs images, not inputs of shape \(3,\)"):
        pixels(np.zeros((4, 3), np.float32))


def test_a_trial_is_judged_on_corrupted_images(make_trial, records_of, images):
    kept = Corruption(name="corruption", kinds=["shift", "noise", "noise"], severities=[5, 1])
    probes = [kept.for_trial(lambda changed: changed)]
    first, again = (records_of([make_trial(0, probes=probes)], images)[0] for _ in range(2))
    assert first.state is State.COMPLETE, first.reason
    names = [f"probe.corruption_{kind}_{severity}" for kind in ("noise", "shift")
             for severity in (1, 5)]  # fmt: skip
    mean = np.mean([first.metrics[name] for name in names])
    assert first.metrics["probe.corruption_accuracy"] == pytest.approx(mean)
    lost = first.metrics["test.accuracy"] - mean
    assert first.metrics["probe.corruption_loss_of_accuracy"] == pytest.approx(lost, abs=1e-9)
    assert first.deterministic_part() == again.deterministic_part()
    assert "probe.corruption_blur_1" not in first.metrics
