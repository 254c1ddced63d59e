"""Which trials may be trained as one program, and how to share them out; imports no PyTorch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.models import is_simple, network_class
from harness.trial import Trial, digest

LARGEST_PACK = 64
GOOD_SIZE = 8  # from here on a larger pack gains little on a CPU
_MEMBERS_OWN = ("schedule", "early_stopping", "stop_rules")  # what the loop asks each member for


def pack_key(trial: Trial) -> str:
    """Return a key that trials share if they can be one program.

    They may differ in seed, initial weights, the numbers of their optimizer, schedule, dropout
    rates (but for none at all), the bound on gradients, and rules that end training early; all
    else, whatever it is called, must be equal. Trials of simple models and of
    trainings that are not ours share their key with none.
    """
    if is_simple(trial.workload["model"]) or trial.workload.get("training"):
        return trial.id
    workload = _shared(trial.workload)
    return digest([workload, trial.phase.value, trial.data_fingerprint, trial.code_version])


def network_key(workload: Mapping[str, Any]) -> str:
    """Return a key that workloads share if one step of one of them shows what all would."""
    training = workload.get("training")
    if training:
        return digest(training["name"])
    kept = _shared(workload)
    for name in ("epochs", "keep"):
        kept.pop(name, None)
    return digest(kept)


def _shared(workload: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a workload is the same for all members of a pack."""
    kept = {key: value for key, value in workload.items() if key not in _MEMBERS_OWN}
    kept["model"] = structure(kept["model"])
    kept["clip"] = kept.get("clip") is not None
    settings = kept["optimizer"].items()  # whose numbers each member has for itself
    kept["optimizer"] = {key: value for key, value in settings if not isinstance(value, float)}
    return kept


def structure(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a model's settings is not in its tensors: the same for all of one pack."""
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
