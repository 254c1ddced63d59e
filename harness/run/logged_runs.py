"""Which logged run belongs to which arm and seed, and what cannot be matched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import nearest
from harness.formatting import listed, listed_some
from harness.plan import Plan
from harness.study import Arm, InputError, Problem
from harness.track.reading import LoggedRun

FINISHED = "FINISHED"
_MOST_NAMED = 5


@dataclass(frozen=True)
class Match:
    """A run, the arm that it is a trial of, and its seed: as logged, and its place among all."""

    run: LoggedRun
    arm: Arm
    seed: str
    block: int


@dataclass(frozen=True)
class Matched:
    """The trials that were found, and in sentences what was left out or is missing."""

    matches: Sequence[Match]
    notes: Sequence[str]


def match_runs(plan: Plan, runs: Sequence[LoggedRun], file: str) -> Matched:
    """Give every finished run its arm by its parameters, and its block by its seed.

    Args:
        plan: of a study of logged runs.
        runs: of its experiment.
        file: the study file, for messages.

    Raises:
        InputError: if an arm has no run, a run fits several arms or has no seed, an arm has two
            runs of one seed, or there are not as many seeds as the study declares.
    """
    finished = [run for run in runs if run.status == FINISHED]
    by_arm: dict[str, list[LoggedRun]] = {arm.name: [] for arm in plan.arms}
    problems, unmatched = [], []
    for run in finished:
        fitting = [arm.name for arm in plan.arms if _fits(run, _wanted(arm))]
        if len(fitting) > 1:
            problems.append(
                f"the run {run.label} fits the arms {listed(fitting)}; give them params that tell"
                " them apart"
            )
        elif fitting:
            by_arm[fitting[0]].append(run)
        else:
            unmatched.append(run)
    problems += [_why_none(arm, finished) for arm in plan.arms if not by_arm[arm.name]]
    _refuse(problems, file)
    matches = _paired(plan, by_arm, file)
    notes = [*_left_out(runs, unmatched), *_missing(plan, matches), *_no_repetitions(matches)]
    return Matched(matches, notes)


def _paired(plan: Plan, by_arm: Mapping[str, Sequence[LoggedRun]], file: str) -> list[Match]:
    """Number the seeds in their order, so that equal ones are one block in every arm."""
    seeds: dict[str, dict[str, LoggedRun]] = defaultdict(dict)
    problems = []
    for arm in plan.arms:
        name = arm.workload["training"]["seed"]
        for run in by_arm[arm.name]:
            seed = run.params.get(name)
            if seed is None:
                problems.append(
                    f"the run {run.label} of arm {arm.name} has no parameter '{name}', which"
                    f" training.seed names{nearest(name, run.params)}"
                )
            elif seed in seeds[arm.name]:
                problems.append(
                    f"the runs {seeds[arm.name][seed].label} and {run.label} are both of arm"
                    f" {arm.name} with seed {seed}; {_advice(arm.workload['training']['name'])}"
                )
            else:
                seeds[arm.name][seed] = run
    _refuse(problems, file)
    ordered = sorted({seed for found in seeds.values() for seed in found}, key=_order)
    if len(ordered) != plan.study.most_seeds:
        raise InputError(
            [
                Problem(
                    f"the runs have {len(ordered)} seeds ({listed_some(ordered)}), not"
                    f" {plan.study.most_seeds}; a study judges all of them: say"
                    f" `seeds: {len(ordered)}`",
                    file,
                    path="seeds",
                )
            ]
        )
    return [
        Match(seeds[arm.name][seed], arm, seed, block)
        for arm in plan.arms
        for block, seed in enumerate(ordered)
        if seed in seeds[arm.name]
    ]


def _advice(kind: str) -> str:
    if kind == "mlflow":
        return "delete the one that does not count in MLflow, or tell them apart by training.params"
    return (
        "take the one out that does not count, or tell them apart by training.params; if there is a"
        " row for each epoch, name its column with `training.epoch`, and that of the run with"
        " `training.run`"
    )


def _wanted(arm: Arm) -> dict[str, Any]:
    """Return the parameters of an arm's runs; `a.b` and `b` below `a` are one name."""
    return dict(_flat(arm.workload["training"]["params"]))


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _fits(run: LoggedRun, wanted: Mapping[str, Any]) -> bool:
    return all(_same(value, run.params.get(name)) for name, value in wanted.items())


