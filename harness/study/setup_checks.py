"""Claims that the way a study is set up decides: not what they are about."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.data import data_of
from harness.formatting import level_text
from harness.identity import task_learned
from harness.levels import flat
from harness.metrics import SPLITS
from harness.models import is_simple, network_of
from harness.optimizers.base import Optimizer
from harness.registry import OPTIMIZERS
from harness.samplers.base import Space
from harness.study.arm_checks import tests_of
from harness.study.claims import Claim, CompositeClaim, Test
from harness.study.contrasts import compared
from harness.study.data_checks import OF_TOKENS, unlike
from harness.study.design import SIMPLE_BASELINE, Arm, value_at
from harness.study.model import Study
from harness.study.search_space import arm_spaces, has_value, is_set_by
from harness.study.stages import build_stages
from harness.trial import sources_of

Sides = Sequence[Sequence[Arm]]
CUT = "probe.prefix_"
"""What the probe cut_prefixes measures: a loss where nothing lies ahead."""
STEPS = "probe.steps_to_target"
RATE = "optimizer.lr"
_SAME = ("name", "source", "path", "classes")
PRUNED = ("cost.parameters", "cost.trained_parameters")


def reads_its_answer(
    metric: str, arms: Sequence[Arm], claim: Claim | CompositeClaim, study: Study
) -> str | None:
    """Say which arm reads the tokens that it is to predict; None if no arm does.

    Its loss says how well it copies. A claim may ask for it beside what the probe cut_prefixes
    measures, which is there to show just that.

    Args:
        metric: of the claim, or what it is made of.
        arms: that the claim looks at.
        claim: with all its parts.
        study: that it belongs to.
    """
    split, _, name = metric.partition(".")
    if split not in (*SPLITS, "gap", "optimism") or name not in OF_TOKENS:
        return None
    if any(test.metric.startswith(CUT) for test in claim.tests):
        return None
    for arm in arms:
        if sees_answer(arm.workload, study):
            return (
                f"the arm '{arm.name}' reads the tokens that it is to predict, so that {metric}"
                " says how well it copies them; take a network that reads in one direction"
                " (`bidirectional: false`, `causal: true`), or claim what the probe cut_prefixes"
                " measures in the same claim"
            )
    return None


def sees_answer(workload: Mapping[str, Any], study: Study | None = None) -> bool:
    """Whether a network predicts the next token and, by its settings, reads later ones."""
    if workload["training"] is not None or is_simple(workload["model"]):
        return False
    if not data_of(workload["data"]).predicts_next or workload["task"] is not None:
        return False
    if network_of(workload["model"]).sees_later:
        return True
    reader = (workload.get("uses") or {}).get("features")
    stages = build_stages(study) if reader is not None and study is not None else {}
    model = stages[reader]["model"] if reader in stages else None
    return model is not None and not is_simple(model) and network_of(model).sees_later


def unequal_choice(test: Test, sides: Sides) -> str | None:
    """Say that the best of many arms is set against the best of fewer, to the gain of the claim.

    The best of many numbers is better than one of them, whatever they are of.

    Args:
        test: of a claim.
        sides: the arms of each side.
    """
    if test.across not in ("highest", "lowest") or len(sides) != 2:
        return None
    lifted = 1 if test.across == "highest" else -1
    first, second = (len(side) for side in sides)
    low, high = _claimed(test)
    if first == second:
        return None
    gained = lifted * (1 if first > second else -1)  # whether the choice lifts the difference
    if (gained > 0 and math.isinf(high)) or (gained < 0 and math.isinf(low)) or _both(low, high):
        many, few = max(first, second), min(first, second)
        return (
            f"takes the {test.across} of {many} arms on one side and of {few} on the other, and the"
            " more there are to choose from, the better the best of them, by luck alone; compare"
            " as many with as many, or leave out `across`"
        )
    return None


def _claimed(test: Test) -> tuple[float, float]:
    """Return between which numbers a claim puts the effect; of several ranges the outer ends."""
    ranges = test.hypothesis.ranges(log=test.measure.log)
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def _both(low: float, high: float) -> bool:
    return math.isfinite(low) and math.isfinite(high)


def other_data_than_the_baseline(sides: Sides) -> str | None:
    """Say that a simple baseline is fitted on other data than what it is compared with; or None.

    Args:
        sides: the arms of each side.
    """
    arms = {arm.name: arm for side in sides for arm in side}
    baseline = arms.get(SIMPLE_BASELINE)
    if baseline is None:
        return None
    for arm in arms.values():
        ours, theirs = (flat({"data": one.workload["data"]}) for one in (arm, baseline))
        path = next((p for p in {**ours, **theirs} if ours.get(p) != theirs.get(p)), None)
        if path is not None:
            return (
                f"compares '{arm.name}' with the simple baseline, which has the data of the"
                f" workload: `{path}` is {level_text(ours.get(path))} in the one and"
                f" {level_text(theirs.get(path))} in the other; set `workload.{path}`, or make the"
                " simple model an arm"
            )
    return None


def one_rate_for_unlike_optimizers(metric: str, sides: Sides, study: Study) -> str | None:
    """Say that two optimizers are compared at one learning rate that means two things; or None.

    A step of SGD is the rate times the gradient; Adam, RMSprop and Adagrad divide by the size of
    earlier gradients, so that what suits one is too little for the other (Choi et al. 2019, "On
    empirical comparisons of optimizers for deep learning").

    Args:
        metric: of the claim.
        sides: the arms of each side.
        study: that it belongs to.
    """
    if metric.startswith(("cost.", "timing.")):
        return None
    found: dict[bool, list[Arm]] = {True: [], False: []}
    for side in sides:
        for arm in side:
            scaled = _scaled(arm.workload["optimizer"]["name"]) if _trained(arm) else None
            if scaled is not None and not is_set_by(arm, RATE):
                found[scaled].append(arm)
    for one, other in itertools.product(found[True], found[False]):
        spaces = arm_spaces(study.search, [one, other]) if study.search else {}
        rate, theirs = (value_at(arm.workload, RATE) for arm in (one, other))
        if rate == theirs and not any(RATE in spaces[arm.name] for arm in (one, other) if spaces):
            names = [arm.workload["optimizer"]["name"] for arm in (one, other)]
            return (
                f"compares {one.name} with {other.name} at one learning rate, {rate:g}, which means"
                f" other steps for {names[0]} than for {names[1]}, so that the claim would be about"
                f" the rate: search `{RATE}` for each arm, such as `search.space: {{{RATE}: {{log:"
                " [1.0e-4, 1.0]}}`, or give each optimizer its own"
            )
    return None


def _scaled(optimizer: str) -> bool | None:
    try:
        kind = OPTIMIZERS.find(optimizer)
    except (KeyError, ValueError):  # a function, of which nobody knows
        return None
    return kind.scaled if issubclass(kind, Optimizer) else None


def _trained(arm: Arm) -> bool:
    return arm.workload["training"] is None and not is_simple(arm.workload["model"])


def unequal_ends(metric: str, sides: Sides, claim: Claim | CompositeClaim) -> str | None:
    """Say that trainings which never reach a target count as other numbers of steps; or None.

    Args:
        metric: of the claim.
        sides: the arms of each side.
        claim: with all its parts.
    """
    if metric != STEPS or any(t.metric == "probe.reached_target" for t in claim.tests):
        return None
    planned = [sorted((_updates(arm.workload), arm.name) for arm in side) for side in sides]
    for other in planned[1:]:
        pairs = zip(planned[0], other, strict=False)
        unequal = next(((a, b) for a, b in pairs if a[0] != b[0]), None)
        if unequal is not None:
            (steps, one), (more, two) = unequal
            return (
                "a training that does not reach the target counts as one that would after its last"
                f" epoch, and that is after {steps:,} steps in the arm '{one}' and {more:,} in"
                f" '{two}'; let both take equally many, or claim in the same claim that they reach"
                " it (probe.reached_target)"
            )
    return None


def _updates(workload: Mapping[str, Any]) -> int:
    data = data_of(workload["data"])
    fitted = data.fitted(data.summary().examples)
    epochs, size = int(workload["epochs"]), int(workload["batch_size"])
    return epochs * math.ceil(max(1, fitted) / size)


def counts_what_was_removed(metric: str, arms: Sequence[Arm]) -> str | None:
    """Say that parameters are counted before a task removes some of them; None if none does."""
    for arm in arms if metric in PRUNED else ():
        if arm.workload["training"] is None and task_learned(arm.workload).prunes:
            return (
                f"{metric} counts what the network of the arm '{arm.name}' was built with, also the"
                " weights that its task removes; claim probe.served_bytes (probe served_size) where"
                " units go, or probe.zero_weights (near_zero_weights) where weights become zero"
            )
    return None


def curves_of_other_networks(metric: str, followed: str, arms: Sequence[Arm]) -> str | None:
    """Say that a training loss is followed with other noise at work; None if it is alike.

    The loss of an epoch is that of its batches: with dropout, and of images as they were changed.

    Args:
        metric: of the claim.
        followed: the metric that it is made of.
        arms: that the claim compares.
    """
    if followed != "train.loss" or metric == followed:
        return None
    noise = {
        arm.name: {
            path: value
            for path, value in flat({k: arm.workload[k] for k in ("model", "augmentation")}).items()
            if path.startswith("augmentation") or "drop" in path.rpartition(".")[2]
        }
        for arm in arms
        if arm.workload["training"] is None and not is_simple(arm.workload["model"])
    }
    if (pair := unlike(noise)) is None:
        return None
    one, two = pair
    paths = [p for p in {**noise[one], **noise[two]} if noise[one].get(p) != noise[two].get(p)]
    return (
        f"{metric} follows train.loss, which is of training batches, with `{paths[0]}` at work, and"
        f" so another number in the arms '{one}' and '{two}'; follow validation.loss"
    )


def one_side_tuned(study: Study, arms: Sequence[Arm]) -> list[str]:
    """Return a line for each claim that compares a tuned arm with one that is left as it is.

    Arms that differ in nothing but what is searched are left out: there, tuning is the question.
    """
    if study.search is None:
        return []
    found: dict[str, None] = {}
    for where, test in tests_of(study):
        sides = compared(test, study, arms).sides
        looked_at = [arm for side in sides for arm in side] if len(sides) > 1 else []
        pair = next(_tuned_and_fixed(looked_at, arm_spaces(study.search, looked_at)), None)
        if pair is not None:
            tuned, fixed, path = pair
            told = study.claims[int(where[1])].id
            found[
                f"warning: the claim '{told}' compares {tuned.name}, which is tuned, with"
                f" {fixed.name}, which is not: `{path}` is searched for the one and"
                f" {value_at(fixed.workload, path)} for the other"
            ] = None
    return list(found)


def knows_more_labels(study: Study, arms: Sequence[Arm]) -> list[str]:
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
                        f"warning: the claim '{claim}' compares {arm.name}, which learns from the"
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
