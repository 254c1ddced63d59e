"""From a table of scores to a leaderboard that says which places are settled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np

from harness.errors import InputError
from harness.formatting import listed, listed_some, plural
from harness.ranking.aggregates import Band, performance_profile, pooled, with_interval
from harness.ranking.pairs import Pair, compare_pairs, fewest_datasets, letters, places
from harness.ranking.ranks import (
    Friedman,
    critical_difference,
    friedman,
    rank_interval,
    ranks,
    tie_groups,
)
from harness.ranking.scores import Scores
from harness.ranking.table_file import ScoreTable, missing_cells, refuse, seeds_of
from harness.seeding import stream
from harness.stats.arrays import Floats
from harness.stats.multiplicity import holm

Goal = Literal["minimize", "maximize"]  # the order of harness.metrics: typing keeps one of both
Missing = Literal["refuse", "worst", "drop-dataset"]
Mark = Literal["best", "among the best", ""]
THRESHOLDS = np.linspace(0.0, 1.0, 101)
_SMALL_IS_GOOD = ("error", "loss", "rmse", "mae", "mse", "perplexity", "deviance", "seconds")
_LARGE_IS_GOOD = ("accuracy", "auc", "f1", "r2", "recall", "precision", "correlation")


@dataclass(frozen=True)
class Standing:
    """One method on the leaderboard.

    Attributes:
        method: its name.
        mean_rank: over data sets; 1 is the best.
        rank_low: end of its 95 % interval over data sets like these.
        rank_high: the other end.
        place_low: the best place that the settled pairs leave to it.
        place_high: the worst one.
        middle: interquartile mean of its rescaled runs, with its interval over seeds.
        curve: its performance profile at `THRESHOLDS`.
        win_rate: share of its comparisons with another method on a data set that it wins; a tie
            counts half.
        letters: two methods that share one are not told apart (compact letter display).
    """

    method: str
    mean_rank: float
    rank_low: float
    rank_high: float
    place_low: int
    place_high: int
    middle: Band
    curve: Band
    win_rate: float
    letters: str

    @property
    def settled(self) -> bool:
        """Whether only one place is left."""
        return self.place_low == self.place_high


@dataclass(frozen=True)
class Trained:
    """What is known beside the scores of methods that were trained here.

    Attributes:
        simple: of a data set the name of its simple baseline, and its mean score as measured.
        seconds: of a method, what a training took: geometric mean over data sets; absent where
            nobody measured it.
        sizes: of a data set its training and validation examples, inputs, and classes (0: numbers).
    """

    simple: Mapping[str, tuple[str, float]]
    seconds: Mapping[str, float]
    sizes: Mapping[str, tuple[int, int, int]]


@dataclass(frozen=True)
class Leaderboard:
    """Methods judged over data sets.

    Attributes:
        metric: what was scored.
        goal: which way is better.
        alpha: chance of any pair settled falsely.
        scores: the larger the better: signs are turned where the goal is to minimize.
        standings: by mean rank; in this order all that follows counts methods.
        friedman: test that all rank alike.
        difference: Nemenyi's critical difference.
        groups: methods that it does not tell apart, by places in `standings`.
        pairs: every two methods, by places in `standings`.
        marks: for each data set the marks of the methods; empty texts without seeds.
        notes: what was done to the scores, and what looks wrong.
        unknown: what such a table cannot say.
        trained: what is known beside the scores where the methods were trained here.
    """

    metric: str
    goal: Goal
    alpha: float
    scores: Scores
    standings: tuple[Standing, ...]
    friedman: Friedman
    difference: float
    groups: tuple[tuple[int, ...], ...]
    pairs: tuple[Pair, ...]
    marks: tuple[tuple[Mark, ...], ...]
    notes: tuple[str, ...]
    unknown: tuple[str, ...]
    trained: Trained | None = None

    @property
    def sign(self) -> int:
        """Brings a score back to what the file said."""
        return 1 if self.goal == "maximize" else -1

    @property
    def headline(self) -> str:
        """Say in a sentence what is settled."""
        settled = [one for one in self.standings if one.settled]
        decided = sum(pair.better != 0 for pair in self.pairs)
        text = f"{decided or 'None'} of {plural(len(self.pairs), 'pair')} of methods"
        text += f" {'is' if decided < 2 else 'are'} settled over {len(self.scores.datasets)}"
        text += " data sets"
        first = self.standings[0]
        if first.settled:
            return f"{first.method} is first, and that is settled. {text}."
        if settled:
            known = listed([f"{one.method} (place {one.place_low})" for one in settled])
            return f"The first place is open; settled: {known}. {text}."
        rivals = listed_some([one.method for one in self.standings if one.place_low == 1])
        return f"No place is settled: {rivals} can all be first. {text}."

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON-able values."""
        names = [one.method for one in self.standings]
        return {
            "metric": self.metric, "goal": self.goal, "alpha": self.alpha,
            "datasets": list(self.scores.datasets), "seeds": list(self.scores.seeds),
            "headline": self.headline,
            "standings": [_standing(one) for one in self.standings],
            "friedman": _finite(asdict(self.friedman)),
            "critical_difference": self.difference,
            "groups": [[names[i] for i in group] for group in self.groups],
            "pairs": [_pair(pair, names) for pair in self.pairs],
            "means": {dataset: dict(zip(names, (self.sign * means).tolist(), strict=True))
                      for dataset, means in zip(self.scores.datasets, self.scores.means.T,
                                                strict=True)},
            "best": {dataset: {names[i]: mark for i, mark in enumerate(marks) if mark}
                     for dataset, marks in zip(self.scores.datasets, self.marks, strict=True)},
            "notes": list(self.notes), "unknown": list(self.unknown),
            "trained": None if self.trained is None else asdict(self.trained),
        }  # fmt: skip


