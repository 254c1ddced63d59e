"""Gradient descent written by hand, on data of its own; it knows nothing of any harness."""

import numpy as np


def train(config, report):
    """Fit a line through noisy points with gradient descent."""
    generator = np.random.default_rng(config["seed"])
    x = np.stack([generator.normal(size=200), 10 * generator.normal(size=200)])
    y = np.array([2.0, -0.3]) @ x + 0.1 * generator.normal(size=200)
    weights, velocity = np.zeros(2), np.zeros(2)
    for _ in range(config["epochs"]):
        for _ in range(10):
            gradient = 2 * (weights @ x[:, :150] - y[:150]) @ x[:, :150].T / 150
            velocity = config["momentum"] * velocity - config["rate"] * gradient
            weights = weights + velocity
        errors = (weights @ x - y) ** 2
        report(error=errors[150:175].mean(), **{"test.error": errors[175:].mean()})
