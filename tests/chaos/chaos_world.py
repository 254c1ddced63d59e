"""A machine room of its own on this machine: a Ray cluster of several nodes, and an MLflow server.

All of it is real, and all of it can be killed and put back. Everything listens on loopback only and
lives in one temporary folder.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
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

from chaos_means import HEAD, Clock, Disk, Memory, Network, leave_the_network
from tracking_examples import Server, client, until

AGENTS = {
    "runtime-env-agent": "runtime_env_agent", "dashboard-agent-listen": "dashboard_agent_listen",
    "dashboard-agent-grpc": "metrics_agent", "metrics-export": "metrics_export",
}  # fmt: skip
"""Options of Ray's command that name a port, and the names of the files that tell of them."""
KILL_WAIT = 10.0  # seconds that a scheduler leaves between asking a job to end and killing it
TRAINS_WAIT = 240.0  # seconds until a worker is up, on a busy machine
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
    "RAY_health_check_timeout_ms": "10000",
    "RAY_health_check_failure_threshold": "4",
}
RAY = f"""
from pathlib import Path
from ray._private import node, ray_constants, services
ray_constants.ENABLE_RAY_CLUSTER = True
services.resolve_ip_for_localhost = lambda host: host
for name in ("monitor", "api_server", "log_monitor", "ray_client_server"):
    setattr(node.Node, f"start_{{name}}", lambda *_, **__: None)
def start(self, start=node.Node.start_ray_processes):
    for place, name in enumerate({list(AGENTS.values())}):
        Path(self._session_dir, f"{{name}}_port_{{self._node_id}}").write_text(str(BASE + place))
    start(self)
node.Node.start_ray_processes = start
from ray.scripts.scripts import main
main()
"""
"""Ray's command, on loopback as well, where its own switch refuses a second node; without what
serves an autoscaler, a dashboard and a reader of logs. A node waits 15 s for its agents to tell
their ports, too little on a busy machine: these are given, and told at once."""


