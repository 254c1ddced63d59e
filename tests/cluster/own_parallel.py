"""Trainings of a user's own on several workers that go wrong, each in a way of its own."""

import multiprocessing
import os
import signal
from pathlib import Path

import torch
from torch import distributed


def step(rank):
    """Wait for the other worker, as a training step does."""
    distributed.all_reduce(torch.ones(1) * rank)


def raising(config, report):
    """Raise on the second worker, while the first one waits for it."""
    for epoch in range(config["epochs"]):
        if distributed.get_rank() == 1 and epoch == 1:
            raise OSError("the second worker has no disk")
        step(distributed.get_rank())
        report({"validation.accuracy": 0.5})


def silent(config, report):
    """Report on the first worker alone."""
    for _ in range(config["epochs"]):
        if distributed.get_rank() == 0:
            report({"validation.accuracy": 0.5})


def ending(config, report):
    """End the process group, as a script does that has set it up."""
    for _ in range(config["epochs"]):
        step(distributed.get_rank())
        report({"validation.accuracy": 0.5})
    distributed.destroy_process_group()


def dying(config, report):
    """Kill the second worker once, while the first one waits for it; they share their folder."""
    mark, shared = Path(config["folder"]) / "died", Path("written-by-the-first")
    if distributed.get_rank() == 0:
        shared.touch()
    step(distributed.get_rank())
    assert shared.exists()
    for epoch in range(config["epochs"]):
        if distributed.get_rank() == 1 and epoch == 1 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        step(distributed.get_rank())
        report({"validation.accuracy": 0.25 + distributed.get_rank()})


def by_two(folder, packs, data):
    """Have packs of one trial done by two processes, as the workers of Ray Train do them.

    Return for each pack why the trial failed, by rank; "lost" where the other worker was lost.
    """
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    both = [
        context.Process(target=_one_of_two, args=(rank, folder, packs, data, answers), daemon=True)
        for rank in range(2)
    ]
    for process in both:
        process.start()
    found = dict(answers.get(timeout=900) for _ in range(2 * len(packs)))
    for process in both:
        process.join()
    return [[found[number, rank] for rank in range(2)] for number in range(len(packs))]


def _one_of_two(rank, folder, packs, data, answers):
    from harness.cluster.ray_worker import Worker
    from harness.train.data_parallel import RankLostError, TorchRanks

    for number, pack in enumerate(packs):
        store = distributed.FileStore(f"{folder}/meeting-{number}", 2)
        distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
        worker = Worker(1, 0.0, ranks=TorchRanks(torch.device("cpu")))
        try:
            *_, (*_, record) = worker.run(pack, data)
            answers.put(((number, rank), record.reason))
        except RankLostError:
            answers.put(((number, rank), "lost"))
        if distributed.is_initialized():
            distributed.destroy_process_group()
