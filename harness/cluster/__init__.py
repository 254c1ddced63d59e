"""Where trials run: on Ray, or in this process."""

from harness.cluster.executor import (
    ClusterError,
    DryRun,
    Event,
    Executor,
    Loss,
    Lost,
    Needs,
    Notice,
    Pack,
    UnknownDataError,
    UnknownWeightsError,
)
from harness.cluster.factory import open_executor
from harness.cluster.local import LocalExecutor

__all__ = [
    "ClusterError",
    "DryRun",
    "Event",
    "Executor",
    "LocalExecutor",
    "Loss",
    "Lost",
    "Needs",
    "Notice",
    "Pack",
    "UnknownDataError",
    "UnknownWeightsError",
    "open_executor",
]
