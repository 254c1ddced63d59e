"""One small finished study, hostile words included, shared by the tests of figures and reports."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sharing import shared

from harness.evidence import Evidence, gather
from harness.figures import FIGURES, Picture, draw
from harness.judge import judge
from harness.judged import Verdict
from harness.report import ProfileResult
from harness.run.study_run import RunOptions, run_study
from harness.store import open_store
from harness.study import load_study

STUDY = """\
study: odd-words
question: Does <b>depth</b> pay, at $5 | a_layer?
workload:
  data: digits
  model: {name: mlp, depth: 1, width: 8, activation: relu}
  optimizer: {name: adam, lr: 0.01}
  epochs: 3
  batch_size: 128
factors:
  activation: {path: model.activation, levels: [relu, tanh, softmax]}
  depth: {path: model.depth, levels: [1, 3]}
arms:
  hot: {optimizer.lr: 1.0e+30}
search:
  space: {optimizer.lr: {log: [0.001, 0.1]}}
  candidates: 2
seeds: 5
probes: [gradient_norms, dead_units]
claims:
  - id: relu-beats-softmax
    says: ReLU beats <script>alert("x")</script> & softmax | by $x_1$ and *far*
    source: [a book 1, "<i>another</i>"]
    metric: test.accuracy
    contrast: {activation: [relu, softmax]}
    greater_by: 0.01
  - id: relu-loses
    says: ReLU loses against softmax
    metric: test.accuracy
    contrast: {activation: [softmax, relu]}
    greater_by: 0.01
  - id: two-parts
    says: tanh and ReLU are alike, and units live
    all_of:
      - {metric: test.accuracy, contrast: {activation: [tanh, relu]}, within: 0.001}
      - {metric: probe.dead_units, of: {activation: tanh}, below: 0.9}
  - id: hot-fails
    says: A hot start ends well
    metric: test.accuracy
    of: {arm: hot}
    above: 0.5
profiles:
  more: {seeds: 6, epochs: 4}
"""


@dataclass(frozen=True)
class Finished:
    """Where the results lie, and what came of each profile."""

    results: Path
    profiles: Mapping[str, ProfileResult]

    @property
    def evidence(self) -> Evidence:
        return self.profiles["default"].evidence

    @property
    def verdicts(self) -> list[Verdict]:
        return list(self.profiles["default"].verdicts)


def finished_study(factory: pytest.TempPathFactory) -> Finished:
    """Run the study in both profiles, once for all tests."""
    results = shared(factory, "finished", _run_both) / "results"
    return Finished(results, read_results(results))


def _run_both(folder: Path) -> None:
    file = folder / "odd-words.yaml"
    file.write_text(STUDY.replace("epochs: 4", "workload.epochs: 4"))
    options = RunOptions(folder / "results", folder / "reports", in_process=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.run.reports._write_report", lambda *_: None)  # tests make their own
        for profile in (None, "more"):
            run_study(load_study(file, profile, []), options)


def read_results(results: Path) -> dict[str, ProfileResult]:
    """Judge the newest execution of each profile."""
    store = open_store(results)
    found = {}
    for execution in store.latest_executions():
        evidence = gather(store, execution)
        lost = store.lost_attempts(evidence.trials["trial_id"])
        found[execution.profile] = ProfileResult(evidence, judge(evidence), lost)
    store.close()
    return found


def draw_all(evidence: Evidence, verdicts: list[Verdict]) -> dict[str, Picture]:
    """Draw every built-in figure; return the pictures by name."""
    return {p.name: p for name in FIGURES.own() for p in draw(name, evidence, verdicts)}


def without_trials(evidence: Evidence, arm: str) -> Evidence:
    """Return evidence in which an arm's trials have no record."""
    trials = evidence.trials.copy()
    mine = trials["arm"] == arm
    numbers = [c for c in trials if c.startswith(("test.", "validation.", "probe.", "cost."))]
    trials.loc[mine, numbers] = float("nan")
    trials.loc[mine, "state"] = "missing"
    curves = evidence.curves[evidence.curves["arm"] != arm]
    return replace(evidence, trials=trials, curves=curves)
