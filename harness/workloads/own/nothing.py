"""No data: a training of one's own reads its data itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.form import Form
from harness.workloads.dataset import Dataset, Examples
from harness.workloads.source import Config


def load_nothing(config: Config, root: Path) -> Dataset:
    """Return a data set without examples."""
    del config, root
    empty = Examples(np.zeros((0, 1), dtype=np.float32), np.zeros(0, dtype=np.int64))
    return Dataset("none", Form((1,), 1), empty, empty)
