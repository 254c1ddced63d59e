"""A machine room of its own on this machine: a Ray cluster of several nodes, and an MLflow server.

All of it is real, and all of it can be killed and put back. Everything listens on loopback only and
lives in one temporary folder.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "track"))  # the real server of those tests

from tracking_examples import Server, client, until

NODES = 2  # beside the head, which trains nothing; one CPU each
TRIES = 5
ENVIRONMENT = {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": "0123456789abcdef" * 4,
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Ray's switch for loopback
    "RAY_USAGE_STATS_ENABLED": "0",
    # What was killed is known to be lost within seconds rather than minutes.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "10",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "5000",
    "RAY_health_check_failure_threshold": "3",
}


class World:
    """What a study runs on. `close` it, or use it as a context manager."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="harness-chaos-", dir="/tmp"))
        (self.folder / "ray").mkdir()  # Ray writes an address file there before it makes it
        self._environment = dict(os.environ)
        self._silent: list[tuple[Any, list[psutil.Process]]] = []
        os.environ.update(ENVIRONMENT, RAY_TMPDIR=str(self.folder))
        results = self.folder / "server"
        results.mkdir()
        self.server = Server(results)
        self._cluster: Any = None
        try:
            _again(self.server.start)
            self._cluster = _again(_start_cluster)
            client(self.server.uri).search_experiments()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def address(self) -> str:
        """Where the cluster is joined."""
        return str(self._cluster.address)

    def kill_worker(self, draw: random.Random) -> bool:
        """Kill a worker process that trains, if there is one."""
        family = psutil.Process().children(recursive=True)
        workers = sorted(
            (process for process in family if _is_worker(process)), key=lambda found: found.pid
        )
        if workers:
            draw.choice(workers).kill()
        return bool(workers)

    def kill_node(self, draw: random.Random) -> bool:
        """Kill a node with all that runs on it, and bring another in its place."""
        nodes = sorted(self._cluster.worker_nodes, key=lambda node: str(node.unique_id))
        self._cluster.remove_node(draw.choice(nodes), allow_graceful=False)
        _add_node(self._cluster)
        return True

    def kill_server(self, draw: random.Random) -> bool:
        """Kill the MLflow server; it begins to come back at once, which takes seconds."""
        del draw
        if self.server.process is None or self.server.process.poll() is not None:
            return False
        self.server.kill()
        self._returning = threading.Thread(target=_again, args=[self.server.start])
        self._returning.start()
        return True

    def kill_head(self, draw: random.Random) -> bool:
        """Kill the head of the cluster and all its nodes; another cluster takes its place."""
        del draw
        self._cluster.shutdown()
        self._cluster = _again(_start_cluster)
        return True

    def silence_node(self, draw: random.Random) -> bool:
        """Stop all of a node, as where a network is cut; later it goes on, and finds itself gone.

        Another node takes its place meanwhile, so that the study need not wait for it.
        """
        node = draw.choice(sorted(self._cluster.worker_nodes, key=lambda one: str(one.unique_id)))
        family = []
        for started in node.all_processes.values():
            for one in started:
                with suppress(psutil.NoSuchProcess):
                    process = psutil.Process(one.process.pid)
                    family += [process, *process.children(recursive=True)]
        _signal(family, signal.SIGSTOP)
        _add_node(self._cluster)
        self._silent.append((node, family))
        return True

    def hear_again(self) -> None:
        """Let the nodes that were stopped go on; the cluster has given them up."""
        while self._silent:
            node, family = self._silent.pop()
            _signal(family, signal.SIGCONT)
            with suppress(Exception):  # its processes end by themselves as well
                self._cluster.remove_node(node, allow_graceful=False)

    _returning: threading.Thread | None = None

    def restore(self) -> None:
        """Wait until the server is back; nodes are put back at once."""
        if self._returning is not None:
            self._returning.join(600)
            self._returning = None
        if self._cluster is not None:
            self.hear_again()

    def conductor(self, study: Path, home: Path) -> subprocess.Popen[str]:
        """Start `harness run`, as the leader of a process group."""
        command = [
            sys.executable, "-m", "harness", "run", str(study), "--json",
            "--address", self.address, "--tracking-uri", self.server.uri,
            "--results", str(home / "results"), "--out", str(home / "reports"),
        ]  # fmt: skip
        source = str(Path(__file__).parents[2])
        return subprocess.Popen(
            command,
            cwd=home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": source},
        )

    def close(self) -> None:
        """End everything that was started, and remove the folder."""
        self.restore()
        self.server.stop()
        if self._cluster is not None:
            self._cluster.shutdown()
        os.environ.clear()
        os.environ.update(self._environment)
        shutil.rmtree(self.folder, ignore_errors=True)


def _start_cluster() -> Any:
    from ray.cluster_utils import Cluster

    before = set(psutil.Process().children())
    cluster = Cluster()
    try:
        cluster.add_node(num_cpus=0, include_dashboard=False, node_ip_address="127.0.0.1")
        for _ in range(NODES):
            _add_node(cluster)
    except Exception:
        for child in set(psutil.Process().children()) - before:
            child.kill()
        raise
    return cluster


def _add_node(cluster: Any) -> None:
    cluster.add_node(num_cpus=1, node_ip_address="127.0.0.1")


def _again(start: Callable[[], Any]) -> Any:
    """Start something; on a busy machine Ray and MLflow run out of time, so try again."""
    for attempt in range(TRIES):
        try:
            return start()
        except (Exception, AssertionError):
            if attempt == TRIES - 1:
                raise
    raise AssertionError


def kill_conductor(process: subprocess.Popen[str], draw: random.Random) -> bool:
    """Kill a conductor with SIGKILL: alone, or with its mirror as when a machine goes down."""
    if process.poll() is not None:
        return False
    if draw.random() < 0.5:
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return True


def end_conductor(process: subprocess.Popen[str], draw: random.Random) -> bool:
    """Ask a conductor to end, as a scheduler or a terminal that closes does."""
    if process.poll() is not None:
        return False
    process.send_signal(draw.choice((signal.SIGTERM, signal.SIGHUP)))
    process.wait(120)
    return True


def pause_conductor(process: subprocess.Popen[str], seconds: float) -> bool:
    """Stop a conductor for a while, as where a machine sleeps."""
    if process.poll() is not None:
        return False
    process.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    process.send_signal(signal.SIGCONT)
    return True


class Disk:
    """A disk of its own for a folder, which can be full: a file system in memory.

    There is one where this process may mount file systems, and else none.
    """

    SIZE = 64 * 2**20

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        mount = ["mount", "-t", "tmpfs", "-o", f"size={self.SIZE},mode=755", "none", str(folder)]
        done = subprocess.run(mount, capture_output=True, check=False) if _may_mount() else None
        self.is_there = done is not None and done.returncode == 0

    def fill(self) -> bool:
        """Leave no room on it."""
        if not self.is_there:
            return False
        with (self.folder / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(bytes(2**14))
        return True

    def empty(self) -> None:
        """Make room again."""
        (self.folder / "filler").unlink(missing_ok=True)

    def remove(self) -> None:
        """Take it down, with all that is on it."""
        if self.is_there:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


def _may_mount() -> bool:
    return os.geteuid() == 0 and shutil.which("mount") is not None


def _signal(family: list[psutil.Process], number: signal.Signals) -> None:
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _is_worker(process: psutil.Process) -> bool:
    try:
        return process.name().startswith("ray::Worker")
    except psutil.NoSuchProcess:
        return False


__all__ = [
    "Disk", "World", "client", "end_conductor", "kill_conductor", "pause_conductor", "until",
]  # fmt: skip
