"""Pictures of two digits in noise, the pixels of the digits, and how well these are found."""

import numpy as np
from sklearn.datasets import load_digits
from torch.nn import functional

SIDE = 16


def pictures(count: int = 240, noise: float = 0.35):
    """Return pictures (n, 1, 16, 16) and numbers (n, 256): 1 for each pixel of a digit, or 0."""
    generator = np.random.default_rng(0)
    digits = load_digits().images / 16
    clean = np.zeros((count, SIDE, SIDE), np.float32)
    for picture in clean:
        for left in (0, 8):  # side by side, each at a height of its own
            top = generator.integers(SIDE - 8 + 1)
            picture[top : top + 8, left : left + 8] = digits[generator.integers(len(digits))]
    masks = (clean > 0.4).astype(np.float32).reshape(count, -1)
    noisy = clean + noise * generator.normal(size=clean.shape)
    return noisy[:, None].astype(np.float32), masks


def cross_entropy(outputs, targets):
    """Return the mean cross entropy of pixels; targets are standardized: above 0 where one is."""
    return functional.binary_cross_entropy_with_logits(outputs, (targets > 0).float())


def overlap(outputs, targets):
    """Return the intersection over union of the pixels that are found and those of digits."""
    found, wanted = outputs > 0, targets > 0
    return (found & wanted).sum() / (found | wanted).sum().clamp(min=1)


overlap.goal = "maximize"
