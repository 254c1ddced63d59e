"""From factors to arms, and from selectors to arms."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails

from harness.augmentations import turned_off
from harness.components.base import named
from harness.formatting import level_text, listed
from harness.levels import is_among, level_key, same_value
from harness.measures.base import Selector
from harness.registry import written
from harness.study.document import Path_, assign
from harness.study.model import Study
from harness.study.search import SAMPLER
from harness.study.workload import Workload

# `optimizer: sgd` is `{name: sgd}`
NAMED_PARTS = {"data", "model", "optimizer", "schedule", "training"}
SIMPLE_BASELINE = "simple-baseline"
"""The name of the arm of the simple model, which no other arm may bear."""

_ONE_WORD = re.compile(r"[\w.+/:-]+")
OnError = Callable[[ValidationError, Path_, Mapping[str, Path_]], None]
"""Told of an error, where it stands unless its path says more, and where each path is set."""
Where = Callable[[], tuple[Path_, Mapping[str, Path_]]]


@dataclass(frozen=True)
class Arm:
    """One combination of levels, as a name, its levels and the workload it means.

    `sets` lists the paths that the arm fixes itself; they are not searched over. `sampler` is the
    one that searches the arm, as a level writes it; None: that of the study.
    """

    name: str
    levels: Mapping[str, Any]
    workload: Mapping[str, Any]
    sets: tuple[str, ...]
    named: bool = False
    is_baseline: bool = False
    sampler: Any = None

    @cached_property
    def keys(self) -> Mapping[str, Any]:
        """Of each factor, what its level is told apart by."""
        return {factor: level_key(level) for factor, level in self.levels.items()}

    @cached_property
    def text(self) -> str:
        """The workload as JSON; a number that is whole is written one way or the other."""
        return json.dumps(self.workload, sort_keys=True)


def build_arms(study: Study, on_error: OnError | None = None) -> list[Arm]:
    """Return the arms of the design, then the named ones.

    Args:
        study: the study.
        on_error: told of each arm whose levels do not make a valid workload (the arm is left
            out); without it such an arm raises pydantic's ValidationError.
    """
    base = json.dumps(study.workload.model_dump(exclude_unset=True))
    own = study.workload.model_dump()
    baseline = baseline_levels(study)
    arms = []
    combinations = combinations_of(study, baseline)
    names = _arm_names(study, combinations, baseline)
    for name, levels in zip(names, combinations, strict=True):
        assignments: dict[str, Any] = {}
        for factor, level in levels.items():
            assignments |= assignments_of(study, factor, level)
        sampler = assignments.pop(SAMPLER, None)
        where = partial(_places, study, levels, own)
        workload = checked_workload(base, assignments, where, on_error)
        if workload is not None:
            reference = all(same_value(level, baseline[f]) for f, level in levels.items())
            sets = leaves(assignments)
            arms.append(Arm(name, levels, workload, sets, False, reference, sampler))
    for name, given in study.arms.items():
        assignments = {path: value for path, value in given.items() if path != SAMPLER}
        workload = checked_workload(base, assignments, below(("arms", name), given), on_error)
        if workload is not None:
            sets = leaves(assignments)
            arms.append(Arm(name, {}, workload, sets, named=True, sampler=given.get(SAMPLER)))
    claims = [claim.model_dump() for claim in study.claims]
    if _names_simple_baseline(claims) and study.simple_model is not None:
        arms.append(simple_arm(study))
    return arms


def simple_arm(study: Study) -> Arm:
    """Return the arm of the simple model, which a study must have."""
    return _simple(SIMPLE_BASELINE, study.workload.model_dump(mode="json"), study.simple_model)


def simple_arms(study: Study) -> list[Arm]:
    """Return the arms of simple models: one, in a benchmark one for each data set, or none."""
    if study.datasets is None:
        return [] if study.simple_model is None else [simple_arm(study)]
    found, base = [], study.workload.model_dump(exclude_unset=True)
    for level in study.factors[study.datasets].levels:
        data = copy.deepcopy(base)
        for path, value in assignments_of(study, study.datasets, level).items():
            _assign(data, path, copy.deepcopy(value))
        workload = Workload.model_validate_json(json.dumps(data), strict=True)
        if (model := study.simple_model_of(workload)) is not None:
            name = f"{SIMPLE_BASELINE} on {level_text(level)}"
            found.append(_simple(name, workload.model_dump(mode="json"), model))
    return found


def _simple(name: str, shared: dict[str, Any], model: str | None) -> Arm:
    for part in ("transfer", "uses", "training", "metrics", "task"):
        shared.pop(part, None)
    return Arm(name, {}, with_settings({**shared, "model": model}, {}), ("model",), named=True)


def is_simple_baseline(arm: str) -> bool:
    """Whether an arm of this name is that of a simple model."""
    return arm == SIMPLE_BASELINE or arm.startswith(f"{SIMPLE_BASELINE} on ")


def _names_simple_baseline(said: Any) -> bool:
    """Tell whether a claim selects the simple model by its name."""
    if isinstance(said, list | tuple):
        return any(map(_names_simple_baseline, said))
    if not isinstance(said, Mapping):
        return False
    named = said.get("arm")
    names = named if isinstance(named, list | tuple) else [named]
    return SIMPLE_BASELINE in names or any(map(_names_simple_baseline, said.values()))


def leaves(assignments: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the paths of the plain values: `optimizer: {name: sgd}` sets `optimizer.name` only."""
    paths: list[str] = []
    for path, given in assignments.items():
        value = named(given) if path in NAMED_PARTS else given
        if isinstance(value, Mapping) and value:
            paths += [f"{path}.{below}" for below in leaves(value)]
        else:
            paths.append(path)
    return tuple(paths)


