"""The action and the hook of a repository do what their pages say, on a repository with studies."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())


@pytest.fixture
def repository(tmp_path):
    for name in ("studies/dropout.yaml", "studies/xor.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    published = tmp_path / "results" / "published"
    published.mkdir(parents=True)
    for file in (ROOT / "results" / "published").glob("dropout.quick.*"):
        shutil.copy(file, published)
    return tmp_path


def steps(repository, last=2, **inputs):
    """Carry out the last commands of the action as a runner would, and return their statuses."""
    defaults = {name: about.get("default") for name, about in ACTION["inputs"].items()}
    given = {**defaults, **{name.replace("_", "-"): value for name, value in inputs.items()}}
    found = []
    commands = [s for s in ACTION["runs"]["steps"] if "run" in s and "pip" not in s["run"]]
    assert len(commands) == 2
    for step in commands[-last:]:
        filled = {
            name: re.sub(r"\$\{\{ inputs\.([\w-]+) }}", lambda m: str(given[m.group(1)]), text)
            for name, text in step["env"].items()
        }
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(["bash", "-e", "-c", step["run"]], cwd=repository, check=False,
                              env={**os.environ, **filled, "PATH": path})  # fmt: skip
        found.append(done.returncode)
    return found


def test_the_action_judges_the_claims_of_a_repository(repository):
    assert steps(repository, studies="dropout", fail_on="changed") == [0, 0]
    assert (repository / "claims.xml").read_text().count("<testcase")
    assert steps(repository, 1, studies="dropout", fail_on="refuted,supported") == [1]
    assert steps(repository, 1, studies="xor") != [0]  # it has no results


def test_the_hook_refuses_a_study_file_that_is_wrong(repository):
    files = sorted((repository / "studies").iterdir())
    assert all(re.search(HOOK["files"], f"studies/{file.name}") for file in files)
    command = [str(Path(sys.executable).with_name("harness")), *HOOK["entry"].split()[1:]]
    check = [*command, *(f"studies/{file.name}" for file in files)]
    assert subprocess.run(check, cwd=repository, check=False).returncode == 0
    files[0].write_text(files[0].read_text().replace("seeds:", "sedes:"))
    assert subprocess.run(check, cwd=repository, check=False).returncode == 2