class Machine:
    """A node of the cluster, in a network and a control group of its own where there can be."""

    def __init__(self, folder: Path, number: int, head: str, *, apart: bool) -> None:
        self.number = number
        self.network = Network(number) if apart and number else None
        self.memory = Memory(f"{folder.name}-{number}")
        own = self.network.address if self.network else head.partition(":")[0]
        if not apart:
            own = f"127.0.0.{number + 1}"
        ports = 20000 + 10 * (
            number % 1000
        )  # of each node its own, also where they share a network
        role = ["--head", f"--port={head.partition(':')[2]}", "--include-dashboard=false"]
        command = [
            *(self.network.command if self.network else ()),
            sys.executable, "-c", RAY.replace("BASE", str(ports)), "start", "--block",
            "--disable-usage-stats",
            *((f"--address={head}",) if number else role), f"--node-ip-address={own}",
            f"--num-cpus={min(number, 1)}", f"--object-store-memory={150 * 2**20}",
            "--min-worker-port=0", "--max-worker-port=0",
            *(f"--{name}-port={ports + place}" for place, name in enumerate(AGENTS)),
        ]  # fmt: skip
        log = self._log = folder / f"machine-{number}.log"
        with log.open("wb") as said:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
            )
        try:
            until(lambda: "Ray runtime started" in log.read_text() or self._process.poll(), 120)
            assert self._process.poll() is None, log.read_text()[-2000:]
        except BaseException:
            self.kill()
            raise
        self.memory.take(self.family())
        self.memory.take(self.family())  # what was started meanwhile

    def fallen(self) -> str | None:
        """Say how it ended, where nobody ended it; None while it runs."""
        status = self._process.poll()
        said = self._log.read_text(errors="replace")[-1500:]
        return None if status is None else f"machine {self.number} ended with {status}: {said}"

    def family(self) -> list[psutil.Process]:
        """Return its processes."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self._process.pid)
            return [process, *process.children(recursive=True)]
        return []

    def trains(self) -> list[psutil.Process]:
        """Return the workers in it that train."""
        return [process for process in self.family() if _is(process, "ray::Worker")]

    def kill(self) -> None:
        """End it, as where the power is cut."""
        _signal(self.family(), signal.SIGKILL)
        self._process.wait()
        if self.network is not None:
            self.network.remove()
        for _ in range(50):
            if self.memory.remove():
                break
            time.sleep(0.1)


class World:
    """What a study runs on. `close` it, or use it as a context manager.

    Args:
        apart: whether each node has a network of its own; see `chaos_means.leave_the_network`.
        jumping: whether all that runs here is to see a time of day that can jump.
        foremen: whether each node has a foreman, as where there are many.
    """

    def __init__(
        self, *, apart: bool = False, jumping: bool = False, foremen: bool = False
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="harness-chaos-", dir="/tmp"))
        (self.folder / "ray").mkdir()  # Ray writes an address file there before it makes it
        self._environment = dict(os.environ)
        path = str(Path(__file__).parents[2])
        os.environ.update(ENVIRONMENT, RAY_TMPDIR=str(self.folder), PYTHONPATH=path)
        os.environ.update({"HARNESS_FOREMEN_FROM": "2"} if foremen else {})
        self._clock = Clock(self.folder) if jumping else None
        os.environ.update(self._clock.environment if self._clock else {})
        results = self.folder / "server"
        results.mkdir()
        self.server = Server(results)
        self._apart, self._number = apart, 0
        self._machines: list[Machine] = []
        self._away: list[Machine] = []
        self._returns: list[threading.Timer] = []
        try:
            again(self.server.start)
            again(self._start_cluster)
            client(self.server.uri).search_experiments()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start_cluster(self) -> None:
        """Start a head, which trains nothing, and nodes of one CPU each."""
        self._end_cluster()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"{HEAD if self._apart else '127.0.0.1'}:{port}"
        self._head = Machine(self.folder, 0, self.address, apart=self._apart)
        for _ in range(NODES):
            self._add_node()

    def _add_node(self) -> None:
        self._number += 1
        node = Machine(self.folder, self._number, self.address, apart=self._apart)
        self._machines.append(node)

    def _end_cluster(self) -> None:
        self.hear_again()
        for machine in [*self._machines, *self._away, *([self._head] if self._head else [])]:
            machine.kill()
        self._machines, self._away, self._head = [], [], None

    _head: Machine | None = None
    _returning: threading.Thread | None = None

    def _some(self, draw: random.Random) -> Machine:
        return draw.choice(self._machines)

    def kill_worker(self, draw: random.Random) -> bool:
        """Kill a worker process that trains, if there is one."""
        workers = [worker for machine in self._machines for worker in machine.trains()]
        if workers:
            with suppress(psutil.NoSuchProcess):
                draw.choice(workers).kill()
        return bool(workers)

    def fill_memory(self, draw: random.Random) -> bool:
        """Let the memory of a node run out on which a worker trains, once there is one."""
        end = time.monotonic() + TRAINS_WAIT
        while not (machines := [machine for machine in self._machines if machine.trains()]):
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
        return draw.choice(machines).memory.run_out()

    def kill_foreman(self, draw: random.Random) -> bool:
        """Kill the foreman of a node, if there is one; its workers end with it."""
        family = [process for machine in self._machines for process in machine.family()]
        foremen = [process for process in family if _is(process, "ray::Foreman")]
        if foremen:
            with suppress(psutil.NoSuchProcess):
                draw.choice(foremen).kill()
        return bool(foremen)

    def jump_clock(self, draw: random.Random) -> bool:
        """Let the time of day of all that runs here jump, by an hour or a day."""
        return self._clock is not None and self._clock.jump(draw.choice(Clock.JUMPS))

    def kill_node(self, draw: random.Random) -> bool:
        """Kill a node with all that runs on it, and bring another in its place."""
        node = self._some(draw)
        self._machines.remove(node)
        node.kill()
        again(self._add_node)
        return True

    def kill_server(self, draw: random.Random) -> bool:
        """Kill the MLflow server; it begins to come back at once, which takes seconds."""
        del draw
        if self.server.process is None or self.server.process.poll() is not None:
            return False
        self.server.kill()
        self._returning = threading.Thread(target=again, args=[self.server.start])
        self._returning.start()
        return True

    def kill_head(self, draw: random.Random) -> bool:
        """Kill the head of the cluster and all its nodes; another cluster takes its place."""
        del draw
        again(self._start_cluster)
        return True

    def requeue(self, process: subprocess.Popen[str]) -> bool:
        """End all as a scheduler does that needs the machines, and give others in their place.

        All processes are asked to end, and killed after a while.
        """
        process.send_signal(signal.SIGTERM)
        for machine in (self._head, *self._machines):
            _signal(machine.family(), signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(KILL_WAIT)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        again(self._start_cluster)
        return True

    def silence_node(self, draw: random.Random) -> bool:
        """Stop all processes of a node for a while, as where a machine hangs."""
        node = self._some(draw)
        family = node.family()
        _signal(family, signal.SIGSTOP)
        self._send_away(node, draw, lambda: _signal(family, signal.SIGCONT))
        return True

    def cut_node(self, draw: random.Random) -> bool:
        """Cut a node off from the network for a while; it goes on meanwhile."""
        if not self._apart:
            return False
        node = self._some(draw)
        network = node.network
        assert network is not None
        network.cut(off=True)
        self._send_away(node, draw, lambda: network.cut(off=False))
        return True

    def _send_away(self, node: Machine, draw: random.Random, back: Callable[[], None]) -> None:
        """Let a node come back later, sooner than the cluster gives it up or after that.

        Another node takes its place meanwhile, so that the study need not wait for it.
        """
        self._machines.remove(node)
        self._away.append(node)
        timer = threading.Timer(draw.uniform(3, 60), back)
        timer.start()
        self._returns.append(timer)
        again(self._add_node)

    def fallen(self) -> list[str]:
        """Say which machines ended though nobody ended them, and how."""
        machines = [*([self._head] if self._head else []), *self._machines]
        return [said for machine in machines if (said := machine.fallen())]

    def hear_again(self) -> None:
        """Wait until the nodes that were stopped or cut off go on."""
        for timer in self._returns:
            timer.join()
        self._returns = []

    def restore(self) -> None:
        """Wait until the server is back, and the nodes; lost ones are put back at once."""
        if self._returning is not None:
            self._returning.join(600)
            self._returning = None
        self.hear_again()

    def conductor(self, study: Path, home: Path) -> subprocess.Popen[str]:
        """Start `harness run`, as the leader of a process group."""
        command = [
            sys.executable, "-m", "harness", "run", str(study), "--json",
            "--address", self.address, "--tracking-uri", self.server.uri,
            "--results", str(home / "results"), "--out", str(home / "reports"),
        ]  # fmt: skip
        return subprocess.Popen(
            command,
            cwd=home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def close(self) -> None:
        """End everything that was started, and remove the folder."""
        self.restore()
        self.server.stop()
        self._end_cluster()
        os.environ.clear()
        os.environ.update(self._environment)
        shutil.rmtree(self.folder, ignore_errors=True)


def again(start: Callable[[], Any]) -> Any:
    """Do something; on a busy machine Ray and MLflow run out of time, so try again."""
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


def _signal(family: list[psutil.Process], number: signal.Signals) -> None:
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _is(process: psutil.Process, name: str) -> bool:
    try:
        return process.name().startswith(name)
    except psutil.NoSuchProcess:
        return False


__all__ = [
    "Disk", "World", "again", "client", "end_conductor", "kill_conductor", "leave_the_network",
    "pause_conductor", "until",
]  # fmt: skip
