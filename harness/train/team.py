"""Processes of one machine that take training steps together, so that these can be timed.

A study's trials are shared out to workers by Ray Train (`resources.workers`). In a timing block no
Ray runs: here one process starts the others, and tells them to take each step with it. They meet as
those of Ray Train do, in PyTorch's group of processes over gloo.
"""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Self

import torch
from torch import Tensor, distributed

from harness.train.data_parallel import RankLostError, Ranks, TorchRanks

PATIENCE = timedelta(minutes=5)
_NUMBER = 2  # bytes that tell which step

Build = Callable[..., AbstractContextManager[Sequence[Callable[[], None] | None]]]
"""From the ranks by the number of workers, and further arguments, to what takes each step."""


class TeamRanks(TorchRanks):
    """Some of the processes of the default group; see `TorchRanks`."""

    def __init__(self, group: Any, device: torch.device):
        self.rank, self.world_size = distributed.get_rank(group), distributed.get_world_size(group)
        self._device, self._group = device, group

    def _reduce(self, values: Tensor, operation: Any) -> None:
        try:
            distributed.all_reduce(values, op=operation, group=self._group)
        except RuntimeError as error:
            raise RankLostError(str(error).partition("\n")[0]) from error


class Team:
    """The workers beside this process; they end with it, or with the `with` block.

    Args:
        counts: how many workers may take a step together, this one always among them.
        build: makes what the other workers do, from their ranks and `arguments`.
        arguments: can be pickled.
    """

    def __init__(self, counts: Sequence[int], build: Build, *arguments: Any):
        self._counts, self._job = list(counts), (build, arguments)
        self._others: list[subprocess.Popen[bytes]] = []
        self.ranks: Mapping[int, Ranks] = {}
        """Of this process, by the number of workers."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="harness-team-")
        size = max(self._counts)
        try:
            for rank in range(1, size):
                job = (sys.path, rank, size, self._folder.name, self._counts, *self._job)
                other = subprocess.Popen(
                    [sys.executable, "-c", "from harness.train.team import serve; serve()"],
                    stdin=subprocess.PIPE,
                )
                self._others.append(other)
                assert other.stdin is not None
                other.stdin.write(pickle.dumps(job))
                other.stdin.flush()
            self.ranks = {c: r for c, r in _meet(0, size, self._folder.name, self._counts) if r}
        except BaseException:
            self.__exit__()
            raise
        return self

    def tell(self, number: int, count: int) -> None:
        """Tell the first `count` workers to take a step, by the place of what takes it."""
        for other in self._others[: count - 1]:
            assert other.stdin is not None
            other.stdin.write(number.to_bytes(_NUMBER))
            other.stdin.flush()

    def __exit__(self, *_: object) -> None:
        for other in self._others:
            other.kill()  # there is nothing that they would have to bring home
            other.wait()
            if other.stdin is not None:
                other.stdin.close()
        if distributed.is_initialized():
            distributed.destroy_process_group()
        self._folder.cleanup()


def serve() -> None:
    """Be one of the other workers of a team, until standard input ends."""
    told = sys.stdin.buffer
    path, rank, size, folder, counts, build, arguments = pickle.load(told)
    sys.path[:] = path
    with build(dict(_meet(rank, size, folder, counts)), *arguments) as takes:
        while number := told.read(_NUMBER):
            takes[int.from_bytes(number)]()


def _meet(
    rank: int, size: int, folder: str, counts: Sequence[int]
) -> list[tuple[int, Ranks | None]]:
    """Join the other processes; return this one's ranks by group, None where it is in none."""
    loopback = [name for _, name in socket.if_nameindex() if name.startswith("lo")]
    if loopback:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback[0])
    meeting = f"file://{os.path.join(folder, 'meeting')}"
    distributed.init_process_group(
        "gloo", init_method=meeting, rank=rank, world_size=size, timeout=PATIENCE
    )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    groups = [(count, distributed.new_group(list(range(count)))) for count in counts]
    return [(n, TeamRanks(group, device) if rank < n else None) for n, group in groups]
