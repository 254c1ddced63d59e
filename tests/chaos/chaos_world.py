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
from collections.abc import Callable
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
    # A node that was killed is known to be lost within seconds rather than minutes.
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

    _returning: threading.Thread | None = None

    def restore(self) -> None:
        """Wait until the server is back; nodes are put back at once."""
        if self._returning is not None:
            self._returning.join(600)
            self._returning = None

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


def _is_worker(process: psutil.Process) -> bool:
    try:
        return process.name().startswith("ray::Worker")
    except psutil.NoSuchProcess:
        return False


__all__ = ["World", "client", "kill_conductor", "until"]
