"""The clock of a round of chaos: the time of day jumps, and nothing else does."""

import os
import shutil
import subprocess
import sys

import pytest
from chaos_means import Clock

DAY = 86400
SEEN = """
import queue, sqlite3, subprocess, sys, threading, time
from datetime import datetime
def day():
    asked = sqlite3.connect(":memory:").execute("SELECT strftime('%s')").fetchone()
    child = subprocess.run(["date", "+%s"], capture_output=True, check=True).stdout
    return [time.time(), datetime.now().timestamp(), float(asked[0]), float(child)]
before, counted = day(), time.monotonic()
print("ready", flush=True)
sys.stdin.readline()
time.sleep(0.01)
assert not threading.Event().wait(0.01)
try:
    queue.Queue().get(timeout=0.01)
except queue.Empty:
    counted = time.monotonic() - counted
    print(*[round((now - then - counted) / 86400, 2) for then, now in zip(before, day())])
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler here (cc)")
@pytest.mark.parametrize("seconds", [DAY, -DAY])
def test_the_time_of_day_jumps_and_waits_stay_true(tmp_path, seconds):
    clock = Clock(tmp_path)
    seeing = subprocess.Popen(
        [sys.executable, "-c", SEEN],
        env={**os.environ, **clock.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert seeing.stdout.readline() == "ready\n"
    assert clock.jump(seconds)
    said, _ = seeing.communicate("go\n", timeout=300)
    assert said.split() == [str(float(seconds / DAY))] * 4


def test_without_a_compiler_no_clock_jumps(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    clock = Clock(tmp_path)
    assert clock.environment == {}
    assert not clock.jump(DAY)
