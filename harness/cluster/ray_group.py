"""A trial over several workers: Ray Train starts them, and sees that they live and die together."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

import ray
from ray import train
from ray.train.torch import TorchConfig, TorchTrainer

from harness.cluster.executor import Event, Loss, Lost, Needs, Pack
from harness.cluster.ray_losses import explain
from harness.cluster.ray_worker import Worker
from harness.own.imports import Luggage
from harness.trial import Checked, Record, State

PREEMPTED = (Loss.PREEMPTED, "a worker's node was preempted")
GRACE_SECONDS = 10.0
PAUSE_SECONDS = 10.0  # after which a worker that waits for a trial asks again


Job = tuple[int, Pack, list[Any]]
"""A number, a pack of one trial, and references to its open data, test split, stages' products."""


class TrialFailedError(Exception):
    """A trial raised in one of its workers; the others must not wait for it."""


class Group:
    """Stands where a `Worker` does, and has each pack, of one trial, trained by several.

    The workers stay for one trial after another, and ask for each by its number. A trial that
    fails in one of them ends them all; the next one gets others.
    """

    def __init__(self, needs: Needs, interval: float, luggage: Luggage):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"  # the user's modules may lie where we are
        self._needs = needs
        self._interval = interval
        self._luggage = luggage
        self._number = 0
        self._job: Job | None = None
        self._asked = threading.Condition()
        self._told: queue.Queue[list[Event]] = queue.Queue()
        self._workers: threading.Thread | None = None

    def run(self, pack: Pack, references: Sequence[Any]) -> Iterator[list[Event]]:
        """Train a pack of one trial and yield batches of events.

        Args:
            pack: of one trial.
            references: in the object store, which the workers fetch themselves; None where there
                is nothing.
        """
        with self._asked:
            self._number += 1
            self._job = self._number, pack, list(references)
            self._told = queue.Queue()
            self._asked.notify_all()
        self._have_workers()
        while True:
            batch = self._told.get()
            failed = any(isinstance(e, Record) and e.state is State.FAILED for e in batch)
            if failed and self._workers is not None:
                self._workers.join()  # they end, and others need what they have
            yield batch
            if any(isinstance(event, Record | Checked | Lost) for event in batch):
                return

    def job(self, number: int) -> Job | None:
        """Return the job of a number, or a later one, to a worker; None if it has not come yet."""
        with self._asked:
            self._asked.wait_for(lambda: self._number >= number, timeout=PAUSE_SECONDS)
            return self._job if self._number >= number else None

    def take(self, number: int, batch: list[Event]) -> None:
        """Take events of a trial from one of its workers."""
        if number == self._number:
            self._told.put(batch)

    def _have_workers(self) -> None:
        """Start workers unless there are some."""
        if self._workers is None or not self._workers.is_alive():
            me = ray.get_runtime_context().current_actor
            first = self._number
            self._workers = threading.Thread(target=self._fit, args=(first, me), daemon=True)
            self._workers.start()

    def _fit(self, first: int, me: Any) -> None:
        """Have workers train until one of them fails, and say why."""
        folder = tempfile.mkdtemp(prefix="harness-group-")
        try:
            self._trainer(first, me, folder).fit()
            kind, cause = Loss.ERROR, "the workers ended without a record"
        except Exception as error:  # whatever Ray Train raises
            kind, cause = why_ended(error)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if self._job is not None:
            self.take(self._number, [Lost(self._job[1], cause, kind)])

    def _trainer(self, first: int, me: Any, folder: str) -> TorchTrainer:
        needs = self._needs
        resources = {"CPU": needs.cpus, "GPU": needs.gpus, **needs.custom}
        if needs.memory:
            resources["memory"] = needs.memory
        scaling: Any = train.ScalingConfig  # whose arguments are not those that types tell of
        failures: Any = train.FailureConfig
        return TorchTrainer(
            train_together,
            train_loop_config={
                "group": me,
                "first": first,
                "needs": needs,
                "interval": self._interval,
                "luggage": self._luggage,
            },
            torch_config=TorchConfig(backend="nccl" if needs.gpus >= 1 else "gloo"),
            scaling_config=scaling(
                num_workers=needs.workers,
                use_gpu=needs.gpus > 0,
                resources_per_worker=resources,
                label_selector=dict(needs.labels) or None,
            ),
            run_config=train.RunConfig(
                name="harness",
                storage_path=folder,
                failure_config=failures(max_failures=0, max_preemption_failures=0),
            ),
        )


def train_together(config: Mapping[str, Any]) -> None:
    """Train one trial after another as one of their workers. The first tells what happens.

    Raises:
        TrialFailedError: if a trial failed here, so that the other workers do not wait for ever.
    """
    import torch

    from harness.train.data_parallel import RankLostError, TorchRanks

    group, needs = config["group"], config["needs"]
    device = torch.device("cuda" if needs.gpus else "cpu")
    ranks = TorchRanks(device, sharded=needs.strategy == "fsdp")
    worker = Worker(needs.cpus, config["interval"], needs.checkpoints, ranks, config["luggage"])
    for number in count(config["first"]):
        while (job := ray.get(group.job.remote(number))) is None:
            pass
        found, pack, references = job
        given: list[Any] = [None if one is None else ray.get(one) for one in references]
        try:
            if not ranks.all_agree(found):  # else the gradients of different trials would be added
                raise TrialFailedError("the workers of a trial were given different ones")
            for batch in worker.run(pack, *given):
                failed = any(isinstance(e, Record) and e.state is State.FAILED for e in batch)
                if failed or ranks.rank == 0:
                    ray.get(group.take.remote(number, batch))
                if failed:
                    raise TrialFailedError("the trial failed; its record says why")
        except RankLostError:
            time.sleep(GRACE_SECONDS)  # let Ray Train find the one that is gone, and why, first
            raise TrialFailedError("another worker of the trial is gone") from None


def why_ended(error: Exception) -> tuple[Loss, str]:
    """Return the kind and the cause of what ended a group, by its first failure that says most."""
    if type(error).__name__ == "PreemptionError":
        return PREEMPTED
    failures: Mapping[int, Exception] = getattr(error, "worker_failures", {})
    # of a worker that is gone Ray Train says so in an error of its own, around Ray's
    inner = [getattr(one, "health_check_failure", one) for _, one in sorted(failures.items())]
    found = [explain(failure) for failure in inner]
    controller = getattr(error, "controller_failure", None)
    found += [explain(controller)] if controller is not None else []
    # the others end because one did: what they say is no cause
    telling = [one for one in found if one[0] is not Loss.ERROR]
    kind, cause = (telling or found or [explain(error)])[0]
    gone = kind is Loss.ERROR and "another worker of the trial is gone" in cause
    return (Loss.WORKER, "a worker of the trial is gone") if gone else (kind, cause)
