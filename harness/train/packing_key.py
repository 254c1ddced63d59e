"""Which trials may be trained as one program, and how to share them out; imports no PyTorch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.models import is_simple, network_class
from harness.trial import OWN_SEEDS, Trial, digest

LARGEST_PACK = 64
GOOD_SIZE = 8  # from here on a larger pack gains little on a CPU
_MEMBERS_OWN = ("schedule", "early_stopping", "stop_rules", OWN_SEEDS)  # each may have others


def pack_key(trial: Trial) -> str:
    """Return a key that trials share if they can be one program.

    They may differ in seed, initial weights, numbers of the optimizer, schedule, dropout rates
    (unless one has none), the gradient's largest norm, the weight of an L1 penalty, and rules that
    end training early. All other settings must be equal. A simple model, or a training of the
    user's own, has a key of its own.
    """
    if trial.has_own_training or is_simple(trial.workload["model"]):
        return trial.id
    workload = _shared(trial.workload)
    return digest([workload, trial.phase.value, trial.data_fingerprint, trial.code_version])


def network_key(workload: Mapping[str, Any]) -> str:
    """Return a key that workloads share if the dry run of one is enough for all of them."""
    training = workload.get("training")
    if training:
        return digest(training["name"])
    kept = _shared(workload)
    for name in ("epochs", "keep"):
        kept.pop(name, None)
    return digest(kept)


def _shared(workload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a workload that all members of a pack have in common."""
    kept = {key: value for key, value in workload.items() if key not in _MEMBERS_OWN}
    if kept.get("l1"):
        kept["l1"] = True  # members may differ in how much
    optimizer = kept["optimizer"].items()
    return kept | {
        "model": structure(kept["model"]),
        "clip": kept.get("clip") is not None,
        "optimizer": {key: value for key, value in optimizer if not isinstance(value, float)},
    }


def structure(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a model's settings that all members of a pack have in common."""
    network = network_class(model["name"])
    kept = {key: value for key, value in model.items() if key not in network.initial}
    for name in network.rates:
        rates = kept.get(name, 0.0)
        kept[name] = [rate > 0 for rate in rates] if isinstance(rates, list) else rates > 0
    return kept


def group(
    trials: Sequence[Trial], workers: int = 1, largest: int = LARGEST_PACK
) -> list[list[Trial]]:
    """Share trials out in groups of one key, for the engine to divide into packs.

    There is a group for every worker wherever there are trials enough, and two where that leaves
    groups of a good size, so that no worker ends long before the others. Trials keep their order
    within a group, and keys theirs.
    """
    groups = [part for alike in by_key(trials) for part in _split(alike, largest)]
    while groups and len(groups) < 2 * workers and workers > 1:
        size = max(len(part) for part in groups)
        if size < (2 if len(groups) < workers else 2 * GOOD_SIZE):
            break
        place = next(index for index, part in enumerate(groups) if len(part) == size)
        groups[place : place + 1] = _split(groups[place], -(-size // 2))
    return groups


def by_key(trials: Sequence[Trial]) -> list[list[Trial]]:
    """Divide trials by their keys, in the order in which each first appears."""
    alike: dict[str, list[Trial]] = {}
    for trial in trials:
        alike.setdefault(pack_key(trial), []).append(trial)
    return list(alike.values())


def _split(trials: list[Trial], largest: int) -> list[list[Trial]]:
    size = math.ceil(len(trials) / math.ceil(len(trials) / largest))
    return [trials[start : start + size] for start in range(0, len(trials), size)]
