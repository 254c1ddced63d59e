"""What stands in for parts of the harness in benchmarks still fits them."""

import json
import subprocess
import sys

import pytest

from benchmarks._page import measured, merged, read, write
from benchmarks.measure import Row


@pytest.mark.slow
def test_a_study_of_trials_that_do_nothing_runs_on_ray(tmp_path):
    command = [sys.executable, "-m", "benchmarks._null_study", "--trials", "64", "--where", "ray"]
    ran = subprocess.run(
        [*command, "--folder", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert json.loads(ran.stdout.splitlines()[-1])["trials"] == 64


def test_a_group_that_is_measured_anew_keeps_what_it_was_before(tmp_path):
    def group(date, figure):
        return measured(date, "a machine", 3, [Row("start", "a loop", figure, "≥ 4")])

    known = merged({}, {"short": group("2026-01-01", 5.0), "large": group("2026-01-01", 1.5)})
    known = merged(known, {"short": group("2026-02-01", 7.0)})
    known = merged(known, {"short": group("2026-02-01", 8.0)})  # the same day: it counts instead
    write(tmp_path / "b.json", tmp_path / "b.md", known, gpu=True)
    assert read(tmp_path / "b.json") == known
    now, before = (tmp_path / "b.md").read_text().split("## Before")
    assert [line.split(" | ")[2::3] for line in now.splitlines() if line.startswith("| start")] == [
        ["8.00", "2026-02-01 |"],
        ["1.50", "2026-01-01 |"],
    ]
    assert [line.split(" | ")[2::3] for line in before.splitlines() if "start |" in line] == [
        ["5.00", "2026-01-01 |"]
    ]
