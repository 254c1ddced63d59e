"""What the quick commands may import: nothing that they do not need."""

import json
import subprocess
import sys

import pytest

SLOW = {"torch", "ray", "mlflow", "optuna", "pandas", "sklearn", "scipy", "matplotlib"}
STUDY = "studies/activations.yaml"


def imported(*arguments):
    """Run a command in a process of its own; return the packages and modules it imported."""
    code = (
        "import json, sys\n"
        "from harness.cli.app import run\n"
        "status = run(sys.argv[1:])\n"
        "print(json.dumps([status, sorted(sys.modules)]), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    status, modules = json.loads(done.stderr.splitlines()[-1])
    assert status == 0
    return {name.partition(".")[0] for name in modules} | set(modules)


def test_help_reads_no_study_and_draws_nothing():
    found = imported("--help")
    assert not found & (SLOW | {"numpy", "pydantic", "rich", "yaml", "sqlite3"})
    assert "harness.study.model" not in found


def test_a_study_is_checked_without_numbers():
    assert not imported("validate", STUDY) & (SLOW | {"numpy", "rich", "sqlite3"})


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_plan_is_made_without_what_trains(more, tmp_path):
    found = imported("plan", STUDY, "--results", str(tmp_path), *more)
    assert not found & SLOW
    assert ("rich" in found) == (not more)


def test_names_of_the_study_package_are_found_and_others_refused():
    import harness.study

    assert all(getattr(harness.study, name) is not None for name in harness.study.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Studi'"):
        harness.study.Studi  # noqa: B018
