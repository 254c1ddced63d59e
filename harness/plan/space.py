"""What is searched for one arm, with which budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from harness.levels import is_among
from harness.metrics import Metric
from harness.pruners.base import Pruner
from harness.registry import PRUNERS, written
from harness.samplers.base import Space, is_asked, kind_of
from harness.study import Arm, most_epochs, settings_for, value_at
from harness.study.search import Search
from harness.trial import digest

MOST_CANDIDATES = 10_000


@dataclass(frozen=True)
class SearchSpace:
    """What is searched for one arm, and the identity that all searches of this kind share.

    Attributes:
        dimensions: path to `{kind: values}`, in the order of asking; see `harness.study.Space`.
        default: the workload's own values, which every search tries first, if it contains them.
        sampler: as a study names it: a name, or a name with settings.
        round: candidates asked at once.
        candidates: the most that one repetition asks.
        metric: chooses the winner.
        seeds: search seeds on which each candidate is trained.
        longest: epochs that one trial takes at most.
        epochs: that one repetition may spend; None where only candidates are counted.
        pruning: name and settings of the pruner that stops candidates, or None.
        points: the candidates, where the sampler knows them beforehand, as a grid does.
        repetition: which of the search's repetitions this is, from 0.
        compared: whether arms differ in their samplers; then none tries the workload's own
            setting first, which a grid does not contain.
    """

    dimensions: Space
    default: Mapping[str, Any] | None
    sampler: str | Mapping[str, Any]
    round: int
    candidates: int
    metric: Metric
    seeds: int = 1
    longest: int = 1
    epochs: int | None = None
    pruning: Mapping[str, Any] | None = None
    points: Sequence[Mapping[str, Any]] = ()
    repetition: int = 0
    compared: bool = False

    @cached_property
    def seed(self) -> int:
        """Seed of the sampler: equal spaces get equal first candidates, whatever the arm."""
        repeated = [self.repetition] if self.repetition else []
        return int(digest([self.dimensions, self.sampler, self.round, *repeated]), 16) % 2**32

    @cached_property
    def pruner(self) -> Pruner | None:
        """What stops candidates."""
        return PRUNERS.read(self.pruning) if self.pruning is not None else None

    @property
    def cost(self) -> int:
        """Epochs that one candidate takes at most, on all its search seeds together."""
        return self.longest * self.seeds

    @property
    def budget(self) -> int:
        """Epochs that one repetition may spend.

        Those declared, even if the last of them are too few for another candidate; less where the
        candidates run out before.
        """
        most = self.candidates * self.cost
        return most if self.epochs is None or most + self.cost <= self.epochs else self.epochs

    def repeated(self, repetition: int) -> SearchSpace:
        """Return the space of another repetition, which differs in the sampler's seed."""
        return replace(self, repetition=repetition)


def make_space(
    search: Search, arm: Arm, dimensions: Space, metric: Metric, compared: bool = False
) -> SearchSpace | None:
    """Return what is searched for an arm, None where everything is fixed.

    Args:
        search: of the study.
        arm: one of its arms.
        dimensions: what is searched for it.
        metric: chooses the winner.
        compared: whether arms differ in their samplers.
    """
    if not dimensions:
        return None
    sampler = search.sampled_by(arm)
    cost = most_epochs(search, arm, dimensions)
    space = SearchSpace(
        dimensions,
        _default(arm, dimensions) if sampler.tries_default and not compared else None,
        written(sampler),
        search.round,
        _most_candidates(search, arm, dimensions),
        metric,
        search.seeds,
        cost // search.seeds,
        search.epochs,
        search.pruning.model_dump(mode="json") if search.pruning else None,
        compared=compared,
    )
    room = space.candidates if search.epochs is None else search.epochs // cost
    points = sampler.points(dimensions, min(space.candidates, room))
    return space if points is None else replace(space, points=points, candidates=len(points))


def _most_candidates(search: Search, arm: Arm, dimensions: Space) -> int:
    """Return the most candidates that a search can ask: as many as its epochs would ever hold."""
    most = search.candidates or MOST_CANDIDATES
    if search.epochs is None:
        return most
    ends_early = search.pruning or arm.workload.get("early_stopping")
    ends_early = ends_early or any(path.startswith("early_stopping") for path in dimensions)
    shortest = arm.workload["epochs"]
    if "epochs" in dimensions:
        shortest = min([shortest, *kind_of(dimensions["epochs"])[1]])
    return min(most, search.epochs // (search.seeds * (1 if ends_early else shortest)))


def _default(arm: Arm, dimensions: Space) -> dict[str, Any] | None:
    """Return the workload's own values, None if one of them lies outside the space."""
    chosen: dict[str, Any] = {}
    for path, dimension in dimensions.items():
        if is_asked(dimension, chosen):
            chosen[path] = value_at(arm.workload, path)
            if not _contains(dimension, chosen[path]):
                return None
    return chosen


def corners(arm: Arm, dimensions: Space) -> list[tuple[str | None, dict[str, Any]]]:
    """Return few candidates among which is every choice, and both ends of every range.

    The first has the workload's own values, as far as they may be chosen; each other one differs
    from it in the setting whose path stands beside it, and in what that takes.
    """
    found: list[tuple[str | None, dict[str, Any]]] = [(None, _around(arm, dimensions, {}))]
    for path, dimension in dimensions.items():
        wanted = next(settings_for(path, dimensions), {})
        for value in kind_of(dimension)[1]:
            chosen = _around(arm, dimensions, {**wanted, path: value})
            if chosen != found[0][1]:
                found.append((path, chosen))
    return found


def _around(arm: Arm, dimensions: Space, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a candidate with some values given, and the workload's own elsewhere."""
    chosen: dict[str, Any] = {}
    for path, dimension in dimensions.items():
        if is_asked(dimension, chosen):
            own = value_at(arm.workload, path)
            usual = own if _contains(dimension, own) else kind_of(dimension)[1][0]
            chosen[path] = given.get(path, usual)
    return chosen


def _contains(dimension: Mapping[str, Any], value: Any) -> bool:
    kind, values = kind_of(dimension)
    if kind == "choice":
        return is_among(value, values)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and bool(values[0] <= value <= values[1])
