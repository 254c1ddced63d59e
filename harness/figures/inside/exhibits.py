"""Exhibits of the confirmation trials, and what their pictures say about them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from harness.evidence import Evidence
from harness.exhibit import exhibit
from harness.study import Arm
from harness.study.workload import Workload
from harness.wording import listed, plural

MOST_PANELS = 12
NAME = "inside-{}"


@dataclass(frozen=True)
class Shown:
    """What a probe left of one trial."""

    arm: str
    seed: int
    parts: Mapping[str, NDArray[Any]]
    class_names: tuple[str, ...] = ()

    def class_name(self, index: int) -> str:
        """Return what the data call a class, or its number."""
        return self.class_names[index] if 0 <= index < len(self.class_names) else str(index)


def exhibits(evidence: Evidence, probe: str, names: Sequence[str]) -> list[Shown]:
    """Return what a probe left, in the order of arms and seeds."""
    arms = {arm.name: arm for arm in evidence.plan.all_arms}
    rows = evidence.confirmation
    rows = rows[rows["state"] == "complete"]
    found = []
    for arm, seed, trial_id in zip(rows["arm"], rows["seed"], rows["trial_id"], strict=True):
        parts = exhibit(evidence.details.get(trial_id, {}), probe, names)
        if parts is not None:
            found.append(Shown(str(arm), int(seed), parts, _class_names(arms[arm])))
    order = list(arms)
    return sorted(found, key=lambda shown: (order.index(shown.arm), shown.seed))


def _class_names(arm: Arm) -> tuple[str, ...]:
    return Workload.model_validate_json(json.dumps(arm.workload), strict=True).data.class_names


def whose(shown: Sequence[Shown]) -> str:
    """Say which seeds are shown: "Seed 0 of each arm"."""
    seeds = sorted({one.seed for one in shown})
    word = "Seed" if len(seeds) == 1 else "Seeds"
    return f"{word} {listed([str(seed) for seed in seeds])} of each arm"


def left_out(count: int) -> str:
    """Say how many panels there was no room for."""
    return f" {plural(count - MOST_PANELS, 'more panel')} left out." if count > MOST_PANELS else ""
