"""Would stopping candidates early have chosen the same winners? Answered from finished searches.

    python -m benchmarks.pruning_replay RESULTS

Every finished search of a folder of results has the whole curve of every candidate. It is walked
again, round by round, as if successive halving had stopped candidates: each counts only until
where it would have been stopped. What that saves is counted in epochs; what it costs is how much
worse the winner of then is by the metric of the search, in standard deviations between the
confirmation seeds of its arm. Samplers that learn would have asked other candidates afterwards,
which is not replayed.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import stdev
from typing import Any

from harness.plan import SearchSpace, make_plan
from harness.search import Tried, best, stop_rules
from harness.store import Store, open_store
from harness.study import InputError, load_study
from harness.trial import Phase, Record, State

Seeds = Sequence[Record]
"""The records of one candidate, by search seed."""


@dataclass(frozen=True)
class Replayed:
    """One search: its candidates, its epochs with and without stopping, and how much is lost."""

    candidates: int
    epochs: int
    spent: int
    regret: float
    """In standard deviations between confirmation seeds; 0 where the winner is the same."""


def replay(space: SearchSpace, tried: Sequence[Seeds], noise: float) -> Replayed | None:
    """Walk a search again with the pruner of a space; None where nothing can be said."""
    history: list[Tried] = []
    spent = 0
    while len(history) < len(tried):
        start = len(history)
        rules = [
            stop_rules(space, history, index, tried[index][0].trial.workload["epochs"])
            for index in range(start, min(start + space.round, len(tried)))
        ]
        for offset, by_seed in enumerate(rules):
            candidate = _stopped(space, tried[start + offset], by_seed)
            spent += candidate.epochs
            history.append(candidate)
    whole = [_stopped(space, records, []) for records in tried]
    first, then = best(space, whole), best(space, history)
    if first is None or then is None:
        return None
    values = whole[first].value, whole[then].value
    assert values[0] is not None
    assert values[1] is not None
    worse = abs(values[0] - values[1])
    if worse and not noise:
        return None
    return Replayed(
        len(tried), sum(one.epochs for one in whole), spent, worse / noise if worse else 0.0
    )


def _stopped(space: SearchSpace, records: Seeds, rules: Sequence[Sequence[Any]]) -> Tried:
    """Return a candidate as it would have been known if these rules had held."""
    metric, curves, spent, pruned = space.metric, [], 0, False
    for number, record in enumerate(records):
        named = any(metric.name in point for point in record.curve)
        curve = tuple(metric.best_so_far(record.curve)) if named else ()
        for rule in rules[number] if number < len(rules) else ():
            reached = len(curve) > rule["epoch"]
            if reached and metric.is_worse(curve[rule["epoch"] - 1], rule["worse_than"]):
                curve, pruned = curve[: rule["epoch"]], True
                break
        curves.append(curve)
        spent += len(curve) or len(record.curve)
    complete = all(r.state is State.COMPLETE and metric.name in r.metrics for r in records)
    values = [r.metrics[metric.name] for r in records] if complete and not pruned else []
    value = sum(values) / len(values) if values else None
    return Tried({}, value, spent, pruned, tuple(curves))


def searches(store: Store, study: str, profile: str, execution: int) -> Iterator[tuple[Any, ...]]:
    """Yield the space, the candidates and the noise of each search of an execution."""
    loaded = load_study(Path(f"studies/{study}.yaml"), profile)
    plan = make_plan(loaded.study, loaded.arms, profile=profile)
    spaces = {arm.name: space for arm in plan.arms if (space := plan.space(arm)) is not None}
    found: dict[str, dict[int, list[Record]]] = defaultdict(lambda: defaultdict(list))
    confirmed: dict[str, list[float]] = defaultdict(list)
    for row in store.assigned_records(execution):
        space = spaces.get(row.arm)
        if space is None or row.record is None:
            continue
        if row.phase is Phase.SEARCH and row.candidate is not None:
            found[row.arm][row.candidate].append(row.record)
        elif row.phase is Phase.CONFIRMATION and space.metric.name in row.record.metrics:
            confirmed[row.arm].append(row.record.metrics[space.metric.name])
    for arm, candidates in found.items():
        values, size = confirmed[arm], spaces[arm].candidates
        noise = stdev(values) if len(values) > 1 else 0.0
        repetitions: dict[int, list[Seeds]] = defaultdict(list)
        for index in sorted(candidates):
            repetitions[index // size].append(candidates[index])
        for tried in repetitions.values():
            yield spaces[arm], tried, noise


def main(arguments: Sequence[str] | None = None) -> None:
    """Replay the latest finished execution of every study and profile; print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--first", type=int, nargs="+", default=[1, 2, 4])
    options = parser.parse_args(arguments)
    store = open_store(options.results)
    latest = {(e.study, e.profile): e.id for e in store.executions() if e.status == "finished"}
    print(
        "| study | searches of | first decision after | epochs saved | same winner "
        "| worse by more than a standard deviation |\n" + "|---" * 6 + "|"
    )
    totals: dict[tuple[int, bool], list[Replayed]] = defaultdict(list)
    for (study, profile), execution in sorted(latest.items()):
        try:
            all_of = list(searches(store, study, profile, execution))
        except InputError as error:
            print(f"{study} ({profile}) is left out: {error}", file=sys.stderr)
            continue
        for first in options.first:
            pruning = {"name": "successive_halving", "first": first, "factor": 3}
            done = [
                said
                for space, tried, noise in all_of
                if len(tried) > space.round and first < space.longest
                and (said := replay(replace(space, pruning=pruning), tried, noise)) is not None
            ]  # fmt: skip
            for said in done:
                totals[first, said.candidates > 8].append(said)
            if done:
                print(_line(f"{study} ({profile})", first, done), flush=True)
    for (first, many), done in sorted(totals.items()):
        print(_line("all, over 8 candidates" if many else "all, up to 8", first, done))
    store.close()


def _line(name: str, first: int, done: Sequence[Replayed]) -> str:
    sizes = sorted({one.candidates for one in done})
    size = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    saved = 1 - sum(one.spent for one in done) / sum(one.epochs for one in done)
    same = sum(one.regret == 0 for one in done) / len(done)
    worse = sum(one.regret > 1 for one in done) / len(done)
    return (
        f"| {name} | {len(done):,} × {size} candidates | {first} | {100 * saved:.0f} % "
        f"| {100 * same:.0f} % | {100 * worse:.0f} % |"
    )


if __name__ == "__main__":
    main()
