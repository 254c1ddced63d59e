"""What is wrong with arms: names that cannot be told apart, arms that are the same arm.

And with settings that would not do what they say: words that are no truth values, and settings that
others overwrite in every arm.
"""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.data import data_of
from harness.errors import Problem
from harness.formatting import listed
from harness.measures.base import ACROSS
from harness.registry import TASKS, written
from harness.study.claims import CompositeClaim, Test
from harness.study.contrasts import compared
from harness.study.data_checks import as_used
from harness.study.design import (
    SIMPLE_BASELINE,
    WORKLOAD,
    Arm,
    assignments_of,
    baseline_levels,
    combinations_of,
    is_within,
    place_of_level,
)
from harness.study.document import Document, Path_, Unquoted, assign, dotted
from harness.study.model import Study
from harness.study.search_space import arm_spaces
from harness.study.stages import build_stages
from harness.tasks import USUAL
from harness.trial import digest, with_sources

RESERVED = {"arm": "selects arms by their names", "at": "holds the levels of the other factors"}
SAME_NETWORK = "train the same networks: only what is measured of them differs"
SAME_ARM = "are one arm: all their settings are equal, and so are their trials"


def check_arms(study: Study, arms: Sequence[Arm], document: Document) -> list[Problem]:
    """Find factors called like a word of selectors, and named arms called like another arm."""
    problems = []
    for name in study.factors:
        if name in RESERVED:
            message = f"a factor cannot be called `{name}`, which {RESERVED[name]} in claims"
            problems.append(document.problem(("factors", name), message, at_key=True))
    designed = {arm.name for arm in arms if not arm.named}
    for name in study.arms:
        message = ""
        if name == SIMPLE_BASELINE:
            message = f"`{name}` is the name of the simple model; call this arm otherwise"
        elif name in designed:
            message = f"an arm of the design is called '{name}' as well; call this one otherwise"
        if message:
            problems.append(document.problem(("arms", name), message, at_key=True))
    return problems


# --- arms that are one arm ------------------------------------------------------------------------
def same_arms(study: Study, arms: Sequence[Arm], measured: bool = True) -> list[list[str]]:
    """Return the names of arms whose trials are the same trials, probes aside, group by group.

    Args:
        study: that they belong to.
        arms: of the study.
        measured: whether arms that only measure something else of the same network are others.
    """
    stages, kept = build_stages(study), dict if measured else _learned
    # most arms differ whatever their numbers are written like, which is told quickly
    coarse: dict[str, list[Arm]] = {}
    for arm in arms:
        text = json.dumps(_sourced(kept(arm.workload), stages), sort_keys=True)
        for end in ",}]":
            text = text.replace(f".0{end}", end)
        coarse.setdefault(text, []).append(arm)
    groups = [
        part
        for group in coarse.values()
        if len(group) > 1
        for part in _grouped(group, lambda arm: _sourced(kept(arm.workload), stages))
    ]
    if groups and study.search:  # an arm that fixes what another one searches is another arm
        spaces = arm_spaces(study.search, [arm for alike in groups for arm in alike])
        groups = [
            part
            for alike in groups
            for part in _grouped(alike, lambda a: _searched(a, study, spaces[a.name]))
        ]
    return [[arm.name for arm in alike] for alike in groups]


def _learned(workload: Mapping[str, Any]) -> dict[str, Any]:
    """Return a workload without what it measures alone."""
    kept, task = dict(workload), workload.get("task")
    if kept.get("metrics"):
        kept["metrics"] = {}
    if task is not None:
        alone = TASKS.read(task).only_measures
        task = {key: value for key, value in task.items() if key not in alone}
        kept["task"] = None if set(task) == {"name"} and task["name"] in USUAL.values() else task
    return kept


def _searched(arm: Arm, study: Study, space: Mapping[str, Any]) -> Any:
    """Return over what an arm is searched and by which sampler; nothing where all is fixed."""
    return [space, written(study.search.sampled_by(arm))] if study.search and space else []


