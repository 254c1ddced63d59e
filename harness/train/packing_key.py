"""Which trials may be trained as one program, and how to share them out; imports no PyTorch."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.trial import Trial, digest

LARGEST_PACK = 64
_TENSORS = {"lr", "weight_decay", "momentum", "beta1", "beta2"}  # an optimizer's, by member


def pack_key(trial: Trial) -> str:
    """Return a key that trials share if they can be one program.

    They may differ in seed, in initial weights and in the numbers of their optimizer; all else,
    whatever it is called, must be equal. Trials of the simple baseline share their key with none.
    """
    workload = dict(trial.workload)
    model, optimizer = dict(workload["model"]), dict(workload["optimizer"])
    if model["name"] == "logistic_regression":
        return trial.id
    model.pop("initialization", None)
    workload["model"] = model
    workload["optimizer"] = {k: v for k, v in optimizer.items() if k not in _TENSORS}
    return digest([workload, trial.phase.value, trial.data_fingerprint, trial.code_version])


def group(
    trials: Sequence[Trial], workers: int = 1, largest: int = LARGEST_PACK
) -> list[list[Trial]]:
    """Share trials out in groups of one key, so that each of the workers gets some of every key.

    The engine decides within a group how many are trained at once. Keys and trials keep their
    order.
    """
    by_key: dict[str, list[Trial]] = {}
    for trial in trials:
        by_key.setdefault(pack_key(trial), []).append(trial)
    groups = []
    for alike in by_key.values():
        parts = max(min(workers, len(alike)), math.ceil(len(alike) / largest))
        size = math.ceil(len(alike) / parts)
        groups += [alike[start : start + size] for start in range(0, len(alike), size)]
    return groups
