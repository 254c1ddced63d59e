"""A Ray of our own, in processes of a session of its own. Nothing here imports Ray.

So it starts while this process still imports what it needs to join it.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import harness
from harness.cluster import ray_head
from harness.cluster.executor import ClusterError
from harness.formatting import plural
from harness.own import TRAININGS, isolated
from harness.own.lookup import is_importable

PREFIX = "harness-ray-"
_SHORT = 16  # characters of a temporary folder that leave room for a unix socket's name (107)
_STOP_SECONDS = 10.0
_SWITCHES = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Ray's switch for one machine, which keeps 127.0.0.1 as it is. Read when Ray is imported."""


class Head:
    """The first process of a Ray of our own, and its folder.

    Ray ends when this process does, however that happens, and its folder with it.

    Args:
        cpus: that Ray may give away; None for those of this machine.
        threads: of each worker.

    Attributes:
        late: whether this process imported Ray before, without what is set here for it.
        crowd: what to say where other runs use the same cores; empty where there are enough.
    """

    def __init__(self, cpus: int | None, threads: int):
        clear_abandoned()
        self.late = "ray" in sys.modules and not os.environ.items() >= _SWITCHES.items()
        if not self.late:
            os.environ.update(_SWITCHES)
        _use_token()
        others = cpus_of_others()
        self.folder, self._lock = temporary_folder()
        own = cpus or available_cpus()
        self._lock.write(str(own))
        self._lock.flush()
        self.crowd = _crowd(own, others, available_cpus())
        source = [] if is_importable("harness") else [str(Path(harness.__file__).parents[1])]
        self._process = subprocess.Popen(
            [sys.executable, ray_head.__file__, str(self.folder), str(cpus or 0)],
            env={
                **os.environ,
                **_SWITCHES,
                **thread_variables(threads),
                **isolated(*source),
                **self._trainings(),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=[self._lock.fileno()],  # the folder is in use until Ray has ended
            start_new_session=True,
        )

    def _trainings(self) -> dict[str, str]:
        """Let trainings write into our folder, unless the user wants another disk for that."""
        usual = self.folder.parent == Path(tempfile.gettempdir())
        return {TRAININGS: str(self.folder)} if usual else {}

    def address(self) -> str:
        """Return the address, on the loopback interface, once Ray is up.

        Raises:
            ClusterError: if it does not come up.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        answer = json.loads(line) if line.endswith(b"\n") else {"error": "its process ended"}
        if "error" in answer:
            raise ClusterError(f"Ray could not be started on this machine: {answer['error']}")
        host, _, port = str(answer["address"]).rpartition(":")
        return f"[::ffff:{host}]:{port}" if self.late else f"{host}:{port}"  # left as it is

    def stop(self) -> None:
        """End Ray and remove its folder, if that was not done yet."""
        if self._lock.closed:
            return
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            with suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)  # should the process have been killed
        self._lock.close()


def available_cpus() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpus_of_others() -> list[int]:
    """Return how many cores each other Ray of this user's runs has been given on this machine."""
    found = []
    for owner in _owners():
        try:
            with owner.open("r") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:  # it is alive
            with suppress(OSError, ValueError):
                found.append(int(owner.read_text(encoding="ascii")))
        except OSError:
            continue
    return found


def _crowd(own: int, others: list[int], cores: int) -> str:
    if not others or own + sum(others) <= cores:
        return ""
    runs = plural(len(others), "other run")
    return (
        f"{runs} of yours on this machine may use {sum(others)} of its {cores} cores, this one "
        f"{own}: all become slower, and times that are measured mean little; let one wait for the "
        "other, or give both one Ray (ray start --head, then --address auto)"
    )


def thread_variables(threads: int) -> dict[str, str]:
    """Return what the numerical libraries read, once, when a worker imports them."""
    return dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))


def _use_token() -> None:
    """Let only this process's own workers in, unless the user's environment says otherwise.

    Without a token in the environment Ray would write one to the user's home.
    """
    mode = os.environ.setdefault("RAY_AUTH_MODE", "token")
    if mode == "token" and not os.environ.keys() & {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}:
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def temporary_folder() -> tuple[Path, IO[str]]:
    """Make a private folder for sockets, logs or code, locked while this process lives."""
    parent = tempfile.gettempdir()
    if len(parent) > _SHORT:
        parent = "/tmp"
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        lock = (folder / "owner").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():  # nobody took it for abandoned before the lock was there
            return folder, lock
        lock.close()


def clear_abandoned() -> None:
    """Remove the folders of processes that were killed: nobody holds their lock any more."""
    for owner in _owners():
        try:
            with owner.open("r") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(owner.parent, ignore_errors=True)
        except OSError:  # in use, or another user's
            continue


def _owners() -> Iterator[Path]:
    for parent in {tempfile.gettempdir(), "/tmp"}:
        yield from Path(parent).glob(f"{PREFIX}*/owner")