def _same(value: Any, logged: str | None) -> bool:
    """Tell whether a value of the study file is what MLflow keeps as a text."""
    if value is None:
        return logged in (None, "None", "null", "")
    if logged is None:
        return False
    if isinstance(value, bool):
        return logged.lower() == str(value).lower()
    if str(value) == logged:
        return True
    try:
        return not isinstance(value, str) and float(value) == float(logged)
    except (TypeError, ValueError):
        return False


def _why_none(arm: Arm, finished: Sequence[LoggedRun]) -> str:
    """Say why no finished run is of an arm, by the first of its parameters that is at fault."""
    for name, value in _wanted(arm).items():
        known = list(dict.fromkeys(r.params[name] for r in finished if name in r.params))
        names = dict.fromkeys(name for run in finished for name in run.params)
        if not known and value is not None:
            return f"no finished run has the parameter '{name}'{nearest(name, names)}"
        if not any(_same(value, run.params.get(name)) for run in finished):
            return (
                f"no finished run has {name} = {value} (there are: {listed_some(known)})"
                f"{nearest(value, known)}"
            )
    together = listed([f"{name} = {value}" for name, value in _wanted(arm).items()])
    return f"no finished run of arm {arm.name} has {together} together"


def _left_out(runs: Sequence[LoggedRun], unmatched: Sequence[LoggedRun]) -> list[str]:
    notes = []
    others = [run for run in runs if run.status != FINISHED]
    if others:
        notes.append(f"{_runs(others)} not finished and left out: {_labels(others)}.")
    if unmatched:
        notes.append(f"{_runs(unmatched)} of no arm and left out: {_labels(unmatched)}.")
    return notes


def _no_repetitions(matches: Sequence[Match]) -> list[str]:
    """Say in what else the runs of one arm differ: these are taken for repetitions."""
    arms: dict[str, list[Match]] = defaultdict(list)
    for match in matches:
        arms[match.arm.name].append(match)
    differ: dict[str, str] = {}
    for name, found in arms.items():
        training = found[0].arm.workload["training"]
        names = (training["seed"], training.get("run"))
        for parameter in dict.fromkeys(key for match in found for key in match.run.params):
            if (
                parameter not in names
                and len({match.run.params.get(parameter) for match in found}) > 1
            ):
                differ.setdefault(parameter, name)
    if not differ:
        return []
    return [
        f"Runs of one arm differ in more than their seed ({listed_some(list(differ))}, as in"
        f" {next(iter(differ.values()))}); they are judged as repetitions of one setting. Name what"
        " has to be equal under `training.params`."
    ]


def _missing(plan: Plan, matches: Sequence[Match]) -> list[str]:
    seeds = {match.block: match.seed for match in matches}
    there = {(match.arm.name, match.block) for match in matches}
    absent = [
        f"{arm.name} with seed {seeds[block]}"
        for arm in plan.arms
        for block in sorted(seeds)
        if (arm.name, block) not in there
    ]
    return [f"There is no finished run of {listed_some(absent)}."] if absent else []


def _runs(runs: Sequence[LoggedRun]) -> str:
    return (
        "1 run of the experiment is"
        if len(runs) == 1
        else (f"{len(runs)} runs of the experiment are")
    )


def _labels(runs: Sequence[LoggedRun]) -> str:
    return listed_some([run.label for run in runs])


def _order(seed: str) -> tuple[float, str]:
    """Put numbers in their order, and other texts behind them."""
    try:
        return float(seed), seed
    except ValueError:
        return float("inf"), seed


def _refuse(problems: Iterable[str], file: str) -> None:
    found = list(dict.fromkeys(problems))
    shown = found[:_MOST_NAMED]
    if len(found) > len(shown):
        shown.append(f"and {len(found) - len(shown)} more like these")
    if found:
        raise InputError([Problem(problem, file) for problem in shown])
