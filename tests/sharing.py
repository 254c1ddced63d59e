"""What is made once for all processes of a test run."""

import fcntl
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from lean import UNDRAWN, UNMIRRORED

LEAN = [sys.executable, str(Path(__file__).with_name("lean.py"))]
"""The command, without MLflow and pictures."""
ONE_WORKER = {"RAY_OVERRIDE_RESOURCES": '{"CPU": 1}'}
"""The environment of a command whose Ray starts one worker: another one imports PyTorch again."""

TINY = """\
study: tiny
question: Does the activation matter?
workload:
  data: digits
  model: {name: mlp, depth: 1, width: 32, activation: relu}
  optimizer: {name: adam, lr: 1e-2}
  epochs: 2
  batch_size: 128
factors:
  activation: {path: model.activation, levels: [relu, tanh, sigmoid]}
arms:
  linear: {model.depth: 0}
search:
  space: {optimizer.lr: {log: [1e-3, 1e-1]}}
  candidates: 3
  round: 2
seeds: 5
probes: [gradient_norms, dead_units]
claims:
  - id: relu-beats-sigmoid
    says: ReLU beats sigmoid
    source: [a book]
    metric: test.accuracy
    contrast: {activation: [relu, sigmoid]}
    greater_by: 0.01
  - id: two-parts
    says: tanh and relu are alike, and both have live units
    all_of:
      - {metric: test.accuracy, contrast: {activation: [tanh, relu]}, within: 0.5}
      - {metric: probe.dead_units, of: {activation: tanh}, below: 0.9}
profiles:
  more: {seeds: 6, search.candidates: 4}
"""


def one_word(_: object, folder: Path, *__: object, **___: object) -> None:
    """Take the place of `harness.report.build_page`, which has tests of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text("unreported")


def replace_all(patch: pytest.MonkeyPatch, places: Mapping[str, object]) -> None:
    """Put something else in places of the product, such as `lean.UNDRAWN`."""
    for place, instead in places.items():
        patch.setattr(place, instead)


@contextmanager
def lean() -> Iterator[None]:
    """Run studies in this process without MLflow and pictures, for a fixture of a module."""
    with pytest.MonkeyPatch.context() as patch:
        replace_all(patch, UNMIRRORED | UNDRAWN)
        yield


def shared(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that the first process that asks for it fills; the others wait meanwhile."""
    base = factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done = base / name, base / f"{name}.done"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)  # what another process could not finish
            folder.mkdir()
            make(folder)
            done.touch()
    return folder