def judge_table(
    table: ScoreTable, metric: str, goal: Goal, missing: Missing = "refuse", alpha: float = 0.05
) -> Leaderboard:
    """Judge a table of scores.

    Args:
        table: as a file has it.
        metric: what was scored.
        goal: which way is better.
        missing: what a score means that others of the data set have.
        alpha: chance of any pair settled falsely, in (0, 0.5).

    Raises:
        InputError: if scores are missing and that is refused, or if too few data sets are left.
    """
    if not 0.0 < alpha < 0.5:
        raise InputError(f"alpha lies between 0 and 0.5, got {alpha}")
    scores, notes = complete(table, goal, missing)
    notes = [*notes, *_suspicions(scores, metric, goal)]
    return leaderboard(scores, metric, goal, alpha, notes, [
        "how the methods were tuned, on which test examples they were scored and whether anyone "
        "chose the data sets by the results is not in such a table"
    ])  # fmt: skip


def leaderboard(
    scores: Scores,
    metric: str,
    goal: Goal,
    alpha: float,
    notes: Sequence[str] = (),
    unknown: Sequence[str] = (),
) -> Leaderboard:
    """Judge scores, the larger the better; see `judge_table` and `Leaderboard`."""
    ranked = ranks(scores.means)
    order = np.argsort(ranked.mean(axis=1), kind="stable")
    ranked = ranked[order]
    scores = Scores(
        tuple(scores.methods[i] for i in order),
        scores.datasets,
        tuple(r[order] for r in scores.runs),
    )
    pairs = compare_pairs(scores, alpha)
    k, n = ranked.shape
    generator = np.random.default_rng(stream(0, "leaderboard"))
    standings = []
    shared = letters(k, pairs)
    for i, (low, high) in enumerate(places(k, pairs)):
        runs = [run[i] for run in scores.rescaled]
        standings.append(
            Standing(
                scores.methods[i], float(ranked[i].mean()), *rank_interval(ranked[i], k), low, high,
                with_interval([runs], lambda one: pooled(one[0]), generator),
                with_interval([runs], lambda m: performance_profile(m[0], THRESHOLDS), generator),
                float((k - ranked[i]).mean() / (k - 1)), shared[i],
            )
        )  # fmt: skip
    difference = critical_difference(k, n, alpha)
    return Leaderboard(
        metric, goal, alpha, scores, tuple(standings), friedman(ranked), difference,
        tuple(tie_groups(ranked.mean(axis=1), difference)), tuple(pairs),
        tuple(best_on(run, alpha) for run in scores.runs), tuple(notes),
        (*_unknown(scores, alpha), *unknown),
    )  # fmt: skip


def best_on(run: Floats, alpha: float = 0.05) -> tuple[Mark, ...]:
    """Mark the best method of one data set, and those that its seeds do not tell from it.

    Welch's t test of every pair (Biometrika 34, 1947), corrected for all pairs (Holm), so that the
    best may be chosen by the same numbers. A method whose runs are all equal has the largest
    variance of the others, for its own is unknown.

    Args:
        run: shape (methods, seeds), the larger the better.
        alpha: chance that any pair is told apart falsely.

    Returns:
        Marks of the methods; all empty with one seed, or without any spread.
    """
    from scipy.special import stdtr

    k, n = run.shape
    none: tuple[Mark, ...] = ("",)
    if n < 2 or not run.var(axis=1).any():
        return none * int(k)
    mean, variance = run.mean(axis=1), run.var(axis=1, ddof=1)
    # runs that differ by rounding errors alone have no spread
    equal = np.ptp(run, axis=1) <= 1e-12 * np.abs(run).max(axis=1)
    variance = np.where(equal, variance.max(), variance)
    pairs = list(combinations(range(k), 2))
    p = []
    for a, b in pairs:
        va, vb = variance[a] / n, variance[b] / n
        degrees = (n - 1) * (va + vb) ** 2 / (va**2 + vb**2)
        p.append(2.0 * float(stdtr(degrees, -abs(mean[a] - mean[b]) / np.sqrt(va + vb))))
    apart = {frozenset(pair) for pair, q in zip(pairs, holm(p), strict=True) if q <= alpha}
    best = int(mean.argmax())
    close = [i == best or frozenset((i, best)) not in apart for i in range(k)]
    word: Mark = "best" if sum(close) == 1 else "among the best"
    marks: list[Mark] = [word if near else "" for near in close]
    return tuple(marks)


