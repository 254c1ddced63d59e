"""A real Ray cluster that `ray start` begins, on loopback and with a token."""

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil


@contextmanager
def running_head(port, place, *options, **environment):
    """Start a head in a folder from which this project cannot be imported.

    Yield its address, and the environment of those who join it.
    """
    environment = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": "0123456789abcdef" * 4,
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Ray's switch for loopback
        **environment,
    }
    ray = Path(sys.executable).with_name("ray")
    head = subprocess.Popen(
        [ray, "start", "--head", "--block", f"--port={port}", "--include-dashboard=false",
         "--disable-usage-stats", f"--temp-dir={place}/head", *options],
        cwd=place,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, **environment},
    )  # fmt: skip
    try:
        wait_for_port(port)
        yield f"127.0.0.1:{port}", environment
    finally:
        for process in [*psutil.Process(head.pid).children(recursive=True), head]:
            with suppress(psutil.NoSuchProcess):  # it may have ended meanwhile
                process.kill()
        head.wait()


def free_port():
    """Return a port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def wait_for_port(port):
    """Return once somebody listens."""
    deadline = time.monotonic() + 900
    while time.monotonic() < deadline:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(port)
