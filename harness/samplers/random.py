"""Random search."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from harness.samplers.base import OptunaSampler

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from harness.plan import SearchSpace


class Random(OptunaSampler):
    """Anywhere in the space, evenly on the scale of each setting (Bergstra and Bengio 2012)."""

    name: Literal["random"]

    learns: ClassVar[bool] = False

    def sampler(self, space: SearchSpace, seed: int) -> BaseSampler:
        """See `OptunaSampler`."""
        from optuna.samplers import RandomSampler

        return RandomSampler(seed=seed)