def _arm_names(
    study: Study, combinations: Sequence[Mapping[str, Any]], baseline: Mapping[str, Any]
) -> list[str]:
    """Return a name for each arm of the design, no two alike.

    The levels, joined by dashes; where two arms would share such a name, or one would be called
    like the simple baseline, every arm's name says the factors too: `size=x-y,depth=z`.
    """
    names = [study.design.arm_name(levels, baseline) for levels in combinations]
    if len({*names, SIMPLE_BASELINE}) == len(names) + 1:
        return names
    return [",".join(f"{f}={_word(v)}" for f, v in levels.items()) for levels in combinations]


def _word(level: Any) -> str:
    """Write a level so that it cannot be taken for more than one."""
    text = str(level)
    return text if _ONE_WORD.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def combinations_of(study: Study, baseline: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the levels of each arm of the design."""
    levels = {name: list(factor.levels) for name, factor in study.factors.items()}
    found: list[dict[str, Any]] = study.design.combinations(levels, baseline)
    return found


def baseline_levels(study: Study) -> dict[str, Any]:
    """Return each factor's reference level.

    The workload's own value if it is a level, else the first level; in a two-level design always
    the first, which is the component in place.
    """
    workload = study.workload.model_dump()
    workload["augmentation"] = workload["augmentation"] or turned_off()
    levels = {}
    for name, factor in study.factors.items():
        own = value_at(workload, factor.path) if factor.path else None
        if own is None and factor.path:
            own = _unwritten(study.workload, factor.path)
        if factor.path == SAMPLER and study.search is not None:
            own = written(study.search.sampler)
        options = list(factor.levels)
        by_own = is_among(own, options) and not study.design.two_levels
        levels[name] = own if by_own else options[0]
    return levels


def value_at(workload: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted path, None where there is none."""
    value: Any = workload
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def assignments_of(study: Study, factor: str, level: Any) -> dict[str, Any]:
    """Return what a level of a factor sets: `{path: value}`."""
    declared = study.factors[factor]
    if isinstance(declared.levels, dict):
        return declared.levels[level]
    return {str(declared.path): level}


def _unwritten(part: Any, path: str) -> bool | float | str | None:
    """Return a setting that is not written down because it is at its default; None if none is."""
    for name in path.split("."):
        part = getattr(part, name, None)
    return part if isinstance(part, bool | int | float | str) else None


def _origin(study: Study, levels: Mapping[str, Any], workload: Mapping[str, Any]) -> Path_:
    """Return where the first level that changes the workload stands in the file."""
    for name, level in levels.items():
        path = study.factors[name].path
        if path is None or not same_value(level, value_at(workload, path)):
            return place_of_level(study, name, level)
    return ("factors",)


def _places(
    study: Study, levels: Mapping[str, Any], workload: Mapping[str, Any]
) -> tuple[Path_, Mapping[str, Path_]]:
    """Return where the levels of an arm stand, and each path that they set."""
    found: dict[str, Path_] = {}
    for name, level in levels.items():
        at = place_of_level(study, name, level)
        labelled = isinstance(study.factors[name].levels, dict)
        for path in assignments_of(study, name, level):
            found[path] = (*at, path) if labelled else at
    return _origin(study, levels, workload), found


def below(origin: Path_, paths: Iterable[str]) -> Where:
    """Return where paths stand that are the keys of one mapping in the file."""
    return lambda: (origin, {path: (*origin, path) for path in paths})


def place_of_level(study: Study, factor: str, level: Any) -> Path_:
    """Return where a level of a factor stands in the file."""
    declared = study.factors[factor].levels
    at: str | int = level
    if not isinstance(declared, dict):
        places = enumerate(declared)
        at = next(i for i, known in places if known == level and same_value(known, level))
    return ("factors", factor, "levels", at)


def place_of(study: Study, arms: Sequence[Arm], failing: Sequence[Arm], path: str) -> Path_:
    """Return where in a study file that stands which makes arms fail.

    That is the level or named arm that sets the path itself, else one that sets something below it
    and that no other arm has, else the workload.

    Args:
        study: the study.
        arms: all of them.
        failing: those that fail, and alike.
        path: of the workload, which is wrong in these arms.
    """
    arm, names = failing[0], {one.name for one in failing}
    settings: list[tuple[Path_, str, set[str]]] = []
    if arm.named:
        given = study.arms.get(arm.name, {})
        settings += [(("arms", arm.name, key), key, {arm.name}) for key in given]
    for factor, level in arm.levels.items():
        levels = study.factors[factor].levels
        having = {one.name for one in arms if same_value(one.levels.get(factor), level)}
        for key in assignments_of(study, factor, level):
            at = (key,) if isinstance(levels, dict) else ()
            settings.append(((*place_of_level(study, factor, level), *at), key, having))
    for place, key, _ in settings:
        if is_within(path, key):
            return (*place, *path[len(key) + 1 :].split(".")) if path != key else place
    for place, key, having in settings:
        if is_within(key, path) and having <= names and len(names) < len(arms):
            return place
    return ("workload", *path.split("."))


def is_within(path: str, other: str) -> bool:
    """Whether a dotted path is another one, or lies below it."""
    return f"{path}.".startswith(f"{other}.")


def checked_workload(
    base: str,
    assignments: Mapping[str, Any],
    where: Where,
    on_error: OnError | None,
) -> Mapping[str, Any] | None:
    """Return a workload with some dotted paths set, resolved; None after telling of an error.

    Args:
        base: the workload, as JSON: of many arms each gets a copy of its own.
        assignments: dotted paths and their values.
        where: says where they stand in the file: all of them, and each path.
        on_error: told of an error; without it pydantic's ValidationError is raised.
    """
    data = json.loads(base)
    try:
        for path, value in assignments.items():
            _assign(data, path, copy.deepcopy(value))
        return Workload.resolved(data)
    except ValidationError as error:
        if on_error is None:
            raise
        on_error(error, *where())
        return None


def _assign(data: dict[str, Any], path: str, value: Any) -> None:
    """Assign a dotted path; one that leads through a plain value is a mistake like any other."""
    try:
        if path.startswith(WORKLOAD):
            raise KeyError(path)
        name_usual_optimizer(data, path)
        assign(data, path, value)
    except (KeyError, AttributeError, TypeError):
        said = below_the_workload(path) or "leads through a plain value"
        where, error = tuple(path.split(".")), ValueError(said)
        details = InitErrorDetails(type="value_error", loc=where, input=value, ctx={"error": error})
        raise ValidationError.from_exception_data("Workload", [details]) from None


WORKLOAD = "workload."


def below_the_workload(path: str) -> str | None:
    """Say how a path is written that should begin below the workload, where it does not."""
    if not path.startswith(WORKLOAD):
        return None
    return f"begins below `workload` here; write `{path.removeprefix(WORKLOAD)}`"


def name_usual_optimizer(workload: dict[str, Any], path: str) -> None:
    """Let a path such as `optimizer.lr` set the optimizer that is used where none is named."""
    if path.startswith("optimizer.") and "optimizer" not in workload:
        usual = Workload.model_fields["optimizer"].get_default(call_default_factory=True)
        workload["optimizer"] = {"name": usual.name}


def with_settings(workload: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resolved workload with some dotted paths changed, checked again."""
    data = copy.deepcopy(dict(workload))
    for path, value in settings.items():
        assign(data, path, value)
    return Workload.resolved(data)


# --- selectors ----------------------------------------------------------------------------------
def select(arms: Sequence[Arm], selector: Selector) -> list[Arm]:
    """Return the arms whose levels match a selector, or whose name does, under the key `arm`.

    Arms that were named in the study file are found by their name only; those of the design by
    either, the one without factors, which is called `baseline`, among them.
    """
    return Selection(arms, selector).select(selector)


class Selection:
    """Arms by their levels, so that many selectors need not look at all arms."""

    def __init__(self, arms: Sequence[Arm], *selectors: Selector):
        """Take the arms, and the selectors that will be asked for."""
        self._arms = arms
        self._factors = {factor for selector in selectors for factor in selector} - {"arm"}
        self._at: dict[tuple[str, Any], list[int]] = {}
        for place, arm in enumerate(arms):
            for factor in self._factors if not arm.named else ():
                self._at.setdefault((factor, arm.keys.get(factor)), []).append(place)

    def select(self, selector: Selector) -> list[Arm]:
        """Return what the function `select` does, for one of the selectors it was made for."""
        wanted = {key: v if isinstance(v, list) else [v] for key, v in selector.items()}
        if "arm" in wanted:
            return [arm for arm in self._arms if arm.name in wanted["arm"]]
        if not wanted:
            return [arm for arm in self._arms if not arm.named]
        found: set[int] | None = None
        for factor, values in wanted.items():
            keys = dict.fromkeys(map(level_key, values))
            places = {place for key in keys for place in self._at.get((factor, key), ())}
            found = places if found is None else found & places
        return [self._arms[place] for place in sorted(found or ())]


def missing_arm(selector: Selector, study: Study) -> str:
    """Say that the design has no arm of these levels, and what to write."""
    if not study.design.partial:
        return "the design contains no such arm"
    levels = ", ".join(
        f"{factor} {listed([level_text(v) for v in (w if isinstance(w, list) else [w])], 'or')}"
        for factor, w in selector.items()
    )
    return (
        f"the design {study.design.name} has no arm with {levels}; write `design: factorial`,"
        " which has every combination"
    )