def _grouped(arms: Sequence[Arm], of: Callable[[Arm], Any]) -> list[list[Arm]]:
    """Return the arms of which something is equal, group by group; no group of one."""
    groups: dict[str, list[Arm]] = {}
    for arm in arms:
        groups.setdefault(digest(_plain(of(arm))), []).append(arm)
    return [alike for alike in groups.values() if len(alike) > 1]


def _sourced(workload: Mapping[str, Any], stages: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return a workload with the stages themselves in place of their names."""

    def stage(name: str) -> Any:
        others = {other: stages[other] for other in stages if other != name}
        return _sourced(stages[name], others) if name in stages else name

    return with_sources(workload, stage)


def _plain(value: Any) -> Any:
    """Write a number one way, whether it was given as `1` or as `1.0`."""
    if isinstance(value, Mapping):
        return {key: _plain(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(below) for below in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def check_same_arms(study: Study, arms: Sequence[Arm], document: Document) -> list[Problem]:
    """Find claims that compare an arm with itself under another name."""
    groups = _group_of_each(same_arms(study, arms, measured=False))
    alike = [arm for arm in arms if arm.name in groups]
    whole = _group_of_each(same_arms(study, alike))
    problems = []
    for where, test in tests_of(study):
        pair = next(_compared(test, study, arms, groups), None) if groups else None
        said = None if pair else _beyond_what_there_is(test, study, arms)
        if said:
            problems.append(document.problem((*where, test.measure.name), said))
        if pair:
            one, other = (whole.get(name) for name in pair)
            why = SAME_ARM if one is not None and one == other else SAME_NETWORK
            message = f"compares {pair[0]} with {pair[1]}, but they {why}"
            problems.append(document.problem((*where, test.measure.name), message))
    return problems


def _beyond_what_there_is(test: Test, study: Study, arms: Sequence[Arm]) -> str | None:
    """Say which arms are one, since they ask for more examples than there are; None if none are."""
    looked_at = {arm.name: arm for side in compared(test, study, arms).sides for arm in side}
    used = {name: as_used(arm.workload) for name, arm in looked_at.items()}
    if all(used[name] == arm.workload for name, arm in looked_at.items()):
        return None
    stages = build_stages(study)
    named = list(looked_at.values())
    alike = _grouped(named, lambda arm: _sourced(_learned(used[arm.name]), stages))
    groups = _group_of_each([[arm.name for arm in group] for group in alike])
    pair = next(_compared(test, study, arms, groups), None)
    if pair is None:
        return None
    data = data_of(looked_at[pair[0]].workload["data"])
    return (
        f"compares {pair[0]} with {pair[1]}, which are one training: outside the test split of"
        f" {data.name} there are no more than {data.most_examples:,} examples to be used, or to be"
        " in a batch"
    )


def _group_of_each(groups: Sequence[Sequence[str]]) -> dict[str, int]:
    return {name: index for index, names in enumerate(groups) for name in names}


def tests_of(study: Study) -> Iterator[tuple[Path_, Test]]:
    """Yield every test of every claim with its place."""
    for i, claim in enumerate(study.claims):
        for j, test in enumerate(claim.tests):
            parts = isinstance(claim, CompositeClaim)
            yield (("claims", i, "all_of", j) if parts else ("claims", i)), test


def _compared(
    test: Test, study: Study, arms: Sequence[Arm], groups: Mapping[str, int]
) -> Iterator[tuple[str, str]]:
    """Yield the pairs of names of one arm that a test sets against each other."""
    sides = compared(test, study, arms).sides
    names = [[arm.name for arm in side if arm.name in groups] for side in sides]
    two_sides = itertools.combinations(names, 2)
    pairs = [pair for one, other in two_sides for pair in itertools.product(one, other)]
    if ACROSS[test.across].spread:
        pairs += [pair for side in names for pair in itertools.combinations(side, 2)]
    for one, other in pairs:
        if one != other and groups[one] == groups[other]:
            yield one, other


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


# --- overrides that never act ---------------------------------------------------------------------
@dataclass(frozen=True)
class _Setting:
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


Placed = list[tuple[_Setting, _Mark]]


def check_overrides(
    study: Study, document: Document, profile: str | None, overrides: Mapping[str, Any]
) -> list[Problem]:
    """Find settings that others overwrite in every arm, so that they never act."""
    base = study.workload.model_dump(exclude_unset=True)
    known = document.data.get("profiles")
    own = known.get(profile, {}) if profile and isinstance(known, Mapping) else {}
    outer = [*_outer(f"profile '{profile}'", ("profiles", str(profile)), own, overrides)]
    outer += _outer("--set", (), overrides, {})
    problems = []
    if _may_be_lost(study, outer):
        problems = _never_acting([_left(base, [*outer, *arm]) for arm in _arms(study)], document)
    base.pop("transfer", None)
    base.pop("uses", None)
    for name, settings in study.all_stages.items():
        stage = _listed("the stage", (study.block_of(name), name), settings)
        problems += _never_acting([_left(base, stage)], document)
    return problems


def _may_be_lost(study: Study, outer: Sequence[_Setting]) -> bool:
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
) -> Iterator[_Setting]:
    """Yield what a profile or the command line sets of the workload, and nothing later replaces."""
    for path, value in settings.items():
        replaced = any(_overlap(path, other) for other in later)
        if path.startswith(WORKLOAD) and not replaced:
            at = (*where, path) if where else ()
            yield _Setting(who, at, path.removeprefix(WORKLOAD), value, whole=True)


def _arms(study: Study) -> Iterator[list[_Setting]]:
    """Yield what each arm sets, in the order in which it is set."""
    for levels in combinations_of(study, baseline_levels(study)):
        settings: dict[str, _Setting] = {}
        lost: list[_Setting] = []
        for factor, level in levels.items():
            where = place_of_level(study, factor, level)
            labelled = isinstance(study.factors[factor].levels, dict)
            for path, value in assignments_of(study, factor, level).items():
                lost += [settings[path]] if path in settings else []
                at = (*where, path) if labelled else where
                settings[path] = _Setting(f"factor '{factor}'", at, path, value)
        yield [*lost, *settings.values()]
    for name, given in study.arms.items():
        yield _listed("the arm", ("arms", name), given)


def _listed(who: str, where: Path_, settings: Mapping[str, Any]) -> list[_Setting]:
    return [_Setting(who, (*where, path), path, value) for path, value in settings.items()]


def _left(base: Mapping[str, Any], settings: Sequence[_Setting]) -> list[tuple[_Setting, str]]:
    """Return every single value that is set, and who overwrites it; empty where it stays."""
    data = copy.deepcopy(dict(base))
    placed: Placed = []
    for setting in settings:
        assign(data, setting.path, _marked(setting, placed))
    return [(s, "" if _stays(data, s, mark) else _successor(s, placed)) for s, mark in placed]


def _marked(setting: _Setting, placed: Placed) -> Any:
    value = setting.value
    if isinstance(value, Mapping) and value:
        return {
            key: _marked(replace(setting, path=f"{setting.path}.{key}", value=below), placed)
            for key, below in value.items()
        }
    mark = _Mark(value if isinstance(value, str) else "")
    placed.append((setting, mark))
    return mark


def _stays(data: Any, setting: _Setting, mark: _Mark) -> bool:
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


def _successor(setting: _Setting, placed: Placed) -> str:
    """Return who comes last of those that set the same path, or one above or below it."""
    others = [s for s, _ in placed if s is not setting]
    touching = [s.who for s in others if _overlap(s.path.removesuffix(".name"), setting.path)]
    return touching[-1] if touching else setting.who


def _overlap(one: str, other: str) -> bool:
    return is_within(one, other) or is_within(other, one)


def _never_acting(
    runs: Sequence[Sequence[tuple[_Setting, str]]], document: Document
) -> list[Problem]:
    """Return a problem for each setting that is overwritten in all arms that have it."""
    lost: dict[tuple[str, Path_, str], tuple[_Setting, set[str]]] = {}
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
