"""Where trials run: on Ray, or in this process."""

from harness.cluster.executor import Event, Executor, Lost, Pack
from harness.cluster.local import LocalExecutor

__all__ = ["Event", "Executor", "LocalExecutor", "Lost", "Pack"]
