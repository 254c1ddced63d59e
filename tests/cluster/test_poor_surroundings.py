"""Whole runs where the machine gives little: a small /dev/shm, proxies that answer to nobody."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from sharing import TINY

COMMAND = [str(Path(sys.executable).parent / "harness"), "run", "studies/tiny.yaml"]
SMALL = 'mount -t tmpfs -o size=64m tmpfs /dev/shm && exec "$@"'


def in_64_mb(command):
    return ["unshare", "--mount", "sh", "-c", SMALL, "sh", *command]


def can_mount():
    try:
        done = subprocess.run(in_64_mb(["true"]), check=False, capture_output=True, timeout=60)
    except OSError:
        return False
    return done.returncode == 0


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Run a study where both is so; where nothing can be mounted, behind the proxies alone."""
    place = tmp_path_factory.mktemp("place")
    (place / "studies").mkdir()
    (place / "studies" / "tiny.yaml").write_text(TINY)
    with socket.socket() as held:  # bound, and nobody listens
        held.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{held.getsockname()[1]}"
        names = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")
        kept = {k: v for k, v in os.environ.items() if k.lower() != "no_proxy"}
        dead = {way: address for name in names for way in (name, name.upper())}
        command = in_64_mb(COMMAND) if can_mount() else COMMAND
        ended = subprocess.run(
            command, check=False, capture_output=True, text=True, env=kept | dead, cwd=place
        )
    return ended, place


@pytest.mark.skipif(not can_mount(), reason="needs the rights to mount a file system")
def test_a_run_completes_where_shared_memory_is_that_of_a_container(done):
    ended, place = done
    assert ended.returncode == 0, ended.stderr
    assert "2 claims" in ended.stdout
    assert (place / "reports" / "tiny" / "index.html").is_file()


def test_a_run_completes_behind_dead_proxies(done):
    ended, place = done
    assert ended.returncode == 0, ended.stderr
    assert "2 claims" in ended.stdout
    assert (place / "reports" / "tiny" / "index.html").is_file()
    assert "MLflow has not taken" not in ended.stderr
    assert (place / "results" / "mlflow.db").is_file()
