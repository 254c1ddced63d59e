"""Bayesian optimization with a Gaussian process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.samplers.base import History, OptunaSampler, Space

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler

    from harness.plan import SearchSpace


class GaussianProcess(OptunaSampler):
    """Where a Gaussian process expects most improvement (Snoek, Larochelle and Adams 2012).

    The kernel is Matérn 5/2 with a length scale for each setting; candidates of one round are
    chosen one after another, each as if those before it were being tried.
    """

    name: Literal["gaussian_process"]
    startup: ClassVar[int] = 10

    def refusals(self, space: Space) -> Iterator[tuple[tuple[str, ...], str]]:
        """It models only settings that are asked each time."""
        for path, dimension in space.items():
            if "when" in dimension:
                yield (
                    (path, "when"),
                    "gaussian_process asks every setting each time; a condition on a searched"
                    " choice needs tpe or random",
                )

    def sampler(self, space: SearchSpace, seed: int) -> BaseSampler:
        """See `OptunaSampler`."""
        from optuna.samplers import GPSampler

        return GPSampler(seed=seed, n_startup_trials=self.startup, warn_independent_sampling=False)

    def study(self, space: SearchSpace, history: History) -> Study:
        """Return a study in which a candidate without a value counts as the worst that has one.

        Optuna's process knows values only, and would go on asking where trainings diverge.
        """
        from harness.samplers import _optuna

        known = [tried.value for tried in history if tried.value is not None]
        sampler = self.sampler(space, (space.seed + len(history)) % 2**32)
        if not known:
            return _optuna.told(space, history, sampler)
        worst = min(known, key=lambda value: space.metric.sign * value)
        valued = [
            tried if tried.value is not None else replace(tried, value=worst, pruned=False)
            for tried in history
        ]
        return _optuna.told(space, valued, sampler)
