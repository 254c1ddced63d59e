"""What is wrong with a search: paths, conditions, values, the budget and what a sampler can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from harness.data import data_of
from harness.data.series import Series
from harness.errors import Problem, nearest
from harness.identity import selecting_metric, task_learned
from harness.levels import is_among
from harness.samplers.base import Space, kind_of
from harness.study.design import Arm, is_within, value_at
from harness.study.document import Document, Path_
from harness.study.explain import explain
from harness.study.loss_checks import definition, loss_measured
from harness.study.model import Study
from harness.study.sampler_checks import unequal_searches
from harness.study.search import Dimension, Search
from harness.study.search_space import (
    arm_spaces,
    candidate_workload,
    has_value,
    in_order,
    is_set_by,
    most_epochs,
    name_path,
    settings_for,
)
from harness.study.setup_checks import sees_answer
from harness.study.workload import Workload

Found = Iterator[tuple[Path_, str]]
SelectorProblem = Callable[[Mapping[str, Any], Study, Sequence[Arm]], str | None]
UNKNOWN = "extra_forbidden"
OTHER_VALIDATION = tuple(
    f"data.{name}"
    for name in (
        "label_noise",
        "leak",
        "imbalance",
        "limit",
        "labels",
        "validation_fraction",
        "name",
        "source",
    )
)
"""Settings that decide which examples, or which labels of them, a candidate is validated on."""


def check_search(
    study: Study, arms: Sequence[Arm], document: Document, selector_problem: SelectorProblem
) -> list[Problem]:
    """Find what is wrong with the search of a study, each at its place."""
    search = study.search
    if search is None:
        return []
    problems: list[Problem] = []
    for path, dimension in search.space.items():
        where: Path_ = ("search", "space", path)
        wrong = selector_problem(dimension.on, study, arms) if dimension.on else None
        if wrong:
            problems.append(document.problem((*where, "on"), wrong))
        for below, message in _condition_problems(path, search, arms):
            problems.append(document.problem((*where, *below), message))
    if problems:
        return problems
    spaces = arm_spaces(search, arms)
    for found in (
        _path_problems(search, arms, spaces),
        _value_problems(arms, spaces),
        _sampler_problems(search, arms, spaces),
        unequal_searches(study, arms, spaces),
        _budget_problems(study, arms, spaces),
        _metric_problems(search, arms),
        _unlike_candidates(search, arms, spaces),
    ):
        for below, message in found:
            problem = document.problem(("search", *below), message)
            if problem not in problems:
                problems.append(problem)
        if problems:
            break
    return problems


def _condition_problems(path: str, search: Search, arms: Sequence[Arm]) -> Found:
    dimension = search.space[path]
    if path in in_order(search.space)[1]:
        yield ("when",), "these conditions depend on each other in a circle"
    for other, allowed in dimension.conditions.items():
        where = ("when", other)
        if other == path:
            yield where, "depends on itself"
            continue
        searched = search.space.get(other)
        own = [value_at(arm.workload, other) for arm in arms if has_value(arm.workload, other)]
        if searched is None and not own:
            yield where, f"no arm has the setting '{other}'{_nearest_path(other, search, arms)}"
        elif searched is not None and searched.choice is None:
            yield where, f"'{other}' is searched over a range; only a choice can be a condition"
        else:
            possible = [*(searched.values if searched else ()), *own]
            for value in allowed:
                if not is_among(value, possible):
                    yield where, f"'{other}' is never {value}{nearest(value, possible)}"


def _nearest_path(path: str, search: Search, arms: Sequence[Arm]) -> str:
    known = {*search.space, *(p for arm in arms for p in _paths(arm.workload))}
    return nearest(path, sorted(known - {path}))


def _paths(workload: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in workload.items():
        yield prefix + key
        if isinstance(value, Mapping):
            yield from _paths(value, f"{prefix}{key}.")


def _path_problems(search: Search, arms: Sequence[Arm], spaces: Mapping[str, Space]) -> Found:
    """Find dimensions that are searched for no arm although none sets them itself."""
    for path, dimension in search.space.items():
        where = ("space", path)
        if any(isinstance(value_at(arm.workload, path), Mapping) for arm in arms):
            yield where, f"is a whole component; did you mean '{path}.name'?"
        elif any(path in spaces[arm.name] for arm in arms):
            continue
        elif all(is_set_by(arm, path) for arm in arms):
            yield where, "is searched for no arm: every arm sets it itself"
        elif any(path in arm.sets for arm in arms):
            continue
        elif any(has_value(arm.workload, path) for arm in arms):
            yield where, "is searched for no arm: its `on` and `when` never hold together"
        else:
            yield where, _unknown_path(path, dimension, search, arms)


def _unknown_path(path: str, dimension: Dimension, search: Search, arms: Sequence[Arm]) -> str:
    """Say why no arm has a path, in the words of the schema where it has some."""
    try:
        candidate_workload(arms[0], {path: dimension.values[0]})
    except ValidationError as error:
        for problem in explain(error, Document({}), Workload):
            if problem.path == path:
                return f"no arm has this setting: {problem.message}"
    except (KeyError, AttributeError):
        pass
    return f"no arm has this setting{_nearest_path(path, search, arms)}"


def _value_problems(arms: Sequence[Arm], spaces: Mapping[str, Space]) -> Found:
    """Try the ends of every range and every value of a choice, under all that they depend on."""
    tried: set[str] = set()
    for arm in arms:
        space = spaces[arm.name]
        for path, dimension in space.items():
            part = path.partition(".")[0]
            named = [p for p in space if p.startswith(f"{part}.") and "choice" in space[p]]
            key = repr((path, arm.workload[part], dimension, [space[p] for p in named]))
            if key in tried:
                continue
            tried.add(key)
            for message in _refusals(arm, path, space):
                yield ("space", path), message


def _refusals(arm: Arm, path: str, space: Space) -> Iterator[str]:
    name = name_path(path)
    free_name = name != path and name in space and name not in space[path].get("when", {})
    for chosen in settings_for(path, space):
        names = kind_of(space[name])[1] if free_name else [None]
        for value in kind_of(space[path])[1]:
            for switch in names:
                parameters = {**({name: switch} if free_name else {}), **chosen, path: value}
                try:
                    candidate_workload(arm, parameters)
                except ValidationError as error:
                    unknown = any(item["type"] == UNKNOWN for item in error.errors())
                    if free_name and unknown:
                        yield f"does not exist where {name} is {switch}; needs a `when`"
                        continue
                    for problem in explain(error, Document({}), Workload):
                        inside = "" if problem.path == path else f"{problem.path}: "
                        yield f"{inside}{problem.message}"
                except (KeyError, AttributeError):
                    yield "leads through a plain value"


def _sampler_problems(search: Search, arms: Sequence[Arm], spaces: Mapping[str, Space]) -> Found:
    for arm in arms:
        for below, message in search.sampled_by(arm).refusals(spaces[arm.name]):
            yield ("space", *below), message


def _budget_problems(study: Study, arms: Sequence[Arm], spaces: Mapping[str, Space]) -> Found:
    search = study.search
    assert search is not None
    if search.repeats > study.most_seeds:
        yield (
            ("repeats",),
            f"{search.repeats} winners for {study.most_seeds} confirmation seeds: some would never"
            " be confirmed",
        )
    searched = [arm for arm in arms if spaces[arm.name]]
    for arm in searched:
        needed = most_epochs(search, arm, spaces[arm.name])
        if search.epochs is not None and needed > search.epochs:
            seeds = f" on each of {search.seeds} search seeds" if search.seeds > 1 else ""
            yield (
                ("epochs",),
                f"too few for one candidate of arm '{arm.name}', which takes"
                f" {needed // search.seeds}{seeds}",
            )
            return
    if search.pruning and searched:
        longest = max(most_epochs(search, arm, spaces[arm.name]) for arm in searched)
        refused = search.pruning.refusal(longest // search.seeds)
        if refused:
            yield ("pruning", refused[0]), refused[1]


def _metric_problems(search: Search, arms: Sequence[Arm]) -> Found:
    if search.metric is None:
        return
    for arm in arms:
        if arm.workload["training"] is not None:
            continue  # what it reports is known when it does
        known = [*task_learned(arm.workload).measures, *arm.workload["metrics"]]
        name = search.metric.partition(".")[2]
        if name not in known:
            listed = ", ".join(f"validation.{metric}" for metric in known)
            yield (
                ("metric",),
                f"{arm.workload['data']['name']} is measured by {listed}{nearest(name, known)}",
            )
            return


def _unlike_candidates(search: Search, arms: Sequence[Arm], spaces: Mapping[str, Space]) -> Found:
    """Find settings that change what the score of a candidate means, so that no winner is one."""
    told = set[str]()
    for arm in arms:
        if arm.workload["training"] is not None:
            continue  # what its settings do is not known
        for path in sorted(set(spaces[arm.name]) - told):
            message = _why_unlike(search, arm, path, kind_of(spaces[arm.name][path])[1])
            if message:
                told.add(path)
                yield ("space", path), message


def _why_unlike(search: Search, arm: Arm, path: str, values: Sequence[Any]) -> str | None:
    if any(is_within(path, setting) for setting in OTHER_VALIDATION):
        return (
            "decides on which examples and labels a candidate is validated, so that the easiest"
            " would win; vary it by a factor"
        )
    if path.partition(".")[0] == "model":
        return _why_seeing(arm, path, values)
    if path.partition(".")[0] not in ("data", "loss", "task"):
        return None
    metric = search.metric or selecting_metric(arm.workload)
    scores: list[Any] = []
    for value in values:
        with suppress(ValidationError, KeyError, AttributeError):
            workload = candidate_workload(arm, {path: value})
            loss = loss_measured(metric, workload) if metric.endswith(".loss") else None
            data = data_of(workload["data"])
            read = data.reach if isinstance(data, Series) else None
            tokens = (data.token_meaning, data.form.shape) if data.predicts_next else None
            scores.append((loss, data.form.outputs, definition(metric, workload), read, tokens))
    if any(score != scores[0] for score in scores):
        return (
            f"changes what {metric} means, by which candidates are compared; vary it by a factor,"
            " or search by a metric that all report alike"
        )
    return None


def _why_seeing(arm: Arm, path: str, values: Sequence[Any]) -> str | None:
    """Say that some candidates read the tokens that they are to predict, which would win."""
    sees = set[bool]()
    for value in values:
        with suppress(ValidationError, KeyError, AttributeError):
            sees.add(sees_answer(candidate_workload(arm, {path: value})))
    if len(sees) < 2:
        return None
    return (
        f"lets some candidates of the arm '{arm.name}' read the tokens that they are to predict, so"
        " that these win; leave it as it is"
    )
