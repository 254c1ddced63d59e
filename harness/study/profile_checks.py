"""Profiles and levels that change more or less than they say: some arms only, or data."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.errors import Problem
from harness.formatting import level_text
from harness.models import is_simple
from harness.study.arm_checks import tests_of
from harness.study.contrasts import compared
from harness.study.design import WORKLOAD, Arm, is_simple_baseline, leaves, value_at
from harness.study.document import Document
from harness.study.dropped import dropped
from harness.study.model import Study
from harness.study.search_space import arm_spaces, has_value, is_set_by
from harness.study.setting_checks import Setting, may_be_lost, of_profile


def check_partly_acting(
    study: Study,
    arms: Sequence[Arm],
    document: Document,
    profile: str | None,
    overrides: Mapping[str, Any],
    before: Callable[[], Sequence[Arm]],
) -> list[Problem]:
    """Find settings of a profile that act on some compared arms only, and so tell them apart.

    Args:
        study: with the profile and overrides applied.
        arms: of its design.
        document: it, as it is then.
        profile: its name; None for none.
        overrides: those of the command line.
        before: returns the arms without profile and overrides; none if there are none.
    """
    outer = of_profile(document, profile, overrides)
    if not may_be_lost(study, outer):
        return []
    plain = {arm.name: arm for arm in before()}
    given = [
        *leaves(document.data.get("profiles", {}).get(profile, {}) if profile else {}),
        *leaves(overrides),
    ]

    def anew(arm: Arm, path: str) -> bool:
        """Whether what an arm sets itself is of the profile as well."""
        own = f"arms.{arm.name}." if arm.named else "factors."
        return any(leaf.startswith(own) and leaf.endswith(f".{path}") for leaf in given)

    for where, test in tests_of(study):
        for one, other in _pairs(compared(test, study, arms).sides, plain):
            setting = next(_told_apart(outer, (one, other), plain, study, anew), None)
            if setting is not None:
                claim = study.claims[int(where[1])].id
                return [_placed(setting, _partly(setting, (one, other), plain, claim), document)]
    return []


def _pairs(sides: Sequence[Sequence[Arm]], plain: Mapping[str, Arm]) -> Iterator[tuple[Arm, Arm]]:
    """Yield trained arms that a test sets against each other, there without the profile as well."""
    trained = [
        [arm for arm in side if arm.name in plain and not is_simple(arm.workload["model"])]
        for side in sides
    ]
    for some, others in itertools.combinations(trained, 2):
        yield from itertools.product(some, others)


def _told_apart(
    outer: Sequence[Setting],
    pair: tuple[Arm, Arm],
    plain: Mapping[str, Arm],
    study: Study,
    anew: Callable[[Arm, str], bool],
) -> Iterator[Setting]:
    """Yield settings that two arms have, in which they differ and were alike before."""
    spaces = arm_spaces(study.search, pair) if study.search else {}
    before = [plain[arm.name] for arm in pair]
    for setting in outer:
        for path in leaves({setting.path: setting.value}):
            theirs = [has_value(arm.workload, path) for arm in (*pair, *before)]
            if not all(theirs) or any(path in spaces.get(arm.name, ()) for arm in pair):
                continue
            now, then = ([value_at(arm.workload, path) for arm in arms] for arms in (pair, before))
            own = next((arm for arm in pair if is_set_by(arm, path)), None)
            told_apart = (now[0] != now[1] and then[0] == then[1]) or _reversed(now, then)
            if told_apart and own and not anew(own, path):
                yield replace(setting, path=path)


def _reversed(now: Sequence[Any], then: Sequence[Any]) -> bool:
    """Whether the larger of two numbers has become the smaller one."""
    plain = all(isinstance(value, int | float) for value in (*now, *then))
    return plain and (now[0] - now[1]) * (then[0] - then[1]) < 0


def _partly(setting: Setting, pair: tuple[Arm, Arm], plain: Mapping[str, Arm], claim: str) -> str:
    """Say on which of two arms a setting does not act, and what they were before."""
    one, other = pair
    spared = one if is_set_by(one, setting.path) else other
    values = [level_text(value_at(arm.workload, setting.path)) for arm in (one, other)]
    then = [value_at(plain[arm.name].workload, setting.path) for arm in pair]
    before = "alike" if then[0] == then[1] else "the other way round"
    own = f"arms.{spared.name}.{setting.path}" if spared.named else f"its `{setting.path}`"
    return (
        f"{WORKLOAD}{setting.path} does not act on {spared.name}, which sets it itself: the claim"
        f" '{claim}' compares {one.name} with {other.name}, which are {before} in it without"
        f" {setting.who} and are {values[0]} and {values[1]} with it; set {own} as well"
    )


def _placed(setting: Setting, message: str, document: Document) -> Problem:
    place = document.problem(setting.where, message) if setting.where else None
    return place or Problem(message, setting.who)


def check_dropped(
    study: Study,
    arms: Sequence[Arm],
    document: Document,
    profile: str | None,
    overrides: Mapping[str, Any],
    plain: Any,
) -> list[Problem]:
    """Find options of the data that are lost where other data are named: few labels, wrong ones.

    Args:
        study: with the profile and overrides applied.
        arms: of its design.
        document: it, as it is then.
        profile: its name; None for none.
        overrides: those of the command line.
        plain: the data of the workload as the file has them without profile and overrides.
    """
    problems, shared = [], study.workload.data.model_dump()
    for setting in of_profile(document, profile, overrides):
        if setting.path == "data" and isinstance(plain, Mapping):
            lost = dropped(plain, shared, leaves({setting.path: setting.value}))
            if lost:
                problems.append(_placed(setting, f"names other data, {lost}", document))
    for arm in arms:
        lost = dropped(shared, arm.workload["data"], arm.sets)
        if lost and not is_simple_baseline(arm.name):
            where = ("arms", arm.name) if arm.named else ("factors",)
            message = f"the arm '{arm.name}' names other data, {lost}"
            return [*problems, document.problem(where, message)]
    return problems
