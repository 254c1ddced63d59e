"""Claims that the way a study is set up decides: not what they are about."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.data import data_of
from harness.formatting import level_text
from harness.identity import task_learned
from harness.levels import flat
from harness.metrics import SPLITS
from harness.models import is_simple, network_of
from harness.study.claims import Claim, CompositeClaim, Test
from harness.study.data_checks import OF_TOKENS, unlike
from harness.study.design import SIMPLE_BASELINE, Arm
from harness.study.model import Study
from harness.study.stages import build_stages

Sides = Sequence[Sequence[Arm]]
CUT = "probe.prefix_"
"""What the probe cut_prefixes measures: a loss where nothing lies ahead."""
STEPS = "probe.steps_to_target"
_GROWS = {
    "highest": "better the best of them", "lowest": "better the best of them",
    "range": "larger the range",
    "shortfall": "farther the best is from the mean",
}  # fmt: skip
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
    if test.across not in ("highest", "lowest", "range", "shortfall") or len(sides) != 2:
        return None
    lifted = -1 if test.across == "lowest" else 1
    first, second = (len(side) for side in sides)
    low, high = test.claimed
    if first == second:
        return None
    gained = lifted * (1 if first > second else -1)  # whether the choice lifts the difference
    if (gained > 0 and math.isinf(high)) or (gained < 0 and math.isinf(low)) or _both(low, high):
        many, few = max(first, second), min(first, second)
        return (
            f"takes the {test.across} of {many} arms on one side and of {few} on the other, and the"
            f" more there are, the {_GROWS[test.across]}, by luck alone; compare as many with as"
            " many, at the same levels, or leave out `across`"
        )
    return None


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


def unequal_ends(metric: str, sides: Sides, claim: Claim | CompositeClaim) -> str | None:
    """Say that trainings which never reach a target count as other numbers of steps; or None.

    Args:
        metric: of the claim.
        sides: the arms of each side.
        claim: with all its parts.
    """
    if metric != STEPS or any(t.metric == "probe.reached_target" for t in claim.tests):
        return None
    planned = [sorted((updates_of(arm.workload), arm.name) for arm in side) for side in sides]
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


def updates_of(workload: Mapping[str, Any]) -> int:
    """Return how many steps a training is planned to take."""
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
