"""Tools that are no part of the project's environment, in one of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

UV = str(Path(sys.executable).with_name("uv"))


START = """
import runpy, sys
print("installed", flush=True)
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run_with(package, script, *arguments, cwd, env):
    """Run a script where a package is installed; skip where it cannot be."""
    ready = [UV, "run", "-q", "--no-project", "--isolated", "--python", sys.executable,
             "--with", package]  # fmt: skip
    done = subprocess.run(
        [*ready, "python", "-c", START, script, *arguments],
        check=False, capture_output=True, text=True, cwd=cwd, env=env,
    )  # fmt: skip
    if "installed" not in done.stdout:
        pytest.skip(f"{package} cannot be installed here: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
