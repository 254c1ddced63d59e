"""What a pruner is: when a candidate may be stopped, and how good it has to be to go on.

A pruner is one class in one module of this package. Its fields are what a study can set. What it
decides is fixed before a trial starts, from the rounds before its own (`harness.search.rounds`).
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from harness.components.base import Component


class Pruner(Component):
    """When candidates are stopped. A subclass has a `name` of one value, that of its module."""

    name: str

    def bracket(self, index: int, longest: int) -> int:
        """Return which group a candidate is in; it is compared with those of its own only.

        Args:
            index: of the candidate.
            longest: epochs that a trial takes at most.
        """
        del index, longest
        return 0

    def rungs(self, bracket: int, epochs: int) -> list[int]:
        """Return the epochs after which a candidate of a bracket may be stopped, before its last.

        Args:
            bracket: that it is in.
            epochs: that its trial takes if it is not stopped.
        """
        raise NotImplementedError

    def threshold(self, values: Sequence[float]) -> float | None:
        """Return the value that a candidate has to reach to go on, None where everyone does.

        Args:
            values: of those of its bracket that came as far in earlier rounds, the best first.
        """
        raise NotImplementedError

    def refusal(self, longest: int) -> tuple[str, str] | None:
        """Say which field is of no use where no trial takes more epochs than `longest`, and why."""
        del longest
        return None


class Halving(Pruner):
    """At epochs `first`, `first * factor`, ... the best 1/`factor` go on."""

    first: int = Field(1, ge=1, description="epochs before the first decision of anyone")
    factor: int = Field(3, ge=2, le=100, description="one of so many goes on")

    def rungs(self, bracket: int, epochs: int) -> list[int]:
        """See `Pruner`; a later bracket begins to decide later."""
        epoch = self.first * self.factor**bracket
        found = []
        while epoch < epochs:
            found.append(epoch)
            epoch *= self.factor
        return found

    def threshold(self, values: Sequence[float]) -> float | None:
        """As long as fewer than `factor` came as far, everyone goes on."""
        return values[len(values) // self.factor - 1] if len(values) >= self.factor else None

    def refusal(self, longest: int) -> tuple[str, str] | None:
        """The first decision has to come before the end."""
        if self.first < longest:
            return None
        return (
            "first",
            f"nothing can be stopped: no candidate is trained for more than {longest} epochs",
        )
