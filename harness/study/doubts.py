"""What a plan warns of: claims that are allowed, and that are easily about something else."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.data import data_of
from harness.identity import task_learned
from harness.levels import flat
from harness.measures.contrast import Contrast
from harness.measures.trend import Trend
from harness.models import is_simple
from harness.samplers.base import Space
from harness.study.arm_checks import tests_of
from harness.study.contrasts import compared
from harness.study.design import Arm, value_at
from harness.study.likeness_checks import RATE, is_trained, unlike_optimizers
from harness.study.model import Study
from harness.study.range_checks import range_of
from harness.study.search_space import has_value, tuned_spaces
from harness.study.setup_checks import updates_of
from harness.study.stages import build_stages
from harness.trial import sources_of

_SAME = ("name", "source", "path", "classes")
_Pair = tuple[str, Arm, Arm]
"""A claim by its id, and two arms that it compares."""
MORE = 1.25
"""How many times the updates of another arm are worth a word."""
WIDE = 0.2
"""Difference of shares that is hardly ever too small to matter."""
ALIKE = ("within", "noninferior")
LEARNED = ("test.", "validation.", "train.", "gap.", "optimism.", "probe.")


def doubts(study: Study, arms: Sequence[Arm]) -> list[str]:
    """Return a line for each claim that is easily about something else than it says.

    Args:
        study: with claims that were checked.
        arms: of its design.
    """
    pairs = list(_pairs(study, arms))
    return [
        f"warning: {line}"
        for line in (
            *_one_side_tuned(study, arms),
            *_searches_differ(study, pairs),
            *_untuned_optimizers(study, pairs),
            *_unequal_updates(pairs),
            *_parts_of_batches(pairs),
            *_knows_more_labels(study, arms),
            *_trained_longer(study, pairs),
            *_unlike_chances(study, arms),
            *_wide_margins(study, arms),
        )
    ]


def _pairs(study: Study, arms: Sequence[Arm]) -> Iterator[_Pair]:
    """Yield pairs of trained arms that a claim on what is learned compares, or has a trend over."""
    for where, test in tests_of(study):
        along = isinstance(test.measure, Trend) and test.measure.contrast is None
        if not test.metric.startswith(LEARNED) or not (along or isinstance(test.measure, Contrast)):
            continue
        sides = compared(test, study, arms).sides
        claim = study.claims[int(where[1])].id
        for some, others in itertools.combinations(sides, 2):
            pairs = zip(some, others, strict=False)
            yield from ((claim, a, b) for a, b in pairs if is_trained(a) and is_trained(b))


def _searches_differ(study: Study, pairs: Sequence[_Pair]) -> list[str]:
    """Return a line for each claim whose sides are searched over different settings."""
    found: dict[str, str] = {}
    for claim, one, other in pairs:
        spaces = tuned_spaces(study.search, [one, other])
        ours, theirs = spaces[one.name], spaces[other.name]
        for a, b, mine, its in ((one, other, ours, theirs), (other, one, theirs, ours)):
            lacking = [p for p in mine if p not in its and has_value(b.workload, p)]
            if lacking and its and claim not in found:
                found[claim] = (
                    f"the claim '{claim}' compares {a.name}, which is searched over"
                    f" `{lacking[0]}`, with {b.name}, where it is"
                    f" {value_at(b.workload, lacking[0])} in all candidates"
                )
    return list(found.values())


def _untuned_optimizers(study: Study, pairs: Sequence[_Pair]) -> list[str]:
    """Return a line for each claim over optimizers, or momentum, whose rates nobody searches."""
    found: dict[str, str] = {}
    for claim, one, other in pairs:
        spaces = tuned_spaces(study.search, [one, other])
        if any(RATE in space for space in spaces.values()):
            continue
        rates = [value_at(arm.workload, RATE) for arm in (one, other)]
        momenta = [arm.workload["optimizer"].get("momentum") or 0.0 for arm in (one, other)]
        if unlike_optimizers(one, other):
            what = f"at the rates {rates[0]:g} and {rates[1]:g}"
        elif momenta[0] != momenta[1] and rates[0] == rates[1]:
            most = max(momenta)
            what = f"at one rate, though momentum {most:g} makes steps {1 / (1 - most):.3g} times"
            what += " as long in the end"
        else:
            continue
        found.setdefault(
            claim,
            f"the claim '{claim}' compares {one.name} with {other.name} {what}, and no search of"
            f" `{RATE}` says that these suit them",
        )
    return list(found.values())


def _unequal_updates(pairs: Sequence[_Pair]) -> list[str]:
    """Return a line for each claim whose arms take unequal updates, not by `epochs` alone."""
    found: dict[str, str] = {}
    for claim, one, other in pairs:
        if claim in found or data_of(one.workload["data"]).guessed:
            continue
        ours, theirs = updates_of(one.workload), updates_of(other.workload)
        if max(ours, theirs) <= MORE * min(ours, theirs):
            continue
        a, b = flat(one.workload), flat(other.workload)
        if {path for path in {*a, *b} if a.get(path) != b.get(path)} - {"epochs", "keep"}:
            found[claim] = (
                f"the claim '{claim}' compares {one.name}, of {ours:,} updates, with {other.name},"
                f" of {theirs:,}"
            )
    return list(found.values())


def _parts_of_batches(pairs: Sequence[_Pair]) -> list[str]:
    """Return a line for each claim over `accumulate`, which elsewhere makes a batch larger."""
    found: dict[str, str] = {}
    for claim, one, other in pairs:
        for arm, rest in ((one, other), (other, one)):
            parts, size = arm.workload.get("accumulate") or 1, arm.workload["batch_size"]
            whole = size * parts
            if parts > (rest.workload.get("accumulate") or 1):
                found.setdefault(
                    claim,
                    f"the claim '{claim}' compares {arm.name}, whose batches of {size} are computed"
                    f" in {parts} parts, with {rest.name}; `accumulate` leaves a batch as large as"
                    f" `batch_size` says: of {whole} it would be `batch_size: {whole}, accumulate:"
                    f" {parts}`",
                )
    return list(found.values())


def _trained_longer(study: Study, pairs: Sequence[_Pair]) -> list[str]:
    """Return a line for each claim on a start from a stage that learns the same from the same."""
    found: dict[tuple[str, str], str] = {}
    stages = build_stages(study)
    for claim, one, other in pairs if stages else ():
        for arm, rest in ((one, other), (other, one)):
            name = sources_of(arm.workload).get("initial")
            if name not in stages or sources_of(rest.workload).get("initial") is not None:
                continue
            stage = stages[name]
            same = all(stage.get(key) == arm.workload.get(key) for key in ("data", "task", "loss"))
            if same and stage["training"] is None:
                found[claim, name] = (
                    f"the claim '{claim}' compares {arm.name}, which starts from the stage"
                    f" '{name}', with {rest.name}; the stage learns the same task from the same"
                    f" data, so that it is {updates_of(stage):,} updates of training more"
                )
    return list(found.values())


def _unlike_chances(study: Study, arms: Sequence[Arm]) -> list[str]:
    """Return a line for each claim over accuracies of data with unequally many classes."""
    found: dict[str, str] = {}
    for where, test in tests_of(study):
        if test.generalize_over or test.metric.rpartition(".")[2] != "accuracy":
            continue
        looked_at = [arm for side in compared(test, study, arms).sides for arm in side]
        learned = [arm for arm in looked_at if task_learned(arm.workload).name == "classification"]
        data = [one for arm in learned if not (one := data_of(arm.workload["data"])).guessed]
        data.sort(key=lambda one: one.form.outputs)
        if data and data[0].form.outputs < data[-1].form.outputs:
            claim = study.claims[int(where[1])].id
            found[claim] = (
                f"the claim '{claim}' compares accuracies on {data[0].name}, of"
                f" {data[0].form.outputs} classes, with those on {data[-1].name}, of"
                f" {data[-1].form.outputs:,}: a share of right guesses is easier won among fewer"
            )
    return list(found.values())


def _wide_margins(study: Study, arms: Sequence[Arm]) -> list[str]:
    """Return a line for each claim that counts very unlike shares as alike, as a slip of unit does.

    Half a percentage point is 0.005 of a share; 0.5 is nearly always within.
    """
    found = []
    for where, test in tests_of(study):
        if not isinstance(test.measure, Contrast) or test.hypothesis.name not in ALIKE:
            continue
        looked_at = [arm for side in compared(test, study, arms).sides for arm in side]
        ends = [end for pair in test.hypothesis.ranges(test.measure.log) for end in pair]
        margin = min(map(abs, ends))
        if range_of(test, study, looked_at) == (0, 1) and margin >= WIDE:
            claim = study.claims[int(where[1])].id
            found.append(
                f"the claim '{claim}' counts {test.metric} as alike up to a difference of"
                f" {margin:g}, which is {100 * margin:g} percentage points"
            )
    return found


def _one_side_tuned(study: Study, arms: Sequence[Arm]) -> list[str]:
    """Return a line for each claim that compares a tuned arm with one that is left as it is.

    Arms that differ in nothing but what is searched are left out: there, tuning is the question.
    """
    found: dict[str, None] = {}
    for where, test in tests_of(study):
        sides = compared(test, study, arms).sides
        looked_at = [arm for side in sides for arm in side] if len(sides) > 1 else []
        pair = next(_tuned_and_fixed(looked_at, tuned_spaces(study.search, looked_at)), None)
        if pair is not None:
            tuned, fixed, path = pair
            told = study.claims[int(where[1])].id
            found[
                f"the claim '{told}' compares {tuned.name}, which is tuned, with"
                f" {fixed.name}, which is not: `{path}` is searched for the one and"
                f" {value_at(fixed.workload, path)} for the other"
            ] = None
    return list(found)


def _knows_more_labels(study: Study, arms: Sequence[Arm]) -> list[str]:
    """Return a line for each claim whose one side learns from a stage with more labels of its data.

    That stages know more is what transfer is; that they know more of the same labels is worth a
    word, since the other side would have been given them as well.
    """
    found: dict[tuple[str, str], str] = {}
    stages = build_stages(study)
    for where, test in tests_of(study) if stages else ():
        sides = compared(test, study, arms).sides
        for side, other in itertools.permutations(sides, 2):
            for arm, name in ((one, name) for one in side for name in _labelled(one, stages)):
                without = next((one for one in other if name not in _labelled(one, stages)), None)
                more, own = _labels(stages[name]), _labels(arm.workload)
                claim = study.claims[int(where[1])].id
                if without is not None and more > own:
                    found[claim, name] = (
                        f"the claim '{claim}' compares {arm.name}, which learns from the"
                        f" stage '{name}', with {without.name}, which does not; the stage saw"
                        f" {more:,} labels of these data, and the arm {own:,}"
                    )
    return list(found.values())


def _labelled(arm: Arm, stages: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the stages of an arm that learned targets of its own data."""
    return [
        name
        for name in sources_of(arm.workload).values()
        if name in stages
        and stages[name]["training"] is None
        and all(stages[name]["data"].get(k) == arm.workload["data"].get(k) for k in _SAME)
        and task_learned(stages[name]).name in ("classification", "regression")
        and not data_of(arm.workload["data"]).predicts_next
    ]


def _labels(workload: Mapping[str, Any]) -> int:
    return data_of(workload["data"]).summary().examples


def _tuned_and_fixed(
    arms: Sequence[Arm], spaces: Mapping[str, Space]
) -> Iterator[tuple[Arm, Arm, str]]:
    """Yield pairs of which one is searched over what the other one has, and a path of it."""
    trained = [arm for arm in arms if not is_simple(arm.workload["model"])]
    fixed = [arm for arm in trained if not spaces[arm.name]]
    for one, other in itertools.product(fixed, [arm for arm in arms if spaces[arm.name]]):
        space = spaces[other.name]
        path = next((path for path in space if has_value(one.workload, path)), None)
        if path is not None and _differ_beyond(other, one, set(space)):
            yield other, one, path


def _differ_beyond(one: Arm, other: Arm, searched: set[str]) -> bool:
    """Whether two workloads differ in a setting that is not searched."""
    a, b = flat(one.workload), flat(other.workload)
    return any(a.get(path) != b.get(path) for path in {*a, *b} - searched)
