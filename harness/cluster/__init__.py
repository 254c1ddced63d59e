"""Where trials run: on Ray, or in this process."""

from harness.cluster.blocks import Bench, Block
from harness.cluster.executor import (
    ClusterError,
    DryRun,
    Event,
    Executor,
    Key,
    Loss,
    Lost,
    Needs,
    Notice,
    Pack,
    UnknownDataError,
    UnknownProductsError,
)
from harness.cluster.factory import open_bench, open_executor, start_head
from harness.cluster.head import Head
from harness.cluster.local import LocalExecutor

__all__ = [
    "Bench",
    "Block",
    "ClusterError",
    "DryRun",
    "Event",
    "Key",
    "Executor",
    "Head",
    "LocalExecutor",
    "Loss",
    "Lost",
    "Needs",
    "Notice",
    "Pack",
    "UnknownDataError",
    "UnknownProductsError",
    "open_bench",
    "open_executor",
    "start_head",
]
