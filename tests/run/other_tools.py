"""Tools that are no part of the project's environment, in one of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

UV = str(Path(sys.executable).with_name("uv"))


def run_with(package, script, *arguments, cwd, env):
    """Run a script, or a command, where a package is installed; skip where it cannot be."""
    ready = [UV, "run", "-q", "--no-project", "--isolated", "--python", sys.executable,
             "--with", package]  # fmt: skip
    found = subprocess.run(
        [*ready, "python", "-c", ""], check=False, capture_output=True, text=True, cwd=cwd
    )
    if found.returncode:
        pytest.skip(f"{package} cannot be installed here: {found.stderr[-300:]}")
    done = subprocess.run(
        [*ready, script, *arguments], check=False, cwd=cwd, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
