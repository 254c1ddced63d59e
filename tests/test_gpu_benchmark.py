"""`make gpu` without a GPU: all of it runs, in little, where only PyTorch's world is installed."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ABSENT = ("ray", "mlflow", "optuna", "seaborn", "statsmodels")
BLOCK = f"""
import importlib.machinery

find = importlib.machinery.PathFinder.find_spec

def find_spec(name, path=None, target=None):  # as if they were not installed
    return None if name.partition(".")[0] in {ABSENT!r} else find(name, path, target)

importlib.machinery.PathFinder.find_spec = staticmethod(find_spec)
"""


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import gpu

    return gpu


def with_code(folder, code):
    """Return an environment whose Pythons run some code when they start."""
    (folder / "sitecustomize.py").write_text(code)
    return {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.mark.slow
def test_all_of_it_runs_where_ray_mlflow_and_optuna_are_absent(tmp_path, gpu):
    page = tmp_path / "gpu.md"
    command = [sys.executable, "-m", "benchmarks.gpu", "--device", "cpu", "--quick", "--here"]
    done = subprocess.run(
        [*command, "--out", str(page)],
        cwd=ROOT, env=with_code(tmp_path, BLOCK), capture_output=True, text=True, check=False,
    )  # fmt: skip
    text = page.read_text()
    assert "FAILED" not in text, text + done.stderr
    assert done.returncode == 0, done.stderr
    for part in gpu.PARTS.values():
        assert f"## {part.title}" in text
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert not [line for line in lines if "| not measured |" in line]
    equal = text.partition("## Does it")[2].partition("\n## ")[0]
    assert equal.count("| yes |") >= 40
    assert "**no**" not in equal
    for what in ("out of memory halves a pack", "streamed data"):
        (line,) = [line for line in lines if line.startswith(f"| {what} |")]
        assert "| yes |" in line
    assert str(ROOT) not in text


def test_every_network_optimizer_and_task_is_compared(gpu):
    from benchmarks import gpu_equality
    from harness.models import simple_models
    from harness.registry import NETWORKS, OPTIMIZERS, TASKS

    assert set(gpu_equality.MODELS) == set(NETWORKS.own()) - set(simple_models())
    assert set(gpu_equality.OPTIMIZERS) >= set(OPTIMIZERS.own())
    known = {*gpu_equality.TASKS, *gpu_equality.USUAL, *gpu_equality.OF_STAGES}
    assert known == set(TASKS.own())


def test_the_parts_take_ten_minutes_at_most(gpu):
    assert gpu.ALL_SECONDS + 3 * gpu.GRACE <= 605  # with what comes before the first part
    starts = 5 * len(gpu.PARTS)
    assert starts + sum(part.seconds for part in gpu.PARTS.values()) <= gpu.ALL_SECONDS
    late = gpu._lines("packs", options(), gpu.LEAST_SECONDS - 1)
    assert [line["result"] for line in late] == ["not measured"]


def options(**more):
    return argparse.Namespace(device="cpu", quick=True, machine="two cores", **more)


@pytest.mark.parametrize(
    ("code", "seconds", "said"),
    [
        ("import os; os._exit(3)", 60, "its process ended with 3"),
        ("import time; time.sleep(600)", 0, "more than it has"),
    ],
)
def test_a_part_that_dies_or_hangs_is_a_line(gpu, tmp_path, monkeypatch, code, seconds, said):
    monkeypatch.setattr(gpu, "GRACE", 2)
    monkeypatch.setenv("PYTHONPATH", with_code(tmp_path, code)["PYTHONPATH"])
    (line,) = gpu._elsewhere("energy", options(), seconds)
    assert line["result"] == "FAILED"
    assert said in line["detail"]
    assert "| **no** |" in gpu._row(line)


def test_what_fails_is_a_line_and_the_next_goes_on(gpu, tmp_path):
    import torch

    from benchmarks._gpu import Bench, Line, each

    def breaks():
        yield Line("one", "–", "1.00", "≥ 1", True)
        raise torch.OutOfMemoryError("CUDA out of memory\nand more")

    def works():
        yield Line("three", "–", "0.50", "≥ 1", False)

    bench = Bench(torch.device("cpu"), True, float("inf"))
    lines = list(each(bench, [("two", breaks), ("three", works)]))
    assert [line.what for line in lines] == ["one", "two", "three"]
    told, _, place = lines[1].detail.partition(" (")
    assert told == "OutOfMemoryError: CUDA out of memory"
    assert place.startswith("test_gpu_benchmark.py:")
    page = gpu._page({"packs": [vars(line) for line in lines]}, options(), 60.0)
    assert "1 meet their target and 2 do not, of which 1 failed" in page
    assert "raise torch.OutOfMemoryError" in page
    late = list(each(Bench(torch.device("cpu"), True, 0.0), [("four", works)]))
    assert [line.result for line in late] == ["not measured"]


def test_a_python_that_lacks_something_is_told_what(tmp_path):
    code = "import importlib.util as u; f = u.find_spec\n"
    code += "u.find_spec = lambda name, *a: None if name == 'pydantic' else f(name, *a)\n"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu"],
        cwd=ROOT, env=with_code(tmp_path, code), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "this Python has no pydantic" in done.stderr
