"""A trial over several workers: Ray Train starts them, and sees that they live and die together."""

from __future__ import annotations

import logging
import os
import queue
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ray
from ray import train
from ray.train.torch import TorchConfig, TorchTrainer

from harness.cluster.executor import Event, Loss, Lost, Needs, Pack
from harness.cluster.ray_losses import explain
from harness.cluster.ray_worker import Worker
from harness.trial import Record, State
from harness.workloads import TrialData

PREEMPTED = (Loss.PREEMPTED, "a worker's node was preempted")


class TrialFailedError(Exception):
    """A trial raised in one of its workers; the others must not wait for it."""


class Group:
    """Stands where a `Worker` does, and has each pack, of one trial, trained by several."""

    def __init__(self, needs: Needs, interval: float):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        logging.getLogger("ray.train").setLevel(logging.CRITICAL)
        self._needs = needs
        self._interval = interval
        self._told: dict[tuple[str, int], queue.Queue[list[Event]]] = {}
        os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"  # the user's modules may lie where we are

    def ready(self) -> int:
        """Answer that this process is up, with its id."""
        return os.getpid()

    def take(self, attempt: tuple[str, int], batch: list[Event]) -> None:
        """Take events of a trial from one of its workers."""
        if attempt in self._told:
            self._told[attempt].put(batch)

    def run(self, pack: Pack, references: Sequence[Any]) -> Iterator[list[Event]]:
        """Train a pack of one trial and yield batches of events.

        Args:
            pack: of one trial.
            references: in the object store, of open data, test split and initial weights, which the
                workers fetch themselves; None where there is none.
        """
        attempt = (pack.trials[0].id, pack.attempt)
        told = self._told.setdefault(attempt, queue.Queue())
        me = ray.get_runtime_context().current_actor
        thread = threading.Thread(target=self._fit, args=(pack, references, me), daemon=True)
        thread.start()
        while True:
            batch = told.get()
            ended = any(isinstance(event, Record | Lost) for event in batch)
            if ended:
                thread.join()  # the next pack needs what these workers have
                del self._told[attempt]
            yield batch
            if ended:
                return

    def _fit(self, pack: Pack, references: Sequence[Any], me: Any) -> None:
        """Train; say at the end what went wrong, if nothing else was said."""
        folder = tempfile.mkdtemp(prefix="harness-group-")
        try:
            self._trainer(pack, references, me, folder).fit()
            kind, cause = Loss.ERROR, "the workers ended without a record"
        except Exception as error:  # whatever Ray Train raises
            kind, cause = _why(error)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        self.take((pack.trials[0].id, pack.attempt), [Lost(pack, cause, kind)])

    def _trainer(self, pack: Pack, references: Sequence[Any], me: Any, folder: str) -> TorchTrainer:
        needs = self._needs
        resources = {"CPU": needs.cpus, "GPU": needs.gpus, **needs.custom}
        if needs.memory:
            resources["memory"] = needs.memory
        scaling: Any = train.ScalingConfig  # whose arguments are not those that types tell of
        failures: Any = train.FailureConfig
        config = {
            "pack": pack,
            "references": list(references),
            "group": me,
            "needs": needs,
            "interval": self._interval,
        }
        return TorchTrainer(
            train_together,
            train_loop_config=config,
            torch_config=TorchConfig(backend="nccl" if needs.gpus >= 1 else "gloo"),
            scaling_config=scaling(
                num_workers=needs.workers,
                use_gpu=needs.gpus > 0,
                resources_per_worker=resources,
                label_selector=dict(needs.labels) or None,
            ),
            run_config=train.RunConfig(
                name=pack.trials[0].id,
                storage_path=folder,
                failure_config=failures(max_failures=0, max_preemption_failures=0),
            ),
        )


def train_together(config: Mapping[str, Any]) -> None:
    """Train a trial as one of its workers. The first tells what happens.

    Raises:
        TrialFailedError: if the trial failed here, so that the other workers do not wait for ever.
    """
    import torch

    from harness.train.ranks import TorchRanks

    pack, needs = config["pack"], config["needs"]
    device = torch.device("cuda" if needs.gpus else "cpu")
    worker = Worker(needs.cpus, config["interval"], needs.checkpoints, TorchRanks(device))
    data, test, weights = (
        None if reference is None else ray.get(reference) for reference in config["references"]
    )
    assert isinstance(data, TrialData)
    for batch in worker.run(pack, data, test, weights):
        failed = any(isinstance(e, Record) and e.state is State.FAILED for e in batch)
        if failed or train.get_context().get_world_rank() == 0:
            ray.get(config["group"].take.remote((pack.trials[0].id, pack.attempt), batch))
        if failed:
            raise TrialFailedError("the trial failed; its record says why")


def _why(error: Exception) -> tuple[Loss, str]:
    """Return the kind and the cause of what ended a group, by its first failure that says most."""
    if type(error).__name__ == "PreemptionError":
        return PREEMPTED
    failures: Mapping[int, Exception] = getattr(error, "worker_failures", {})
    found = [explain(failure) for _, failure in sorted(failures.items())]
    inner = getattr(error, "controller_failure", None)
    found += [explain(inner)] if inner is not None else []
    # the others end because one did: what they say is no cause
    telling = [one for one in found if one[0] is not Loss.ERROR]
    return (telling or found or [explain(error)])[0]
