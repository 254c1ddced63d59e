"""What is wrong with arms: names that cannot be told apart, and arms that are the same arm."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.errors import Problem
from harness.measures.base import ACROSS
from harness.study.claims import CompositeClaim, Test
from harness.study.contrasts import compared
from harness.study.design import SIMPLE_BASELINE, Arm
from harness.study.document import Document, Path_
from harness.study.model import Study
from harness.study.search_space import arm_spaces
from harness.study.stages import build_stages
from harness.trial import digest, with_sources

RESERVED = {"arm": "selects arms by their names", "at": "holds the levels of the other factors"}
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
def same_arms(study: Study, arms: Sequence[Arm]) -> list[list[str]]:
    """Return the names of arms whose trials are the same trials, probes aside, group by group."""
    stages = build_stages(study)
    groups = _grouped(arms, lambda arm: _sourced(arm.workload, stages))
    if groups and study.search:  # an arm that fixes what another one searches is another arm
        spaces = arm_spaces(study.search, [arm for alike in groups for arm in alike])
        groups = [part for alike in groups for part in _grouped(alike, lambda a: spaces[a.name])]
    return [[arm.name for arm in alike] for alike in groups]


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
    groups = {name: i for i, names in enumerate(same_arms(study, arms)) for name in names}
    problems = []
    for where, test in tests_of(study) if groups else ():
        pair = next(_compared(test, study, arms, groups), None)
        if pair:
            message = f"compares {pair[0]} with {pair[1]}, but they {SAME_ARM}"
            problems.append(document.problem((*where, test.measure.name), message))
    return problems


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
