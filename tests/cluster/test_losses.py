"""Causes of a loss are told apart, and name no machine."""

import pytest
from ray import exceptions
from ray.core.generated.common_pb2 import ActorDiedErrorContext, NodeDeathInfo

from harness.cluster import Loss
from harness.cluster.ray_losses import explain


def death(message, **fields):
    context = ActorDiedErrorContext(
        error_message=message, actor_id=b"0" * 16, node_ip_address="10.1.2.3", **fields
    )
    return exceptions.ActorDiedError(context)


CRASH = (
    "The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR "
    "Worker exit detail: Worker unexpectedly exits with a connection error code 2. End of file. "
    "Some common causes include: (1) the process was killed by the OOM killer due to high memory "
    "usage, (2) ray stop --force was called"
)
PREEMPTED = NodeDeathInfo(reason=NodeDeathInfo.AUTOSCALER_DRAIN_PREEMPTED)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (death(CRASH), Loss.WORKER, "crashed, or it was killed"),
        (death("Worker exits with an exit code 3."), Loss.WORKER, "exit code 3"),
        (death("The actor died because its node has died. Node Id: ab"), Loss.NODE, "node was"),
        (death("its node has died", node_death_info=PREEMPTED), Loss.PREEMPTED, "preempted"),
        (exceptions.OutOfMemoryError("Memory on 10.1.2.3"), Loss.MEMORY, "out of memory"),
        (exceptions.NodeDiedError("10.1.2.3"), Loss.NODE, "lost"),
        (exceptions.RuntimeEnvSetupError("10.1.2.3"), Loss.ERROR, "environment"),
        (
            exceptions.RayTaskError(
                "run", '  File "x.py", line 1\n    raise ValueError\nValueError: odd', ValueError()
            ),
            Loss.ERROR,
            "outside a trial: ValueError: odd",
        ),
        (RuntimeError("the worker ended early"), Loss.ERROR, "ended early"),
    ],
)
def test_kinds(error, kind, words):
    found, cause = explain(error)
    assert found is kind
    assert words in cause
    assert "10.1.2.3" not in cause


def test_a_dead_worker_of_several_is_told_from_those_that_waited_for_it():
    from ray.train import WorkerGroupError
    from ray.train.v2._internal.exceptions import WorkerHealthCheckFailedError

    from harness.cluster.ray_group import why_ended

    waited = exceptions.RayTaskError("run", "ValueError: another worker of the trial is gone", None)
    dead = WorkerHealthCheckFailedError("a check failed", death(CRASH))
    kind, cause = why_ended(WorkerGroupError("two failed", {0: waited, 1: dead}))
    assert kind is Loss.WORKER
    assert "10.1.2.3" not in cause
    alone = why_ended(WorkerGroupError("one failed", {0: waited}))
    assert alone == (Loss.WORKER, "a worker of the trial is gone")
