"""Scores of methods on data sets, the larger the better, as everything here takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from harness.stats.arrays import Floats, checked

_DIGITS = 12
"""Means that agree in so many digits are equal: rounding errors must not decide a rank."""


@dataclass(frozen=True)
class Scores:
    """Scores of every method on every data set.

    Attributes:
        methods: their names, at least two.
        datasets: their names, at least two.
        runs: one array of shape (methods, seeds) for each data set, in their order; the larger the
            better. Data sets may have different numbers of seeds.
    """

    methods: tuple[str, ...]
    datasets: tuple[str, ...]
    runs: tuple[Floats, ...]

    @classmethod
    def of(cls, values: npt.ArrayLike, goal: str = "maximize") -> Scores:
        """Take an array of shape (methods, data sets, seeds) or (methods, data sets).

        Args:
            values: finite numbers.
            goal: "minimize" turns their signs.

        Raises:
            ValueError: for another shape, or values that are absent.
        """
        array = np.asarray(values, dtype=np.float64)
        array = checked(array[..., np.newaxis] if array.ndim == 2 else array, 3)
        array = -array if goal == "minimize" else array
        names = [tuple(f"{kind} {i + 1}" for i in range(n)) for kind, n in
                 zip(("method", "data set"), array.shape[:2], strict=True)]  # fmt: skip
        return cls(names[0], names[1], tuple(np.moveaxis(array, 1, 0)))

    def __post_init__(self) -> None:
        if len(self.methods) < 2 or len(self.datasets) < 2:
            raise ValueError(
                f"a ranking needs at least two methods and two data sets, got "
                f"{len(self.methods)} and {len(self.datasets)}"
            )
        for run in self.runs:
            if checked(run, 2).shape[0] != len(self.methods):
                raise ValueError(f"expected {len(self.methods)} methods, got shape {run.shape}")

    @cached_property
    def means(self) -> Floats:
        """Mean over seeds, shape (methods, data sets)."""
        return np.column_stack([_rounded(run.mean(axis=1)) for run in self.runs])

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of each data set."""
        return tuple(run.shape[1] for run in self.runs)

    @cached_property
    def rescaled(self) -> tuple[Floats, ...]:
        """The runs, with the worst mean of each data set at 0 and the best at 1.

        Where all means are equal, every run is at 0.5.
        """
        found = []
        for run, means in zip(self.runs, self.means.T, strict=True):
            spread = np.ptp(means)
            known = np.round((run - means.min()) / spread, 9) if spread > 0.0 else None
            found.append(np.full_like(run, 0.5) if known is None else known)
        return tuple(found)

    def only(self, places: Sequence[int]) -> Scores:
        """Return the scores on these data sets alone."""
        return Scores(
            self.methods,
            tuple(self.datasets[i] for i in places),
            tuple(self.runs[i] for i in places),
        )

    def equal_datasets(self) -> Mapping[str, str]:
        """Return data sets whose scores are those of an earlier one, by that one's name."""
        found: dict[str, str] = {}
        for later, name in enumerate(self.datasets):
            for earlier in range(later):
                if np.array_equal(self.runs[later], self.runs[earlier]):
                    found[name] = self.datasets[earlier]
                    break
        return found


def _rounded(means: Floats) -> Floats:
    scale = float(np.abs(means).max())
    if scale == 0.0:
        return means
    return np.round(means, max(0, _DIGITS - int(np.ceil(np.log10(scale)))))
