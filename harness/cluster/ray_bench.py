"""Timing blocks on a Ray cluster: one after another on one node, which nothing else of Ray uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from harness.cluster import ray_session
from harness.cluster.blocks import Block, in_fresh_process
from harness.cluster.executor import ClusterError, Needs
from harness.cluster.ray_capacity import nodes, room, why_none
from harness.machine import machine
from harness.own.imports import Luggage
from harness.trial import Record


class RayBench:
    """Measures blocks on one node: of those that have what a trial needs, the first by address.

    A block asks for all CPUs of the node, and all GPUs if trials use any, so that it waits until
    no task of any job runs there, and none begins meanwhile. What runs beside Ray is not seen.
    """

    def __init__(self, address: str, modules: Sequence[str], needs: Needs):
        ray_session.join(address, modules, needs.cpus)
        self._luggage = Luggage.pack(modules)
        try:
            fitting = [node for node in nodes() if room([node], needs)]
            if not fitting:
                raise ClusterError(why_none(nodes(), needs))
            node = min(fitting, key=lambda one: (one.address, one.id))
            self._options: dict[str, Any] = {
                "num_cpus": node.resources.get("CPU", 1),
                "num_gpus": node.resources.get("GPU", 0) if needs.gpus else 0,
                "max_retries": 0,
                "scheduling_strategy": NodeAffinitySchedulingStrategy(node.id, soft=False),
            }
            self.machine: Mapping[str, Any] = self._there(machine, needs.gpus > 0)
        except ray.exceptions.RayError as error:
            self.close()
            raise ClusterError(f"no block can be measured on the cluster: {error}") from None
        except BaseException:
            self.close()
            raise

    def measure(self, block: Block) -> list[Record]:
        """See `Bench`.

        Raises:
            ClusterError: if the node is gone.
        """
        try:
            found: list[Record] = self._there(
                in_fresh_process, replace(block, luggage=self._luggage)
            )
        except ray.exceptions.RayError as error:
            first = str(error).strip().partition("\n")[0]
            raise ClusterError(f"a block could not be measured on the cluster: {first}") from None
        return found

    def _there(self, function: Any, *arguments: Any) -> Any:
        remote: Any = ray.remote(function)
        return ray.get(remote.options(**self._options).remote(*arguments))

    def close(self) -> None:
        """Leave the cluster."""
        ray.shutdown()
