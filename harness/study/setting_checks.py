"""Settings that would not do what they say.

Words that are no truth values, and settings that others overwrite in every arm.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.errors import Problem
from harness.formatting import listed
from harness.study.design import (
    WORKLOAD,
    assignments_of,
    baseline_levels,
    combinations_of,
    is_within,
    place_of_level,
)
from harness.study.document import Document, Path_, Unquoted, assign, dotted
from harness.study.model import Study

SETTINGS = "settings"


def check_words(document: Document, overrides: Mapping[str, Any]) -> list[Problem]:
    """Find `on`, `off`, `yes`, `no` and the like where settings are passed to code of one's own.

    They are text here, as YAML 1.2 has it, and every text is true in Python.

    Args:
        document: the study with a profile and overrides applied.
        overrides: those of the command line, which stand in no file.
    """
    found = []
    for path, word in _words(overrides, ()):
        if SETTINGS in _names(path):
            found.append(Problem(_advice(word), "--set", path=dotted(path)))
    given = {tuple(path.split(".")) for path in overrides}
    factors = document.data.get("factors")
    for path, word in _words(document.data, ()):
        names = _names(path)
        if path[0] == "factors" and isinstance(factors, Mapping):
            factor = factors.get(path[1])
            names += str(factor.get("path") if isinstance(factor, Mapping) else "").split(".")
        if SETTINGS in names and not any(path[: len(at)] == at for at in given):
            found.append(document.problem(path, _advice(word)))
    return found


def _advice(word: Unquoted) -> str:
    return (
        f"{word} is text here, which Python takes for true; write {word.meant}, or "
        f'"{word}" if the text is meant'
    )


def _words(data: Any, path: Path_) -> Iterator[tuple[Path_, Unquoted]]:
    if isinstance(data, Mapping | list):
        items = data.items() if isinstance(data, Mapping) else enumerate(data)
        for key, value in items:
            yield from _words(value, (*path, key))
    elif isinstance(data, Unquoted):
        yield path, data


def _names(path: Path_) -> list[str]:
    """Return the parts of a path, those of dotted keys included."""
    return [name for part in path for name in str(part).split(".")]


@dataclass(frozen=True)
class Setting:
    """A value that something sets in the workload: who sets it, where it stands in the file.

    Of a profile, a `whole` setting is missed if nothing of it is left; else any part is.
    """

    who: str
    where: Path_
    path: str
    value: Any
    whole: bool = False


class _Mark(str):
    """Stands for a value on its way into a workload, and is known by its identity."""


Placed = list[tuple[Setting, _Mark]]


def check_overrides(
    study: Study, document: Document, profile: str | None, overrides: Mapping[str, Any]
) -> list[Problem]:
    """Find settings that others overwrite in every arm, so that they never act."""
    base = study.workload.model_dump(exclude_unset=True)
    outer, problems = of_profile(document, profile, overrides), []
    if may_be_lost(study, outer):
        problems = _never_acting([_left(base, [*outer, *arm]) for arm in _arms(study)], document)
    base.pop("transfer", None)
    base.pop("uses", None)
    for name, settings in study.all_stages.items():
        stage = _listed("the stage", (study.block_of(name), name), settings)
        problems += _never_acting([_left(base, stage)], document)
    return problems


def of_profile(
    document: Document, profile: str | None, overrides: Mapping[str, Any]
) -> list[Setting]:
    """Return what a profile and the command line set of the workload."""
    known = document.data.get("profiles")
    own = known.get(profile, {}) if profile and isinstance(known, Mapping) else {}
    outer = [*_outer(f"profile '{profile}'", ("profiles", str(profile)), own, overrides)]
    return [*outer, *_outer("--set", (), overrides, {})]


def may_be_lost(study: Study, outer: Sequence[Setting]) -> bool:
    """Tell whether any two settings of an arm are about the same; most studies have none."""
    own = [
        [path for level in factor.levels for path in assignments_of(study, name, level)]
        if isinstance(factor.levels, dict)
        else [str(factor.path)]
        for name, factor in study.factors.items()
    ]
    groups = [*map(set, own), *(set(given) for given in study.arms.values())]
    within = any(_overlapping(sorted(group), sorted(group), same=True) for group in groups)
    factors = groups[: len(own)]
    across = any(_overlapping(one, other) for one, other in itertools.combinations(factors, 2))
    outside = {setting.path for setting in outer}
    within |= _overlapping(outside, outside, same=True)
    return within or across or any(_overlapping(outside, group) for group in groups)


def _overlapping(some: Iterable[str], others: Iterable[str], *, same: bool = False) -> bool:
    """Tell whether a path is about what another one is about; with `same`, of one group."""
    return any(
        _overlap(one.removesuffix(".name"), other.removesuffix(".name"))
        for one in some
        for other in others
        if not (same and one == other)
    )


def _outer(
    who: str, where: Path_, settings: Mapping[str, Any], later: Mapping[str, Any]
) -> Iterator[Setting]:
    """Yield what a profile or the command line sets of the workload, and nothing later replaces."""
    for path, value in settings.items():
        replaced = any(_overlap(path, other) for other in later)
        if path.startswith(WORKLOAD) and not replaced:
            at = (*where, path) if where else ()
            yield Setting(who, at, path.removeprefix(WORKLOAD), value, whole=True)


def _arms(study: Study) -> Iterator[list[Setting]]:
    """Yield what each arm sets, in the order in which it is set."""
    for levels in combinations_of(study, baseline_levels(study)):
        settings: dict[str, Setting] = {}
        lost: list[Setting] = []
        for factor, level in levels.items():
            where = place_of_level(study, factor, level)
            labelled = isinstance(study.factors[factor].levels, dict)
            for path, value in assignments_of(study, factor, level).items():
                lost += [settings[path]] if path in settings else []
                at = (*where, path) if labelled else where
                settings[path] = Setting(f"factor '{factor}'", at, path, value)
        yield [*lost, *settings.values()]
    for name, given in study.arms.items():
        yield _listed("the arm", ("arms", name), given)


def _listed(who: str, where: Path_, settings: Mapping[str, Any]) -> list[Setting]:
    return [Setting(who, (*where, path), path, value) for path, value in settings.items()]


def _left(base: Mapping[str, Any], settings: Sequence[Setting]) -> list[tuple[Setting, str]]:
    """Return every single value that is set, and who overwrites it; empty where it stays."""
    data = copy.deepcopy(dict(base))
    placed: Placed = []
    for setting in settings:
        assign(data, setting.path, _marked(setting, placed))
    return [(s, "" if _stays(data, s, mark) else _successor(s, placed)) for s, mark in placed]


def _marked(setting: Setting, placed: Placed) -> Any:
    value = setting.value
    if isinstance(value, Mapping) and value:
        return {
            key: _marked(replace(setting, path=f"{setting.path}.{key}", value=below), placed)
            for key, below in value.items()
        }
    mark = _Mark(value if isinstance(value, str) else "")
    placed.append((setting, mark))
    return mark


def _stays(data: Any, setting: Setting, mark: _Mark) -> bool:
    found = _at(data, setting.path)
    if isinstance(setting.value, str) and not isinstance(found, str):
        found = _at(data, f"{setting.path}.name")  # `model: mlp`, of which a setting was changed
    same_name = setting.path.endswith("name") and isinstance(found, str) and found == setting.value
    return found is mark or same_name


def _at(data: Any, path: str) -> Any:
    for part in path.split("."):
        if isinstance(data, list) and part.isdecimal() and int(part) < len(data):
            data = data[int(part)]
        else:
            data = data.get(part) if isinstance(data, Mapping) else None
    return data


def _successor(setting: Setting, placed: Placed) -> str:
    """Return who comes last of those that set the same path, or one above or below it."""
    others = [s for s, _ in placed if s is not setting]
    touching = [s.who for s in others if _overlap(s.path.removesuffix(".name"), setting.path)]
    return touching[-1] if touching else setting.who


def _overlap(one: str, other: str) -> bool:
    return is_within(one, other) or is_within(other, one)


def _never_acting(
    runs: Sequence[Sequence[tuple[Setting, str]]], document: Document
) -> list[Problem]:
    """Return a problem for each setting that is overwritten in all arms that have it."""
    lost: dict[tuple[str, Path_, str], tuple[Setting, set[str]]] = {}
    acting = set()
    for setting, by in (item for run in runs for item in run):
        key = (setting.who, setting.where, "" if setting.whole else setting.path)
        if not by:
            acting.add(key)
        lost.setdefault(key, (setting, set()))[1].add(by)
    problems = []
    for key, (setting, others) in lost.items():
        if key in acting:
            continue
        who = listed(sorted(others))
        verb = "overwrites" if len(others) == 1 else "overwrite"
        shown = setting.path if key[2] else WORKLOAD + setting.path
        message = f"{shown} never acts: {who} {verb} it in every arm"
        place = document.problem(setting.where, message) if setting.where else None
        problems.append(place or Problem(message, setting.who))
    return problems
