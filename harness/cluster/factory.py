"""Open an executor. Ray is imported only when one is opened that needs it: a plan stays quick."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from harness.cluster.blocks import Bench, LocalBench
from harness.cluster.executor import Executor, Needs
from harness.cluster.head import Head
from harness.cluster.local import LocalExecutor


def open_executor(
    address: str | None = None,
    *,
    needs: Needs | None = None,
    slots: int | None = None,
    modules: Sequence[str] = (),
    in_process: bool = False,
    head: Head | None = None,
) -> Executor:
    """Open what runs the trials.

    Args:
        address: of a running Ray cluster (`auto` or `host:port`); None starts one on this machine.
        needs: what each trial is given; None for one CPU.
        slots: trials at once, at most; None for as many as the cluster's resources bear.
        modules: with the user's own functions; what they reach is sent along to a joined cluster.
        in_process: run everything in this process instead, for tests and debugging.
        head: of a Ray of our own that has begun to start (`start_head`), which is taken over.

    Raises:
        ClusterError: if the cluster cannot be started or joined, or has no room for a trial.
    """
    needs = needs or Needs()
    if in_process:
        return LocalExecutor(needs.cpus, needs.checkpoints)
    if "ray" in sys.modules:
        from harness.cluster.ray_session import refuse_second_session

        refuse_second_session()
    set_switches()
    if address is not None:
        from harness.cluster.ray_executor import RayExecutor

        return RayExecutor(address, needs=needs, slots=slots, modules=modules)
    if head is None or slots is not None:  # one that has begun may give all cores away
        own = None if slots is None else slots * needs.cpus * needs.workers
        head = Head(own, needs.cpus)
    try:
        from harness.cluster.ray_executor import RayExecutor

        return RayExecutor(head, needs=needs, slots=slots)
    except BaseException:
        head.stop()
        raise


def start_head(needs: Needs) -> Head:
    """Begin to start a Ray of our own, for `open_executor`; whoever asks for it has to stop it.

    It takes a second or two, in processes of their own.
    """
    set_switches()
    return Head(None, needs.cpus)


def open_bench(
    *,
    gpu: bool,
    address: str | None = None,
    modules: Sequence[str] = (),
    needs: Needs | None = None,
) -> Bench:
    """Return where blocks are measured: this machine, or one node of a cluster.

    Args:
        gpu: whether they may compute on a GPU.
        address: of a running Ray cluster; None for this machine.
        modules: with the user's own functions, which are sent along to a cluster.
        needs: what a trial is given, which the node must have.

    Raises:
        ClusterError: if the cluster cannot be joined, or has no such node.
    """
    if address is None:
        return LocalBench(gpu)
    set_switches()
    from harness.cluster.ray_bench import RayBench

    return RayBench(address, modules, needs or Needs())


def set_switches() -> None:
    """Set Ray's switches, which it reads once, when it is imported.

    It prints what happens to its workers straight to standard output, where a JSON document may
    have to stand alone, and aborts on SIGTERM with a trace.
    """
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".*")
    os.environ.setdefault("RAY_DISABLE_FAILURE_SIGNAL_HANDLER", "1")
