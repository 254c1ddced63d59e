"""How far generated examples are from those of the data: distances, precision, recall, energy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

LARGEST = 2048
"""Rows of a matrix of distances that are made at once."""


def frechet_distance(ours: Tensor, theirs: Tensor) -> float:
    """Return the squared Fréchet distance of two samples, (n, features) each, taken as normal.

    Squared distance of the means plus tr(A + B - 2 (AB)^(1/2)) of the covariances (Dowson and
    Landau 1982; Heusel et al. 2017). By chance it is above 0 for two samples of one distribution,
    the more the smaller they are: compare values of equal counts.
    """
    means, covariances = [], []
    for sample in (ours.double(), theirs.double()):
        means.append(sample.mean(dim=0))
        centred = sample - means[-1]
        covariances.append(centred.T @ centred / (len(sample) - 1))
    one, other = covariances
    values, axes = torch.linalg.eigh(one)
    root = (axes * values.clamp(min=0).sqrt()) @ axes.T
    shared = torch.linalg.eigvalsh(root @ other @ root).clamp(min=0).sqrt().sum()
    apart = (means[0] - means[1]).square().sum()
    return max(0.0, float(apart + one.trace() + other.trace() - 2 * shared))


def kernel_distance(ours: Tensor, theirs: Tensor) -> float:
    """Return the squared maximum mean discrepancy of two samples, (n, features) each.

    The unbiased estimate with the kernel (x·y / features + 1)³ (Bińkowski et al. 2018). By chance
    it may be a little below 0.
    """
    one, other = ours.double(), theirs.double()

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        found: Tensor = (a @ b.T / a.shape[1] + 1) ** 3
        return found

    def within(a: Tensor) -> Tensor:
        every = kernel(a, a)
        return (every.sum() - every.trace()) / (len(a) * (len(a) - 1))

    return float(within(one) + within(other) - 2 * kernel(one, other).mean())


def precision_and_recall(
    drawn: Tensor, real: Tensor, neighbours: int = 3
) -> tuple[float, float, float]:
    """Return precision, recall and coverage of a sample, (n, features) each.

    Precision is the share of drawn examples that lie in the ball of a real one, which reaches to
    its k-th nearest real neighbour; recall the share of real ones in the ball of a drawn one, made
    likewise (Kynkäänniemi et al. 2019, k = 3); coverage the share of real ones whose own ball holds
    a drawn one (Naeem et al. 2020).
    """
    between = torch.cdist(drawn.double(), real.double())
    of_real, of_drawn = _reach(real.double(), neighbours), _reach(drawn.double(), neighbours)
    precision = (between <= of_real[None, :]).any(dim=1)
    recall = (between <= of_drawn[:, None]).any(dim=0)
    covered = between.amin(dim=0) <= of_real
    return tuple(float(part.double().mean()) for part in (precision, recall, covered))  # type: ignore[return-value]


def _reach(points: Tensor, neighbours: int) -> Tensor:
    """Return the distance of each point to its k-th nearest other one, (n,)."""
    count = min(neighbours, len(points) - 1) + 1  # a point is the nearest of itself
    return torch.cdist(points, points).kthvalue(count, dim=1).values


def nearest_distance(points: Tensor, known: Tensor) -> float:
    """Return the mean distance of points (n, numbers) to the nearest of known ones (m, numbers)."""
    parts = [torch.cdist(part, known).amin(dim=1) for part in points.double().split(LARGEST)]
    return float(torch.cat(parts).mean())


def high_frequency_energy(images: Tensor) -> float:
    """Return the mean power of images (n, channels, height, width) at high frequencies.

    High are those that go up and down at least once in four pixels, in any direction: half of the
    highest that pixels can show.
    """
    height, width = images.shape[-2:]
    power = torch.fft.fft2(images.double(), norm="ortho").abs().square()
    down, across = torch.fft.fftfreq(height)[:, None], torch.fft.fftfreq(width)[None, :]
    high = (down.square() + across.square()).sqrt() >= 0.25
    return float(power[..., high.to(power.device)].mean())


def sharpness_gap(drawn: Tensor, real: Tensor) -> float:
    """Return how far the high-frequency energy of two sets of images is apart: |ln ratio|."""
    energies = [max(high_frequency_energy(images), 1e-12) for images in (drawn, real)]
    return abs(math.log(energies[0] / energies[1]))
