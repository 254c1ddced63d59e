"""How many trials a cluster has room for, whether it can grow, and why a trial may fit nowhere."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray

from harness.cluster.executor import Needs
from harness.formatting import listed

_MEMBERS = re.compile(r"in\((.*)\)")
_GIGABYTE = 10**9


@dataclass(frozen=True)
class Node:
    """What a node offers: `CPU`, `GPU`, `memory` (bytes) and custom resources, and its labels."""

    resources: Mapping[str, float]
    labels: Mapping[str, str]
    id: str = ""
    address: str = ""


def nodes() -> list[Node]:
    """Return the nodes that are alive."""
    found: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [
        Node(node["Resources"], node.get("Labels", {}), node["NodeID"], node["NodeManagerAddress"])
        for node in found
        if node["Alive"]
    ]


def room(cluster: Sequence[Node], needs: Needs) -> int:
    """Count the trials that fit a cluster at once, when nothing else runs there."""
    return sum(fitting(node, needs) for node in cluster) // needs.workers


def is_autoscaled() -> bool:
    """Whether an autoscaler adds nodes to the cluster when work waits.

    Ray has no question for it; where it does not keep what is looked at here, a cluster counts as
    one that stays as it is. Its monitor also writes down what it sees where it may add nothing:
    then every node stands there as a type of its own, called `node_` and its number.
    """
    try:
        from ray._private.ray_constants import DEBUG_AUTOSCALING_STATUS
        from ray._private.state import state
        from ray.experimental import internal_kv
    except ImportError:
        return False
    if state.get_cluster_config() is not None:
        return True
    written = internal_kv._internal_kv_get(DEBUG_AUTOSCALING_STATUS)
    report = (json.loads(written) if written else {}).get("autoscaler_report") or {}
    types = [*(report.get("active_nodes") or {}), *(report.get("node_type_mapping") or {}).values()]
    return any(not str(name).startswith("node_") for name in types)


def why_none(cluster: Sequence[Node], needs: Needs) -> str:
    """Say what a trial needs and what the cluster has of it, nearest to being enough."""
    some = f"{needs.workers} workers of a trial, each with " if needs.workers > 1 else ""
    labelled = [node for node in cluster if _has_labels(node, needs.labels)]
    wanted = [f"{amount:g} {_named(name)}" for name, amount in _amounts(needs).items()]
    wanted += [f"the label {name}: {value}" for name, value in needs.labels.items()]
    if needs.workers > 1 and any(fitting(node, needs) > 0 for node in cluster):
        return f"the cluster has no room for {some}{listed(wanted)}"
    text = f"no node of the cluster has room for {some or 'a trial with '}{listed(wanted)}"
    if needs.labels and not labelled:
        return f"{text}: none has these labels"
    lacking = [
        f"{_named(name)}: at most {max((_has(node, name) for node in labelled), default=0):g}"
        for name, amount in _amounts(needs).items()
        if not any(_has(node, name) >= amount for node in labelled)
    ]
    return f"{text} ({'; '.join(lacking)} on a node)" if lacking else text


def fitting(node: Node, needs: Needs) -> int:
    """Count the workers that fit a node, when nothing else runs there."""
    if not _has_labels(node, needs.labels):
        return 0
    fits = []
    for name, amount in _amounts(needs).items():
        has = _has(node, name)
        if name == "GPU" and amount < 1:
            fits.append(int(has) * int(1 / amount + 1e-9))
        else:
            fits.append(int(has / amount + 1e-9))
    return min(fits)


def _amounts(needs: Needs) -> dict[str, float]:
    """Return what a worker needs; memory in GB, as it is told."""
    amounts: dict[str, float] = {"CPU": needs.cpus}
    if needs.gpus:
        amounts["GPU"] = needs.gpus if needs.gpus <= 1 else math.ceil(needs.gpus)
    if needs.memory:
        amounts["memory"] = needs.memory / _GIGABYTE
    return {**amounts, **needs.custom}


def _has(node: Node, name: str) -> float:
    amount = node.resources.get(name, 0.0)
    return round(amount / _GIGABYTE, 1) if name == "memory" else amount


def _named(name: str) -> str:
    return {"CPU": "CPUs", "GPU": "GPUs", "memory": "GB of memory"}.get(name, name)


def _has_labels(node: Node, wanted: Mapping[str, str]) -> bool:
    return all(_agrees(node.labels.get(name), value) for name, value in wanted.items())


def _agrees(value: str | None, wanted: str) -> bool:
    """Tell whether a label is as wanted, in Ray's language: value, !value, in(..), !in(..)."""
    plain = wanted.removeprefix("!")
    members = _MEMBERS.fullmatch(plain)
    among = [part.strip() for part in members[1].split(",")] if members else [plain]
    return (value in among) != wanted.startswith("!")
