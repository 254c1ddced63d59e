"""How the arms of a study are grouped in its figures: a panel or row per group, a style each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.formatting import level_text
from harness.levels import same_value
from harness.plan import Plan
from harness.study import Arm

MOST_SERIES = 8
"""Line styles and markers that can be told apart."""
NEUTRAL = MOST_SERIES
"""The first of the styles in the colour of the ink, which stands for no level of a factor."""
_FEWEST_SERIES = 3
_NEUTRAL_SERIES = 4
"""Lines of one colour in a panel."""

_SINGLE, _ALL = "Single arms", "Arms"


@dataclass(frozen=True)
class Member:
    """An arm within its group: its short label there, and the number of its style."""

    arm: str
    label: str
    style: int


@dataclass(frozen=True)
class Group:
    """Arms that are shown together; `single` ones have their own names and styles."""

    title: str
    members: tuple[Member, ...]
    single: bool = False


@dataclass(frozen=True)
class Layout:
    """All groups; `hue` names the factor that styles stand for in every group, if one does."""

    groups: tuple[Group, ...]
    hue: str | None = None


def row_label(layout: Layout, group: Group, member: Member, width: int) -> str:
    """Name an arm on a line of its own, where the title of its group does not stand beside it."""
    whole = f"{group.title}: {member.label}"
    if len(layout.groups) == 1 or group.single or member.label == member.arm:
        return member.label
    return whole if len(whole) <= width else min(whole, member.arm, key=len)


def lay_out(plan: Plan) -> Layout:
    """Group the arms of a study for its figures.

    Two crossed factors give a group per level of the longer one, styled by the other. A
    one-at-a-time design gives a group per factor, the baseline being in each. Arms that were named
    in the study file follow, on their own. The arms of a leave-one-out design stand in one group.
    """
    designed = [arm for arm in plan.arms if not arm.named]
    named = [arm for arm in plan.arms if arm.named]
    factors = list(plan.study.factors)
    hue = None
    if not factors:
        groups = _plain("", [*designed, *named])
        named = []
    elif plan.study.design.grouped == "together":
        groups = _plain("", designed)
    elif plan.study.design.grouped == "by factor" and len(factors) > 1:
        groups = _by_changed_factor(designed, factors, plan.baseline)
    elif len(factors) == 2:
        groups, hue = _crossed(designed, plan, factors)
    elif len(factors) == 1:
        groups = _plain(factors[0], designed)
    else:
        groups = _by_first_factor(designed, plan, factors)
    taken = len(list(plan.study.factors[hue].levels)) if hue else 0
    free = MOST_SERIES - taken  # what stands for a level stands for no single arm
    styles = (taken, free) if free >= _FEWEST_SERIES else (NEUTRAL, _NEUTRAL_SERIES)
    singles = [replace(group, single=True) for group in _plain(_SINGLE, named, styles)]
    return Layout((*groups, *singles), hue)


def _crossed(arms: Sequence[Arm], plan: Plan, factors: list[str]) -> tuple[list[Group], str | None]:
    """Group by the factor with more levels (the first of equals); style by the other."""
    sizes = {factor: len(list(plan.study.factors[factor].levels)) for factor in factors}
    rows, hue = sorted(factors, key=lambda factor: -sizes[factor])
    if sizes[hue] > MOST_SERIES:
        return _by_first_factor(arms, plan, [rows, hue]), None
    levels = list(plan.study.factors[hue].levels)
    groups = []
    for level in plan.study.factors[rows].levels:
        mine = [arm for arm in arms if same_value(arm.levels[rows], level)]
        members = [
            Member(arm.name, f"{hue} {level_text(styled)}", style)
            for arm in mine
            for style, styled in enumerate(levels)
            if same_value(arm.levels[hue], styled)
        ]
        if members:
            groups.append(Group(level_text(level), tuple(members)))
    return groups, hue


def _by_first_factor(arms: Sequence[Arm], plan: Plan, factors: list[str]) -> list[Group]:
    rows = max(factors, key=lambda factor: len(list(plan.study.factors[factor].levels)))
    others = [factor for factor in factors if factor != rows]
    groups = []
    for level in plan.study.factors[rows].levels:
        mine = [arm for arm in arms if same_value(arm.levels[rows], level)]
        named = [(arm.name, ", ".join(level_text(arm.levels[f]) for f in others)) for arm in mine]
        groups += _chunks(f"{rows} {level_text(level)}", named)
    return groups


def _by_changed_factor(arms: Sequence[Arm], factors: Sequence[str], baseline: Arm) -> list[Group]:
    groups = []
    for factor in factors:
        mine = [
            arm
            for arm in arms
            if all(same_value(arm.levels[f], baseline.levels[f]) for f in factors if f != factor)
        ]
        groups += _chunks(factor, [(arm.name, level_text(arm.levels[factor])) for arm in mine])
    return groups


def _plain(
    title: str, arms: Sequence[Arm], styles: tuple[int, int] = (0, MOST_SERIES)
) -> list[Group]:
    return _chunks(title, [(arm.name, arm.name) for arm in arms], styles)


def _chunks(
    title: str, arms: Sequence[tuple[str, str]], styles: tuple[int, int] = (0, MOST_SERIES)
) -> list[Group]:
    """Split arms into groups that are small enough to be told apart.

    `styles` are the number of the first one, and how many there are.
    """
    groups, (first, count) = [], styles
    for start in range(0, len(arms), count):
        part = arms[start : start + count]
        heading = f"{title or _ALL} ({start // count + 1})" if len(arms) > count else title
        members = tuple(Member(arm, label, first + i) for i, (arm, label) in enumerate(part))
        groups.append(Group(heading, members))
    return groups
