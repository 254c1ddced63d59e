"""Tree-structured Parzen estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from harness.samplers.base import OptunaSampler

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from harness.plan import SearchSpace


class TPE(OptunaSampler):
    """Where good candidates were dense before: tree-structured Parzen estimator (Bergstra 2011)."""

    name: Literal["tpe"]
    startup: ClassVar[int] = 10

    def sampler(self, space: SearchSpace, seed: int) -> BaseSampler:
        """Settings with conditions are modelled in groups that are asked together."""
        from optuna.samplers import TPESampler

        conditional = any("when" in dimension for dimension in space.dimensions.values())
        return TPESampler(n_startup_trials=self.startup, seed=seed, group=conditional)
