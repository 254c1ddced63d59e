"""A seeded round of chaos: a node, the server and the conductor die; `make chaos` plays twenty."""

import subprocess
import sys
from pathlib import Path

import pytest

ROUNDS = Path(__file__).parent / "chaos_rounds.py"


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_whatever_is_killed_the_outcome_is_the_same():
    """In a process of its own: the cluster's token is Ray's for as long as a process lives."""
    played = subprocess.run(
        [sys.executable, str(ROUNDS), "--rounds", "1", "--seed", "8"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert played.returncode == 0, played.stdout + played.stderr[-3000:]
    *rounds, total = played.stdout.splitlines()
    assert len(rounds) == 1
    assert total.endswith("; 0 differences")
    for kind in ("node", "conductor", "server"):
        assert f"{kind} 0" not in total, total
