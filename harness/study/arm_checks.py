"""What is wrong with arms: names that cannot be told apart, arms that are the same arm."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.data import data_of
from harness.errors import Problem
from harness.measures.base import ACROSS
from harness.registry import TASKS, written
from harness.study.claims import CompositeClaim, Test
from harness.study.contrasts import compared
from harness.study.data_checks import as_used
from harness.study.design import (
    SIMPLE_BASELINE,
    Arm,
)
from harness.study.document import Document, Path_
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
    stages = build_stages(study)

    def kept(workload: Mapping[str, Any]) -> Mapping[str, Any]:
        return workload if measured else _learned(workload)

    # most arms differ whatever their numbers are written like, which is told quickly
    coarse: dict[str, list[Arm]] = {}
    for arm in arms:
        workload = kept(arm.workload)
        as_it_is = workload is arm.workload and not stages
        text = arm.text if as_it_is else json.dumps(_sourced(workload, stages), sort_keys=True)
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


def _learned(workload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a workload without what it measures alone; itself where that is all of it."""
    task = workload.get("task")
    if not workload.get("metrics") and task is None:
        return workload
    kept = dict(workload)
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
    """Say which arms are one, since what tells them apart never acts; None if none are."""
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
    late = [
        key
        for name in pair
        for key in ("early_stopping", "schedule", "transfer")
        if used[name].get(key) != looked_at[name].workload.get(key)
    ]
    if late:
        return (
            f"compares {pair[0]} with {pair[1]}, which are one training: what `{late[0]}` changes"
            f" would come after the last of {looked_at[pair[0]].workload['epochs']} epochs"
        )
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
