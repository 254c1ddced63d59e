"""What a sampler is: what it asks next, from a space and from what a search has seen so far.

A sampler is one class in one module of this package. Its fields are what a study can set. A round
of candidates is a pure function of the space and of the history, so that a search asks the same
whatever the number of workers and however often it was interrupted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from harness.components.base import Component
from harness.levels import is_among

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler

    from harness.plan import SearchSpace

Space = Mapping[str, Mapping[str, Any]]
"""What is searched for one arm: path to `{kind: values}`, in the order of asking.

A dimension may have `when: {path: values}` beside its kind: it is asked only where the choices
that were made before it have these values.
"""


def is_asked(dimension: Mapping[str, Any], chosen: Mapping[str, Any]) -> bool:
    """Tell whether a dimension is asked after these choices."""
    conditions: Mapping[str, Sequence[Any]] = dimension.get("when", {})
    return all(path in chosen and is_among(chosen[path], ok) for path, ok in conditions.items())


def kind_of(dimension: Mapping[str, Any]) -> tuple[str, Sequence[Any]]:
    """Return the kind of a dimension (integer, uniform, log or choice) and its values."""
    return next((kind, values) for kind, values in dimension.items() if kind != "when")


@dataclass(frozen=True)
class Tried:
    """A candidate and what became of it.

    Attributes:
        parameters: the values of the searched settings.
        value: the metric, averaged over the search seeds; None if a trial was pruned, diverged or
            failed.
        epochs: that its trials were trained for, all together.
        pruned: whether a trial was stopped because it fell behind.
        curves: for each search seed, the best value of the metric up to each epoch; kept only
            where candidates are pruned.
    """

    parameters: Mapping[str, Any]
    value: float | None
    epochs: int = 0
    pruned: bool = False
    curves: tuple[tuple[float, ...], ...] = ()


History = Sequence[Tried]
"""The candidates of all rounds before, in the order in which they were asked."""


def wanted(space: SearchSpace, history: History) -> int:
    """Return the size of the next round; 0 when the budget is spent.

    A candidate is asked only if the epochs left would hold it even if it is not stopped.
    """
    room = min(space.round, space.candidates - len(history))
    if space.epochs is not None:
        left = space.epochs - sum(tried.epochs for tried in history)
        room = min(room, left // space.cost)
    return max(room, 0)


def best(space: SearchSpace, history: History) -> int | None:
    """Return the index of the best candidate (the earliest of equals), None if none has a value."""
    return space.metric.best(
        {i: tried.value for i, tried in enumerate(history) if tried.value is not None}
    )


class Sampler(Component):
    """How candidates are chosen. A subclass has a `name` of one value, that of its module."""

    name: str

    tries_default: ClassVar[bool] = True
    """Whether the first candidate is the workload's own setting, if the space contains it."""

    startup: ClassVar[int] = 0
    """Candidates that have to be known before it learns from them; until then it draws at random.
    """

    def refusals(self, space: Space) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield which settings of a space it cannot ask, and why."""
        del space
        yield from ()

    def points(self, space: Space, candidates: int) -> list[dict[str, Any]] | None:
        """Return all candidates, at most so many, if they are known beforehand."""
        del space, candidates
        return None

    def ask(self, space: SearchSpace, history: History, count: int) -> list[dict[str, Any]]:
        """Return the next candidates: `{path: value}` of the settings that are asked, each.

        Args:
            space: with the settings, the round's size and the seed of this repetition.
            history: all rounds before.
            count: of candidates, at least one.
        """
        raise NotImplementedError


class OptunaSampler(Sampler):
    """A sampler of Optuna, which is told the history and starts afresh with each round."""

    learns: ClassVar[bool] = True
    """Whether it looks at the history."""

    def sampler(self, space: SearchSpace, seed: int) -> BaseSampler:
        """Return Optuna's own sampler."""
        raise NotImplementedError

    def ask(self, space: SearchSpace, history: History, count: int) -> list[dict[str, Any]]:
        """See `Sampler`."""
        from harness.samplers import _optuna

        with _optuna.quiet():
            study = self.study(space, history)
            if not history and space.default is not None:
                study.enqueue_trial(dict(space.default))
            return [_optuna.suggest(study.ask(), space) for _ in range(count)]

    def study(self, space: SearchSpace, history: History) -> Study:
        """Return a study of Optuna that asks the next round."""
        from harness.samplers import _optuna

        sampler = self.sampler(space, (space.seed + len(history)) % 2**32)
        return _optuna.told(space, history if self.learns else (), sampler)
