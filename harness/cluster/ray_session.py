"""Start a Ray of our own, or join one; and leave nothing behind."""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import psutil
import ray
from ray._private import ray_constants, services, utils
from ray._private.node import Node
from ray.job_config import JobConfig

import harness
from harness.cluster.executor import ClusterError
from harness.own import isolated
from harness.own.lookup import is_importable
from harness.own.reach import reach

_PREFIX = "harness-ray-"
_SHORT = 16  # characters of a temporary folder that leave room for a unix socket's name (107)
_STOP_SECONDS = 5.0
_START_SECONDS, _LOOK_SECONDS = 20.0, 0.02
_HELPERS = ("start_monitor", "start_api_server", "start_log_monitor")
_QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}


@dataclass
class Session:
    """A connection to Ray, and what must be cleared away if this process started it."""

    folder: Path | None = None
    lock: IO[str] | None = None
    processes: tuple[psutil.Process, ...] = ()

    def stop(self) -> None:
        """Disconnect; stop the processes of a Ray that was started here, and only those."""
        started = [child for process in self.processes for child in _family(process)]
        ray.shutdown(wait_for_processes=True)
        _, alive = psutil.wait_procs(started, timeout=_STOP_SECONDS)
        for process in alive:
            process.kill()
        if self.folder is not None:
            _remove(self.folder)
        if self.lock is not None:
            self.lock.close()
        self.folder, self.lock, self.processes = None, None, ()


def start(cpus: int | None, threads: int) -> Session:
    """Start a Ray of this process's own, on the loopback interface.

    Call it on the main thread: the processes end when the thread that started them ends, which is
    also what makes them vanish when this process is killed.

    Args:
        cpus: that Ray may give away; None for those of this machine.
        threads: of each worker.

    Raises:
        ClusterError: if it does not come up.
    """
    _refuse_second_session()
    clear_abandoned()
    _use_token()
    before = set(_children())
    session = Session(*temporary_folder())
    assert session.folder is not None
    try:
        with (
            _loopback_only(),
            _helpers_left_out(),
            _found_at_once(),
            _signal_handlers_kept(),
            _inherited({**_thread_variables(threads), **isolated()}),
        ):
            # "local" is what makes Ray ignore RAY_ADDRESS and the address file of another Ray.
            ray.init(
                "local",
                num_cpus=cpus,
                include_dashboard=False,
                job_config=_ApartFromHere(),
                # Not the folder itself: Ray opens it to everybody.
                _temp_dir=str(session.folder / "r"),
                **_QUIET,
            )
    except BaseException as error:
        session.processes = tuple(set(_children()) - before)
        for process in session.processes:  # they have nothing to bring to an end
            process.kill()
        session.stop()
        if not isinstance(error, Exception):  # an interruption
            raise
        reason = str(error).partition("\n")[0]
        raise ClusterError(f"Ray could not be started on this machine: {reason}") from error
    session.processes = tuple(set(_children()) - before)
    return session


def join(address: str, modules: Sequence[str], threads: int) -> Session:
    """Join a running cluster; send this package and installed ones that a study names along.

    The user's own modules are in the luggage of each worker.

    Raises:
        ClusterError: if no cluster answers at the address, or it is of another version.
    """
    _refuse_second_session()
    check_reachable(address)
    installed = {name.partition(".")[0] for name in modules if not reach(name).modules}
    environment = {
        "py_modules": [_source(name) for name in ("harness", *sorted(installed))],
        "env_vars": {**_thread_variables(threads), "PYTHONSAFEPATH": "1"},
    }
    try:
        with _signal_handlers_kept():
            config = _ApartFromHere()
            ray.init(address, runtime_env=environment, job_config=config, **_QUIET)
    except BaseException as error:
        ray.shutdown()
        if not isinstance(error, Exception):
            raise
        reason = str(error).partition("\n")[0]
        raise ClusterError(f"the Ray cluster at '{address}' cannot be joined: {reason}") from error
    return Session()


class _ApartFromHere(JobConfig):
    """Keeps the working folder and that of the script out of the workers' search path.

    Ray puts both in front of Python's own modules, but for jobs that bring a working folder. Ray
    has no public switch. Should this method be gone, a worker still puts them last when it starts
    (`harness.own.imports.Luggage`).
    """

    def __init__(self) -> None:
        super().__init__()
        if not is_importable("harness"):  # it runs from its source, which nothing else leads to
            source = Path(harness.__file__).resolve().parent.parent
            self._py_driver_sys_path = [str(source)]

    def _runtime_env_has_working_dir(self) -> bool:
        return True


