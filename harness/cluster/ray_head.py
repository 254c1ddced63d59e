"""The first process of a Ray of our own: it starts Ray, and ends it when its parent is gone.

It leads a session of its own, so that a signal to the group of the command, as terminals and
schedulers send them, does not reach Ray before the command has said good-bye to it. It is run as a
file, with the folder of that Ray and the CPUs to give away, and knows nothing of this package.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

_LOOK_SECONDS, _STOP_SECONDS = 1.0, 5.0
_TRIES = 3  # to start Ray
_STORE, _USED = 0.3, 0.9  # of the memory, of /dev/shm
_LEAST, _IN_FILES = 256 * 2**20, 2 * 2**30  # bytes
_HELPERS = ("start_monitor", "start_api_server", "start_log_monitor")
_PACKAGES = "get_dashboard_dependency_error"  # says which package of the dashboard is missing


def main(folder: Path, cpus: int | None) -> None:
    """Start Ray and write one line of JSON: its address, or the error that came up."""
    tell = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what Ray prints is no answer
    threading.Thread(target=_end_with_parent, args=(folder, os.getppid()), daemon=True).start()
    try:
        answer = {"address": _start(folder, cpus)}
    except Exception as error:
        answer = {"error": str(error).partition("\n")[0] or type(error).__name__}
    with suppress(OSError):  # nobody listens any more
        tell.write(json.dumps(answer) + "\n")
        tell.close()
    # Ray's processes end when the thread that started them does: a last resort, should this one be
    # killed
    while True:
        signal.pause()


def _start(folder: Path, cpus: int | None) -> str:
    import ray

    _leave_out_helpers()
    settings: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False}
    with suppress(OSError):  # there is no /dev/shm
        free, memory = shutil.disk_usage("/dev/shm").free, psutil.virtual_memory().total
        settings["object_store_memory"] = object_store(free, memory)
    for left in reversed(range(_TRIES)):
        try:
            # "local" ignores RAY_ADDRESS. Not the folder itself: Ray opens it to everybody.
            ray.init("local", num_cpus=cpus, _temp_dir=str(folder / "r"), **settings)
            break
        except Exception:  # on a busy machine Ray's parts do not wait for each other long enough
            ray.shutdown()
            if not left:
                raise
    return str(ray.get_runtime_context().gcs_address)


def object_store(free: int, memory: int) -> int | None:
    """Return how large Ray's object store may be; None where Ray's own choice fits.

    Ray takes 30 % of the memory and refuses to start, on large machines, where /dev/shm has less:
    containers often give it 64 MB. With next to nothing there it writes to files, which is slower.

    Args:
        free: bytes of /dev/shm.
        memory: bytes of the machine.
    """
    wanted = int(memory * _STORE)
    if free >= wanted:
        return None
    return int(free * _USED) if free >= _LEAST else min(wanted, _IN_FILES)


def _leave_out_helpers() -> None:
    """Leave out what serves an autoscaler, a dashboard and a log reader, of which there are none.

    Every study would wait two or three seconds for them, and Ray has no public switch. Where it
    misses a package of its dashboard, it starts a smaller agent, which is up sooner. Where these
    names are gone, Ray starts what it likes, and all works as well.
    """
    with suppress(ImportError):
        from ray._private import utils
        from ray._private.node import Node

        _replace(utils, _PACKAGES, lambda: ImportError("no dashboard is wanted"))
        for name in _HELPERS:
            _replace(Node, name, lambda *_, **__: None)


def _replace(owner: Any, name: str, function: Callable[..., Any]) -> None:
    if hasattr(owner, name):
        setattr(owner, name, function)


def _end_with_parent(folder: Path, parent: int) -> None:
    """Wait until the parent closes our standard input, or is gone; then leave nothing behind."""
    while os.getppid() == parent and not select.select([0], [], [], _LOOK_SECONDS)[0]:
        pass
    try:
        _kill_session()
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os._exit(0)


def _kill_session() -> None:
    """Kill all processes of this session but this one, also those that lost their parents."""
    own, session = os.getpid(), os.getsid(0)
    end = time.monotonic() + _STOP_SECONDS
    while time.monotonic() < end:
        found = [pid for pid in psutil.pids() if pid != own and _session_of(pid) == session]
        if not found:
            return
        for pid in found:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _session_of(pid: int) -> int | None:
    """Return the session of a process that is alive."""
    try:
        if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return None
        return os.getsid(pid)
    except (OSError, psutil.Error):
        return None


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) or None)
