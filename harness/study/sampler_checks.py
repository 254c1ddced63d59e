"""What is wrong where samplers are compared: budgets or spaces that are not equal, and no search.

And with claims about what searches found (`search.NAME`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from harness.errors import Problem, nearest
from harness.judged import FEWEST
from harness.metrics import BUILT_IN
from harness.registry import SAMPLERS, setting
from harness.samplers.base import Space
from harness.study.design import Arm, assignments_of, place_of_level, select
from harness.study.document import Document, Path_
from harness.study.model import Study
from harness.study.search import SAMPLER, Search
from harness.study.search_space import arm_spaces


def check_samplers(study: Study, document: Document) -> list[Problem]:
    """Find levels and named arms that set anything of the search but its sampler.

    They would compare arms that are tuned with other budgets or over other spaces.
    """
    problems = []
    for where, path, value, others in _set_of_search(study):
        message = ""
        if path != SAMPLER:
            message = (
                f"`{path}` cannot differ between arms, which are tuned with equal budgets over"
                f" equal spaces; only `{SAMPLER}` can"
            )
        elif study.search is None:
            message = f"`{SAMPLER}` is of no use without a `search`"
        elif others:
            message = (
                f"a level that sets `{SAMPLER}` can set nothing else (`{others[0]}`), or nobody"
                " could tell which of the two made a difference"
            )
        else:
            message = _unreadable(value)
        if message:
            problems.append(document.problem(where, message))
    return problems


def _set_of_search(study: Study) -> Iterator[tuple[Path_, str, Any, list[str]]]:
    """Yield what levels and arms set of the search: where, the path, the value, what else."""
    for name, factor in study.factors.items():
        for level in factor.levels:
            given = assignments_of(study, name, level)
            place = place_of_level(study, name, level)
            for path, value in given.items():
                if path.partition(".")[0] == "search":
                    at = (*place, path) if isinstance(factor.levels, dict) else place
                    yield at, path, value, [other for other in given if other != path]
    for name, given in study.arms.items():
        for path, value in given.items():
            if path.partition(".")[0] == "search":
                yield ("arms", name, path), path, value, []


def _unreadable(value: Any) -> str:
    """Say why a value names no sampler; empty if it does."""
    try:
        TypeAdapter(setting(SAMPLERS, alone=True)).validate_python(value)
    except ValidationError as error:
        name = value.get("name") if isinstance(value, Mapping) else value
        names = list(SAMPLERS.names())
        if name not in names:
            known = ", ".join(names)
            return f"'{name}' is not one of the samplers {known}{nearest(str(name), names)}"
        return str(error.errors()[0]["msg"])
    return ""


def unequal_searches(
    study: Study, arms: Sequence[Arm], spaces: Mapping[str, Space]
) -> Iterator[tuple[Path_, str]]:
    """Find what arms differ in, beside their samplers, of how they are searched."""
    search = study.search
    if search is None or not search.samplers_differ(arms):
        return
    if search.candidates is None or search.epochs is not None:
        yield (
            ("epochs",),
            "samplers are compared with equal numbers of candidates: give the budget as"
            " `candidates` alone",
        )
        return
    for alike in _but_for_samplers(study, arms):
        yield from _other_spaces(alike, spaces)
        for arm in alike:
            points = search.sampled_by(arm).points(spaces[arm.name], search.candidates)
            if spaces[arm.name] and points is not None and len(points) != search.candidates:
                yield (
                    ("candidates",),
                    f"{search.candidates} candidates, of which arm '{arm.name}' could ask"
                    f" {len(points)}: other samplers would have a larger budget. Write a number"
                    " that a grid has, such as 2 values of each setting (64 for six settings)",
                )
                return


def _but_for_samplers(study: Study, arms: Sequence[Arm]) -> list[list[Arm]]:
    """Return the arms of the design that differ in their samplers alone, group by group."""
    factors = [
        name
        for name, factor in study.factors.items()
        if not any(SAMPLER in assignments_of(study, name, level) for level in factor.levels)
    ]
    groups: dict[str, list[Arm]] = {}
    for arm in arms:
        key = repr(arm.name if arm.named else [arm.keys[factor] for factor in factors])
        groups.setdefault(key, []).append(arm)
    return list(groups.values())


def _other_spaces(alike: Sequence[Arm], spaces: Mapping[str, Space]) -> Iterator[tuple[Path_, str]]:
    first, space = alike[0], spaces[alike[0].name]
    for arm in alike[1:]:
        other = spaces[arm.name]
        for path in [*space, *other]:
            if space.get(path) != other.get(path):
                yield (
                    ("space", path),
                    f"is not the same for '{first.name}' and '{arm.name}', which differ in their"
                    " sampler: samplers are compared over equal spaces",
                )
                return


# --- claims about what searches found -------------------------------------------------------------
def no_search_metric(
    metric: str, looked_at: Sequence[Arm], study: Study, arms: Sequence[Arm]
) -> str | None:
    """Say why there is no such number of the searches of these arms; None where there is."""
    known = [name for name in BUILT_IN if name.startswith("search.")]
    if metric not in known:
        return f"searches have no {metric} (they have: {', '.join(known)}){nearest(metric, known)}"
    search = study.search
    spaces = arm_spaces(search, arms) if search is not None else {}
    for arm in looked_at:
        if search is None or not spaces[arm.name]:
            return f"the arm '{arm.name}' is not searched, so that it has no {metric}"
    assert search is not None
    if search.repeats < FEWEST:
        return (
            f"{metric} is one number of each search, and each arm is searched"
            f" {'once' if search.repeats == 1 else f'{search.repeats} times'}: a claim needs"
            f" `search.repeats` of at least {FEWEST}"
        )
    if metric == "search.best":
        return _other_budgets(looked_at, search, spaces)
    for arm in looked_at:
        probes = [p for p in study.probes if p.name == "split_half"]
        if not any(not p.on or arm in select(arms, p.on) for p in probes):
            return f"the arm '{arm.name}' has no {metric}, which needs the probe split_half"
    if search.metric is not None and search.metric != "validation.accuracy":
        return f"{metric} is of validation.accuracy, and the search chooses by {search.metric}"
    return None


def _other_budgets(
    looked_at: Sequence[Arm], search: Search, spaces: Mapping[str, Space]
) -> str | None:
    """Say that the best of two searches is no fair comparison; None where they are alike."""
    if search.epochs is not None:
        return "the best of searches is compared at equal numbers of candidates; leave out `epochs`"
    asked = {}
    for arm in looked_at:
        points = search.sampled_by(arm).points(spaces[arm.name], search.candidates or 1)
        asked[arm.name] = search.candidates if points is None else len(points)
    first = looked_at[0]
    for arm in looked_at[1:]:
        if spaces[arm.name] != spaces[first.name] or asked[arm.name] != asked[first.name]:
            return (
                f"'{first.name}' and '{arm.name}' are not searched over the same space with the"
                " same number of candidates, so that the best that each search found says nothing"
            )
    return None