def _source(name: str) -> str:
    """Return the folder or file of a top-level module."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ClusterError(f"the module '{name}' cannot be sent to the cluster: it is not found")
    origin = Path(spec.origin)
    return str(origin.parent if spec.submodule_search_locations else origin)


def _refuse_second_session() -> None:
    if ray.is_initialized():
        raise ClusterError("this process is already connected to a Ray cluster")


def check_reachable(address: str) -> None:
    """Find out within seconds what takes Ray minutes: whether anything answers at an address.

    Raises:
        ClusterError: if nothing does, or it is not an address.
    """
    target: str | None = address
    if address == "auto":
        try:
            target = services.canonicalize_bootstrap_address(address)
        except (ConnectionError, ValueError):
            raise ClusterError("no running Ray cluster was found") from None
    host, _, port = str(target).rpartition(":")
    if "://" in host or not host or not port.isdigit():
        raise ClusterError(f"'{address}' is not an address: expected auto or host:port")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_STOP_SECONDS).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ClusterError(f"no Ray cluster answers at '{address}' ({reason})") from None


@contextmanager
def _loopback_only() -> Iterator[None]:
    """Bind Ray's ports to loopback.

    Ray replaces a loopback address by the machine's own one (`services.resolve_ip_for_localhost`),
    unless it believes to be on a system where clusters are not supported; there it does just what
    is wanted here.
    """
    usual = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = usual


@contextmanager
def _helpers_left_out() -> Iterator[None]:
    """Leave out of a Ray of one machine what serves an autoscaler, a dashboard and a log reader.

    Nobody would see what they do, and every study would wait a second for them. Ray has no public
    switch; should these methods ever be gone, it starts what it likes.
    """
    usual = {name: getattr(Node, name) for name in _HELPERS if hasattr(Node, name)}
    for name in usual:
        setattr(Node, name, lambda *_, **__: None)
    try:
        yield
    finally:
        for name, method in usual.items():
            setattr(Node, name, method)


@contextmanager
def _found_at_once() -> Iterator[None]:
    """Look for the node that starts every few milliseconds; Ray itself looks once a second."""
    usual: Any = services.get_node

    def get_node(gcs_address: str, node_id: str) -> Any:
        raylet: Any = ray._raylet
        client = raylet.GcsClient(address=gcs_address)
        end = time.monotonic() + _START_SECONDS
        while not client.get_all_node_info() and time.monotonic() < end:
            time.sleep(_LOOK_SECONDS)
        return usual(gcs_address, node_id)

    services.get_node = get_node
    try:
        yield
    finally:
        services.get_node = usual


@contextmanager
def _signal_handlers_kept() -> Iterator[None]:
    """Leave SIGTERM to the program; `ray.init` would put handlers of its own over it.

    That of Python is left out; that of C++, which is there if Ray was imported without its switch
    (see `harness.cluster.factory`), is replaced again.
    """
    usual: Any = utils.set_sigterm_handler
    ours = signal.getsignal(signal.SIGTERM)
    utils.set_sigterm_handler = lambda _: None
    try:
        yield
    finally:
        utils.set_sigterm_handler = usual
        if ours is not None:
            signal.signal(signal.SIGTERM, ours)


def _thread_variables(threads: int) -> dict[str, str]:
    """Return what the numerical libraries read, once, when a worker imports them."""
    return dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))


@contextmanager
def _inherited(variables: dict[str, str]) -> Iterator[None]:
    """Set environment variables for the processes that are started meanwhile.

    A runtime environment would do it too, but its workers only start when they are needed, beside
    the ones that Ray starts in advance: seconds later.
    """
    usual = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in usual.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _use_token() -> None:
    """Let only this process's own workers in; Ray would write a token file to the user's home.

    Ray turns its authentication on by itself, unless the user's environment says otherwise.
    """
    if not os.environ.keys() & {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}:
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def temporary_folder() -> tuple[Path, IO[str]]:
    """Make a private folder for Ray's sockets and logs, locked while this process lives."""
    parent = tempfile.gettempdir()
    if len(parent) > _SHORT:
        parent = "/tmp"
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        lock = (folder / "owner").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():  # nobody took it for abandoned before the lock was there
            return folder, lock
        lock.close()


def _remove(folder: Path) -> None:
    """Remove a folder, also while workers whose parent was killed still write their last lines."""
    end = time.monotonic() + _STOP_SECONDS
    while folder.exists() and time.monotonic() < end:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(_LOOK_SECONDS)


def clear_abandoned() -> None:
    """Remove the folders of conductors that were killed: nobody holds their lock any more."""
    for parent in {tempfile.gettempdir(), "/tmp"}:
        for owner in Path(parent).glob(f"{_PREFIX}*/owner"):
            try:
                with owner.open("r") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(owner.parent, ignore_errors=True)
            except OSError:  # in use, or another user's
                continue


def _children() -> list[psutil.Process]:
    return psutil.Process().children()


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
