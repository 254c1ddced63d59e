"""The sides of a test, and the arms that are compared on them.

The words of a test select arms by their levels. Of these only such are compared as agree in every
factor that is not compared: in a one-at-a-time design, the arm and the baseline. Otherwise the
effect of another factor, which changed as well, would count as that of the one that is named.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.errors import nearest
from harness.formatting import level_text, listed
from harness.levels import level_key
from harness.measures.base import ACROSS, Selector
from harness.study.claims import Test
from harness.study.design import SIMPLE_BASELINE, Arm, Selection, missing_arm
from harness.study.document import Path_
from harness.study.model import Factor, Study

_MOST_SHOWN = 3
_FEWEST_ALIASED = 3
_Key = tuple[Any, ...]
_Factors = Mapping[str, Factor]


@dataclass(frozen=True)
class Comparison:
    """The arms that a test compares.

    Attributes:
        sides: the arms of each side, in the order of `sides`.
        where: what has to be known about them beyond the words of the test, such as "poison
            false"; empty where all arms are compared that the words select.
        held: the factors that `where` speaks of.
    """

    sides: tuple[tuple[Arm, ...], ...]
    where: str = ""
    held: tuple[str, ...] = ()


def of_each_data_set(
    over: str, factors: _Factors, chosen: Sequence[Sequence[Arm]]
) -> list[list[list[Arm]]]:
    """Return the sides of each data set alone, of a claim that generalizes over data sets.

    Args:
        over: the factor whose levels are the data sets.
        factors: of the study.
        chosen: the arms of each side.
    """
    keys = [level_key(level) for level in factors[over].levels]
    return [[[arm for arm in side if arm.keys.get(over) == key] for side in chosen] for key in keys]


def compared(test: Test, study: Study, arms: Sequence[Arm]) -> Comparison:
    """Return the arms that a test compares.

    Arms that were named in the study file have no levels, and are compared as the test says.

    Raises:
        ValueError: if there are none, if they are compared with themselves, or if their effect
            cannot be told from another; the message says what to write.
    """
    selectors = sides(test, study.factors)
    selection = Selection(arms, *selectors)
    chosen = [selection.select(selector) for selector in selectors]
    for selector, found in zip(selectors, chosen, strict=True):
        if not found:
            raise ValueError(missing_arm(selector, study))
    _check_different(test, study.factors, chosen)
    by_level = [i for i, selector in enumerate(selectors) if "arm" not in selector]
    comparison = Comparison(tuple(tuple(found) for found in chosen))
    if len(by_level) == 1 < len(selectors):
        _check_lone(study, selectors[by_level[0]], chosen[by_level[0]])
    if len(by_level) > 1:
        designed = [arm for arm in arms if not arm.named]
        match = _Match(test, study, designed, [selectors[i] for i in by_level])
        matched = match.comparison([chosen[i] for i in by_level])
        places = dict(zip(by_level, matched.sides, strict=True))
        every = tuple(places.get(i, side) for i, side in enumerate(comparison.sides))
        comparison = replace(matched, sides=every)
    for side in comparison.sides:
        if ACROSS[test.across].spread and len(side) == 1:
            raise ValueError(
                f"the {test.across} is taken over several arms of one side; here arm "
                f"{side[0].name} stands alone"
            )
    return comparison


# --- selectors ----------------------------------------------------------------------------------
def sides(test: Test, factors: _Factors) -> list[Selector]:
    """Return the selectors of a test, in the order of its measure.

    Raises:
        ValueError: if the measure is not written as it has to be.
    """
    return [selector for group in test.measure.groups(factors) for selector in group]


def test_problem(
    test: Test, study: Study, arms: Sequence[Arm], written: Any
) -> tuple[Path_, str] | None:
    """Return what is wrong with the measure of a test, and where below it.

    Args:
        test: as it was read.
        study: that it belongs to.
        arms: of the study.
        written: the measure as it stands in the file.
    """
    found = test.measure.problem(study, written)
    if found:
        return found
    try:
        selectors = sides(test, study.factors)
        selection = Selection(arms, *selectors)
        for selector in selectors:
            message = selector_problem(selector, study, arms, selection)
            if message:
                return (), message
        compared(test, study, arms)
    except ValueError as error:
        return (), str(error)
    return None


def selector_problem(
    selector: Mapping[str, Any],
    study: Study,
    arms: Sequence[Arm],
    selection: Selection | None = None,
) -> str | None:
    """Say what is wrong with a selector: names that do not exist, or no arm of these levels.

    Args:
        selector: as it was read.
        study: that it belongs to.
        arms: of the study.
        selection: of these arms, made for several selectors; None to make one.
    """
    if "arm" in selector and len(selector) > 1:
        other = next(key for key in selector if key != "arm")
        return f"arms that are selected by name have no level of '{other}'; leave one of them out"
    for key, wanted in selector.items():
        if key == "arm":
            known: list[Any] = [arm.name for arm in arms]
        elif key in study.factors:
            known = list(study.factors[key].levels)
        else:
            return f"no factor is called '{key}'{nearest(key, [*study.factors, 'arm'])}"
        for value in wanted if isinstance(wanted, list) else [wanted]:
            if level_key(value) not in map(level_key, known):
                if key == "arm" and value == SIMPLE_BASELINE:
                    return f"the study has no {SIMPLE_BASELINE}; name one with `simple_baseline`"
                levels = ", ".join(map(level_text, known))
                what = f"factor '{key}' has no level '{{}}' (it has: {levels})"
                if key == "arm":
                    what = f"no arm is called '{{}}' (there are: {_some(known)})"
                alike = next((one for one in known if str(one) == str(value)), None)
                if alike is not None:
                    said = what.replace("'{}'", json.dumps(value, ensure_ascii=False))
                    return f"{said}; write {json.dumps(alike, ensure_ascii=False)}"
                return what.format(level_text(value)) + nearest(level_text(value), known)
    found = (selection or Selection(arms, dict(selector))).select(dict(selector))
    return None if found else missing_arm(dict(selector), study)


def _some(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


# --- which arms are compared --------------------------------------------------------------------
def _check_different(test: Test, factors: _Factors, chosen: Sequence[Sequence[Arm]]) -> None:
    """Refuse a test that compares arms with themselves."""
    names = [tuple(arm.name for arm in side) for side in chosen]
    left = iter(names)
    points = [tuple(next(left) for _ in group) for group in test.measure.groups(factors)]
    for point in points:
        if len(set(point)) < len(point) or points.count(point) > 1:
            twice = next(side for side in point if names.count(side) > 1)
            raise ValueError(
                f"compares the same arms with each other ({', '.join(twice)}); name levels or "
                "arms that differ"
            )


def _check_lone(study: Study, selector: Selector, chosen: Sequence[Arm]) -> None:
    """Refuse to compare a named arm with arms of which some were changed in another factor too."""
    for factor in study.factors if study.design.partial else ():
        if factor not in selector and len({level_key(arm.levels[factor]) for arm in chosen}) > 1:
            raise ValueError(
                f"selects arms that differ in '{factor}' as well; say at which level of it they "
                "are compared with the named arm"
            )


class _Match:
    """Finds the arms of several sides that agree in all factors that are not compared."""

    def __init__(
        self, test: Test, study: Study, designed: Sequence[Arm], selectors: Sequence[Selector]
    ):
        self.test, self.study, self.designed = test, study, designed
        named = {factor for selector in selectors for factor in selector}
        for factor in (factor for factor in study.factors if factor in named):
            if any(factor not in selector for selector in selectors):
                raise ValueError(
                    f"names a level of '{factor}' on one side and none on another; say on every "
                    "side which it is"
                )
        wanted = [{f: _keys(selector[f]) for f in selector} for selector in selectors]
        self.wanted = wanted
        self.changed = [f for f in study.factors if len({side.get(f) for side in wanted}) > 1]
        self.held = [f for f in study.factors if f not in self.changed]

    def comparison(self, chosen: Sequence[Sequence[Arm]]) -> Comparison:
        """Drop the arms that have no partner on every side."""
        found = [
            self._complete(side, wanted) for side, wanted in zip(chosen, self.wanted, strict=True)
        ]
        shared = {key: arm for key, arm in found[0].items() if all(key in side for side in found)}
        if not shared:
            where = f"aliased with {self._alias(chosen)}"
            return Comparison(tuple(map(tuple, chosen)), where, tuple(self.held))
        kept = tuple(tuple(a for a in side if self._key(a) in shared) for side in chosen)
        possible = math.prod(len(self._possible(factor)) for factor in self.held)
        if len(shared) == possible:
            return Comparison(kept)
        return Comparison(kept, self._where(list(shared.values()), possible), tuple(self.held))

    def _key(self, arm: Arm) -> _Key:
        return tuple(level_key(arm.levels[factor]) for factor in self.held)

    def _complete(
        self, side: Sequence[Arm], wanted: Mapping[str, frozenset[_Key]]
    ) -> dict[_Key, Arm]:
        """Return the levels of the held factors at which a side has all arms that it wants."""
        found: dict[_Key, list[Arm]] = {}
        for arm in side:
            found.setdefault(self._key(arm), []).append(arm)
        needed = math.prod(len(wanted[factor]) for factor in self.changed)
        return {key: arms[0] for key, arms in found.items() if len(arms) == needed}

    def _possible(self, factor: str) -> frozenset[_Key]:
        """Return the levels of a held factor that the words of the test allow."""
        return self.wanted[0].get(factor) or _keys([arm.levels[factor] for arm in self.designed])

    def _where(self, examples: Sequence[Arm], possible: int) -> str:
        """Say at which levels of the held factors arms are compared."""
        shown = [factor for factor in self.held if len(self.study.factors[factor].levels) > 1]
        texts = [", ".join(f"{f} {level_text(arm.levels[f])}" for f in shown) for arm in examples]
        if len(texts) > _MOST_SHOWN:
            return f"{len(texts)} of {possible} combinations of {listed(shown)}"
        reference = next((arm for arm in self.designed if arm.is_baseline), None)
        only = examples[0] if len(examples) == 1 and len(shown) > _MOST_SHOWN else None
        if only and reference and self._key(reference) == self._key(only):
            return "all else as in the baseline arm"
        return "; ".join(texts)

    def _alias(self, chosen: Sequence[Sequence[Arm]]) -> str:
        """Return what the design cannot tell from the effect, averaged over all its arms.

        That is accepted where it is the interaction of three factors or more.

        Raises:
            ValueError: if the design is another, the test wants a part of it or no average, or the
                alias is a main effect or an interaction of two factors.
        """
        effect, write = listed(self.changed), "write `design: factorial`"
        names = [arm.name for side in chosen for arm in side]
        whole = sorted(names) == sorted(arm.name for arm in self.designed)
        aliased, design = self.study.design.aliased(self.held), self.study.design.name
        if aliased is None:
            raise ValueError(
                f"no arms that differ in {effect} agree in everything else; {write}, or name other "
                "levels"
            )
        averaged = self.test.across == "mean"
        if not (whole and averaged and len(self.changed) == self.test.measure.changes):
            raise ValueError(
                f"a {design} has no arms that differ in {effect} and agree in everything "
                f"else; {write}"
            )
        kind = "the interaction of " if len(aliased) > 1 else ""
        alias = kind + listed(aliased)
        if len(aliased) < _FEWEST_ALIASED:
            raise ValueError(
                f"a {design} of {len(self.study.factors)} factors cannot tell the effect of "
                f"{effect} from {alias}; {write}"
            )
        return alias


def _keys(levels: Any) -> frozenset[_Key]:
    return frozenset(map(level_key, levels if isinstance(levels, list) else [levels]))
