"""A study handed in as a job of a Ray cluster that is up, by the script that is written for it."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from ray_heads import free_port, running_head, wait_for_port
from sharing import LEAN, TINY

from harness.cli.app import run
from harness.store import open_store
from harness.trial import State

SOURCE = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_job_of_ray_runs_the_study(folder, monkeypatch):
    programs = folder / "programs"
    programs.mkdir()
    (programs / "harness").write_text(f'#!/bin/sh\nexec {shlex.join(LEAN)} "$@"\n')
    (programs / "harness").chmod(0o755)
    environment = {  # as where the project's .venv is activated
        "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(SOURCE),
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    project = folder / "project"
    project.mkdir()
    (project / "tiny.yaml").write_text(TINY)
    page, agent = free_port(), free_port()
    monkeypatch.chdir(project)
    place = ["--dashboard", f"http://127.0.0.1:{page}", "--folder", str(project), "--wait"]
    assert run(["launch", "ray-job", "tiny.yaml", *place]) == 0
    options = (
        "--include-dashboard=true",
        f"--dashboard-port={page}",
        f"--dashboard-agent-listen-port={agent}",
    )
    with running_head(free_port(), folder, "--num-cpus=1", *options) as (_, joined):
        for port in (page, agent):
            wait_for_port(port)
        done = subprocess.run(
            ["bash", str(project / "results/launch/tiny.sh")], capture_output=True, text=True,
            check=False, env={**os.environ, **joined}, cwd=folder,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    store = open_store(project / "results")
    assert set(store.states().values()) == {State.COMPLETE}
    store.close()
    assert (project / "reports/tiny/index.html").is_file()
