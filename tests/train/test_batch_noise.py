"""The noise of batches."""

import numpy as np
import pytest

from harness.probes.batch_noise import noise_scale
from harness.trial import State


def test_the_noise_scale_is_that_of_gradients_whose_covariance_is_known():
    draws = np.random.default_rng(0)
    mean, spread, dimensions = 0.5, 1.0, 200  # trace 200, squared norm 50: a scale of 4
    gradients = mean + spread * draws.standard_normal((4096, dimensions))
    norms = np.linalg.norm(gradients.reshape(512, 8, dimensions).mean(axis=1), axis=1)
    whole = float(np.linalg.norm(gradients.mean(axis=0)))
    assert noise_scale(norms, 8, whole, 4096) == pytest.approx(4.0, rel=0.05)
    assert noise_scale(norms, 4096, whole, 4096) is None
    assert noise_scale([0.1, 0.1], 8, 1.0, 4096) is None


def test_losses_of_small_batches_differ_more(make_trial, records_of, blobs):
    probes = [{"name": "batch_noise", "batches": 32}]
    records = [
        records_of([make_trial(0, batch_size=size, probes=probes)], blobs)[0] for size in (2, 32)
    ]
    assert {record.state for record in records} == {State.COMPLETE}, records[0].reason
    small, large = (record.metrics["probe.step_loss_deviation_start"] for record in records)
    assert small > large > 0
    assert records[0].metrics["probe.largest_step_gradient_end"] > 0