def complete(table: ScoreTable, goal: Goal, missing: Missing) -> tuple[Scores, list[str]]:
    """Return scores without gaps, the larger the better, and what was done about the gaps."""
    absent = list(missing_cells(table))
    if absent and missing == "refuse":
        raise refuse(table, absent)
    dropped = {dataset for _, dataset, _ in absent} if missing == "drop-dataset" else set()
    kept = [dataset for dataset in table.datasets if dataset not in dropped]
    if len(kept) < 2:
        raise InputError(
            f"'{table.file}': {plural(len(kept), 'data set')} would be left of "
            f"{len(table.datasets)} without those that lack a score; a ranking needs two"
        )
    sign = 1.0 if goal == "maximize" else -1.0
    runs = []
    for dataset in kept:
        values = np.array([
            [np.nan if (v := table.cells.get((method, dataset), {}).get(seed)) is None else sign * v
             for seed in seeds_of(table, dataset)]
            for method in table.methods
        ])  # fmt: skip
        if np.isnan(values).all():
            raise InputError(f"'{table.file}': no method has a score on {dataset}; leave it out")
        runs.append(np.where(np.isnan(values), np.nanmin(values), values))
    notes = []
    if absent:
        who = listed_some(list(dict.fromkeys(method for method, _, _ in absent)))
        verb = "is" if len(absent) == 1 else "are"
        notes.append(
            f"{plural(len(absent), 'score')} of {who} {verb} missing: "
            + (f"without {listed_some(sorted(dropped))}, so that nothing is said of data sets on "
               "which a method fails" if dropped else
               "a missing score counts as the worst of its data set, level with who has that")
        )  # fmt: skip
    return Scores(tuple(table.methods), tuple(kept), tuple(runs)), notes


def _suspicions(scores: Scores, metric: str, goal: Goal) -> list[str]:
    """Say what in the scores is probably not meant."""
    found = []
    words = _SMALL_IS_GOOD if goal == "maximize" else _LARGE_IS_GOOD
    if any(word in metric.lower() for word in words):
        found.append(f"is {metric} really better where it is {goal.removesuffix('mize')}mal?")
    found += [
        f"{name} has the same scores as {other}: if it is the same data set, it counts twice"
        for name, other in scores.equal_datasets().items()
    ]
    return found


def _unknown(scores: Scores, alpha: float) -> list[str]:
    """Say what these scores cannot tell."""
    found = []
    n, needed = len(scores.datasets), fewest_datasets(len(scores.methods), alpha)
    if n < needed:
        found.append(
            f"{plural(n, 'data set')} cannot settle every pair of {len(scores.methods)} methods, "
            f"however large the differences: that takes at least {needed}"
        )
    if min(scores.seeds) < 2:
        found.append(
            "without seeds nobody can tell how much of a difference on one data set is luck: no "
            "best is marked beyond noise, and interquartile means and profiles have no intervals"
        )
    return found


def _standing(one: Standing) -> dict[str, Any]:
    low, high = (None if end is None else float(end) for end in (one.middle.low, one.middle.high))
    return {
        "method": one.method, "mean_rank": one.mean_rank,
        "rank_interval": [one.rank_low, one.rank_high],
        "places": [one.place_low, one.place_high], "settled": one.settled,
        "win_rate": one.win_rate, "letters": one.letters,
        "interquartile_mean": {"estimate": float(one.middle.estimate), "low": low, "high": high},
    }  # fmt: skip


def _pair(pair: Pair, names: Sequence[str]) -> dict[str, Any]:
    found = asdict(pair)
    found["first"], found["second"] = names[pair.first], names[pair.second]
    found["better"] = {1: names[pair.first], -1: names[pair.second], 0: None}[pair.better]
    found["difference"] = _finite(found["difference"])
    return found


def _finite(numbers: dict[str, Any]) -> dict[str, Any]:
    return {k: v if v is not None and np.isfinite(v) else None for k, v in numbers.items()}
