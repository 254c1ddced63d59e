"""Ray of our own and the mirror, with proxies in the environment that answer to nobody."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from harness.track.client import reach

NAMES = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")


@pytest.fixture
def dead(monkeypatch):
    """An address at which nobody listens, named as every proxy that programs look for."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{held.getsockname()[1]}"
        for name in NAMES:
            monkeypatch.setenv(name, address)
            monkeypatch.setenv(name.upper(), address)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        yield address


@pytest.mark.slow
def test_a_run_on_this_machine_asks_no_proxy(dead, tiny, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", str(tiny), "--json"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["trials"]["failed"] == 0
    assert "MLflow" not in done.stderr


def test_a_tracking_server_behind_a_dead_proxy_is_told_at_once(dead):
    port = dead.rpartition(":")[2]
    with pytest.raises(ConnectionError, match=f"cannot reach the proxy 127.0.0.1 port {port}"):
        reach("http://tracking.example.org:5000")
