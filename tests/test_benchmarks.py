"""What stands in for parts of the harness in benchmarks still fits them."""

import json
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_a_study_of_trials_that_do_nothing_runs_on_ray(tmp_path):
    command = [sys.executable, "-m", "benchmarks._null_study", "--trials", "64", "--where", "ray"]
    ran = subprocess.run(
        [*command, "--folder", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert json.loads(ran.stdout.splitlines()[-1])["trials"] == 64
