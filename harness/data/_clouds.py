"""Normal clouds in the plane, a class for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.data._dataset import LOCKED_SEED, Dataset, Examples, Handling
from harness.data.base import Data
from harness.lazy import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def draw_clouds(data: Data, centres: NDArray[np.float64], deviation: float) -> Dataset:
    """Draw points evenly from clouds around these centres, (clouds, 2); each cloud is a class."""
    generator = np.random.default_rng(LOCKED_SEED)
    parts = []
    for count in data.sizes():
        modes = np.arange(count) % len(centres)
        points = centres[modes] + deviation * generator.standard_normal((count, 2))
        parts.append(Examples(points.astype(np.float32), modes.astype(np.int64)))
    return Dataset(data.name, data.form, parts[0], parts[1], Handling(normalization="none"))
