"""Connect to Ray, our own one or a running cluster; and leave nothing behind."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import ray
from ray.job_config import JobConfig

from harness.cluster.executor import ClusterError
from harness.cluster.head import Head, thread_variables
from harness.own.reach import reach

_ANSWER_SECONDS = 5.0


def connect(head: Head) -> None:
    """Connect to a Ray of our own, once it is up.

    Raises:
        ClusterError: if it does not come up.
    """
    address = head.address()
    if head.late:
        _read_environment_again()
    try:
        _init(address)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        if head.late:
            reason += "; open the executor before Ray is imported, or set RAY_AUTH_MODE=token"
        raise ClusterError(f"Ray could not be started on this machine: {reason}") from error


def join(address: str, modules: Sequence[str], threads: int) -> None:
    """Join a running cluster; send this package and installed ones that a study names along.

    The user's own modules are in the luggage of each worker.

    Raises:
        ClusterError: if no cluster answers at the address, or it is of another version.
    """
    check_reachable(address)
    installed = {name.partition(".")[0] for name in modules if not reach(name).modules}
    environment = {
        "py_modules": [_source(name) for name in ("harness", *sorted(installed))],
        "env_vars": {**thread_variables(threads), "PYTHONSAFEPATH": "1"},
    }
    try:
        _init(address, runtime_env=environment)
    except Exception as error:
        if address == "auto" and isinstance(error, ConnectionError):
            raise ClusterError("no running Ray cluster was found") from None
        reason = str(error).partition("\n")[0]
        raise ClusterError(f"the Ray cluster at '{address}' cannot be joined: {reason}") from error


def _read_environment_again() -> None:
    """Have Ray use the token although it was imported without.

    There is no public way; where this one is gone, the error says what to do.
    """
    with suppress(ImportError, AttributeError, TypeError):
        from ray._raylet import Config  # type: ignore[attr-defined]

        Config.initialize("")


def refuse_second_session() -> None:
    """Make sure that this process is not connected yet.

    Raises:
        ClusterError: if it is.
    """
    if ray.is_initialized():
        raise ClusterError("this process is already connected to a Ray cluster")


def _init(address: str, **settings: Any) -> None:
    try:
        with _signal_handlers_kept():
            ray.init(
                address,
                job_config=_ApartFromHere(),
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                **settings,
            )
    except BaseException:
        ray.shutdown()
        raise


class _ApartFromHere(JobConfig):
    """Keeps the working folder and that of the script out of the workers' search path.

    Ray puts both in front of Python's own modules, but for jobs that bring a working folder. Ray
    has no public switch. Where it does not ask this method any more, a worker still puts them last
    when it starts (`harness.own.imports.Luggage`).
    """

    def _runtime_env_has_working_dir(self) -> bool:
        return True


def _source(name: str) -> str:
    """Return the folder or file of a top-level module."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ClusterError(f"the module '{name}' cannot be sent to the cluster: it is not found")
    origin = Path(spec.origin)
    return str(origin.parent if spec.submodule_search_locations else origin)


def check_reachable(address: str) -> None:
    """Find out within seconds what takes Ray minutes: whether anything answers at an address.

    Raises:
        ClusterError: if nothing does, or it is not an address.
    """
    target = _found_address() if address == "auto" else address
    if target is None:
        return
    host, _, port = target.rpartition(":")
    if "://" in host or not host or not port.isdigit():
        raise ClusterError(f"'{address}' is not an address: expected auto or host:port")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_SECONDS).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ClusterError(f"no Ray cluster answers at '{address}' ({reason})") from None


def _found_address() -> str | None:
    """Return the address that Ray takes for `auto`; it may be noted from a cluster that is gone.

    There is no public way. Where this one is gone, Ray is left to find out by itself.
    """
    try:
        from ray._private.services import canonicalize_bootstrap_address
    except ImportError:
        return None
    try:
        found: str | None = canonicalize_bootstrap_address("auto")
    except (ConnectionError, ValueError):
        raise ClusterError("no running Ray cluster was found") from None
    return found


@contextmanager
def _signal_handlers_kept() -> Iterator[None]:
    """Leave SIGTERM to the program; `ray.init` puts a handler of its own over it, which exits.

    That of C++, which is there if Ray was imported without its switch (see
    `harness.cluster.factory`), is replaced as well.
    """
    if threading.current_thread() is not threading.main_thread():  # where Ray leaves it alone
        yield
        return
    ours = signal.getsignal(signal.SIGTERM)
    met = None
    try:
        yield
    except SystemExit as error:
        met = error
    finally:
        if ours is not None:
            signal.signal(signal.SIGTERM, ours)
    if met is not None:  # the signal came meanwhile
        signal.raise_signal(signal.SIGTERM)
        raise met
