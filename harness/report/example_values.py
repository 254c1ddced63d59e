"""Which test examples each arm gets right, from which a page compares any two arms."""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data import data_of
from harness.evidence import Evidence
from harness.judge.examples import outcomes_of_arm
from harness.study import Arm
from harness.trial import LABEL, Outcomes

METRIC = "test.accuracy"
LEFT_OUT: dict[str, Any] = {"groups": [], "large": True}
"""In the place of examples that would make a page too large."""


def outcomes_right(arm: Arm, evidence: Evidence) -> list[Outcomes] | None:
    """Return what each confirmation trial of an arm kept of which test examples it got right.

    None if a trial kept nothing, or shares of the positions of a sequence.
    """
    trials = int((evidence.confirmation["arm"] == arm.name).sum())
    found = outcomes_of_arm(arm, METRIC, evidence, trials) if trials else None
    if found is None or not all(np.isin(one[METRIC], (0, 1)).all() for one in found):
        return None
    return found


def labels_of(found: Sequence[Outcomes]) -> NDArray[np.int64] | None:
    """Return the class of each example, (examples,); None if trials do not say the same."""
    labels = [one[LABEL] for one in found if one.get(LABEL) is not None]
    same = all(np.array_equal(labels[0], one) for one in labels)
    if not labels or len(labels) != len(found) or not same:
        return None
    return labels[0].astype(np.int64)


def example_values(evidence: Evidence) -> dict[str, Any]:
    """Return how often each arm is right on every test example, for pages.

    Returns:
        `groups`: for each test set of which two arms are known `arms`, {arm: how many trainings};
        `right`, for each example in turn how many trainings of each arm are right on it, as
        numbers of `bytes` bytes, packed by zlib, in base64; `labels`, the place of each example's
        class among `classes`, packed alike with two bytes each, or None.
    """
    known = {arm.name: arm for arm in evidence.plan.all_arms}
    groups = []
    for group in evidence.compared:
        found = {name: outcomes_right(known[name], evidence) for name in group.arms}
        kept = {name: trials for name, trials in found.items() if trials is not None}
        sizes = {len(trials[0][METRIC]) for trials in kept.values()}
        if len(kept) > 1 and len(sizes) == 1:
            groups.append(_packed(kept, known[group.arms[0]]))
    return {"groups": groups}


def _packed(kept: dict[str, list[Outcomes]], arm: Arm) -> dict[str, Any]:
    counts = {name: len(trials) for name, trials in kept.items()}
    width = 1 if max(counts.values()) < 256 else 2
    right = np.stack([np.sum([one[METRIC] for one in found], 0) for found in kept.values()], -1)
    labels = labels_of([one for found in kept.values() for one in found])
    return {
        "arms": counts,
        "bytes": width,
        "right": _text(right.astype(f"<u{width}")),
        "labels": None if labels is None else _text(labels.astype("<u2")),
        "classes": list(data_of(arm.workload["data"]).class_names),
    }


def _text(numbers: NDArray[Any]) -> str:
    return b64encode(zlib.compress(numbers.tobytes(), 9)).decode()
