"""A tracking server, with proxies in the environment that answer to nobody."""

import socket

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


def test_a_tracking_server_behind_a_dead_proxy_is_told_at_once(dead):
    port = dead.rpartition(":")[2]
    with pytest.raises(ConnectionError, match=f"cannot reach the proxy 127.0.0.1 port {port}"):
        reach("http://tracking.example.org:5000")
