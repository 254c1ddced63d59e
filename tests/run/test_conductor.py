import sys
from dataclasses import replace

import numpy as np
import psutil
import pytest

from harness.cluster import LocalExecutor, Loss, Lost, Pack
from harness.run import ahead, study_run, workers
from harness.run.mirroring import MirrorObserver
from harness.run.observer import Observer
from harness.run.study_run import RunOptions, run_study
from harness.store import open_store
from harness.study import load_study
from harness.trial import Phase, Record, State
from harness.workloads import DataMissingError, Examples

pytestmark = pytest.mark.usefixtures("unreported")

FAST = ["seeds=5", "search.candidates=2", "workload.epochs=1"]


def run(file, folder, *overrides, observers=(), in_process=True, **options):
    settings = RunOptions(folder / "results", folder / "reports", in_process=in_process, **options)
    return run_study(load_study(file, None, [*FAST, *overrides]), settings, observers)


def records(folder):
    store = open_store(folder / "results")
    return {id_: store.record(id_) for id_ in store.states()}


def parts(found):
    return {id_: record.deterministic_part() for id_, record in found.items()}


def test_a_study_runs_to_its_verdicts_and_runs_only_once(tiny, tmp_path):
    first = run(tiny, tmp_path / "a")
    assert first.counts == {
        "complete": 4 * 2 + 5 * 5, "pruned": 0, "diverged": 0, "failed": 0, "reused": 0,
    }  # fmt: skip
    assert [v.id for v in first.verdicts] == ["relu-beats-sigmoid", "two-parts"]
    assert (first.report / "index.html").is_file()
    again = run(tiny, tmp_path / "a")
    assert again.counts["reused"] == 33
    assert again.counts["complete"] == 0
    assert again.verdicts == first.verdicts


def test_a_ray_that_has_begun_ends_before_anything_is_judged_where_nothing_is_to_be_trained(
    tiny, tmp_path, monkeypatch
):
    begun = []

    class Begun:
        def __init__(self, needs):
            self.needs, self.stopped = needs, False
            begun.append(self)

        def stop(self):
            self.stopped = True

    class Judged(Observer):
        stopped = None

        def judged(self, closing):
            self.stopped = begun[0].stopped

    monkeypatch.setattr(ahead, "start_head", Begun)
    run(tiny, tmp_path)
    observer = Judged()
    again = run(tiny, tmp_path, "question=Another?", observers=[observer], in_process=False)
    assert again.counts["complete"] == 0
    assert [one.needs.cpus for one in begun] == [1]
    assert observer.stopped
    run(tiny, tmp_path, "question=Another?", in_process=False)  # of which nothing has changed
    assert len(begun) == 1


def test_more_seeds_reuse_what_is_there(tiny, tmp_path):
    run(tiny, tmp_path)
    more = run(tiny, tmp_path, "seeds=6")
    assert (more.counts["complete"], more.counts["reused"]) == (5, 33)


def test_the_test_split_cannot_reach_the_search(tiny, tmp_path, monkeypatch):
    """Scramble the test labels: only what confirmation reads from the test split may change."""
    run(tiny, tmp_path / "true")
    load = study_run.load

    def scrambled(config, root):
        found = load(config, root)
        targets = np.random.default_rng(0).permutation(found.test.targets)
        test = Examples(found.test.inputs[::-1].copy(), targets)
        return replace(found, test=test)

    monkeypatch.setattr(study_run, "load", scrambled)
    run(tiny, tmp_path / "scrambled")
    true, other = records(tmp_path / "true"), records(tmp_path / "scrambled")
    assert true.keys() == other.keys()  # the same candidates, the same winners
    for id_, record in true.items():
        if record.trial.phase is Phase.SEARCH:
            assert not any(name.startswith("test.") for name in record.metrics)
            assert record.deterministic_part() == other[id_].deterministic_part()
        else:
            assert record.metrics["test.accuracy"] != other[id_].metrics["test.accuracy"]
            assert record.curve == other[id_].curve
            assert record.selected_epoch == other[id_].selected_epoch


def test_a_diverged_trial_is_an_outcome(tiny, tmp_path):
    result = run(tiny, tmp_path, "arms.linear={model.depth: 4, optimizer: {name: sgd, lr: 1e30}}")
    assert result.counts["failed"] == 0
    assert result.counts["diverged"] == 5
    reasons = {r.reason for r in records(tmp_path).values() if r.state is State.DIVERGED}
    assert all("the training loss became" in reason for reason in reasons)


BREAKS = """
from torch import nn

def build(shape, classes, fail=True):
    network = nn.Sequential(nn.Flatten(), nn.Linear(shape[-1] * shape[-2], classes))
    network.calls = 0

    def count(*_):
        network.calls += 1
        if fail and network.calls > 4:  # the dry run calls it thrice
            raise RuntimeError("this network breaks in its fifth call")

    network.register_forward_hook(count)
    return network
"""


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    (tmp_path / "own_network.py").write_text(BREAKS)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("own_network", None)


def test_a_trial_that_raises_is_recorded_and_the_study_goes_on(tiny, tmp_path, own_module):
    arm = "arms.own={model: {name: 'own_network:build', settings: {fail: %s}}}"
    result = run(tiny, tmp_path, arm % "true")
    assert result.counts["failed"] == 2 + 5
    assert result.counts["complete"] == 33
    failed = [r for r in records(tmp_path).values() if r.state is State.FAILED]
    assert all("this network breaks in its fifth call" in record.reason for record in failed)
    assert all("Traceback" in record.reason for record in failed)

    again = run(tiny, tmp_path, arm % "true")  # failures are tried again, as new attempts
    assert again.counts["failed"] == 7
    assert {r.attempt for r in records(tmp_path).values() if r.state is State.FAILED} == {2}
    assert run(tiny, tmp_path, arm % "false").counts["failed"] == 0


class Flaky(LocalExecutor):
    """Loses the first attempts of the trials of some seeds, as a dying worker would."""

    losses = 0
    kind = Loss.WORKER

    def submit(self, pack):
        unlucky = pack.attempt <= self.losses
        lost = tuple(trial for trial in pack.trials if unlucky and trial.seed in (1, 2))
        rest = tuple(trial for trial in pack.trials if trial not in lost)
        if lost:
            loss = Lost(Pack(lost, pack.attempt), "killed", self.kind)
            self._lost = [*getattr(self, "_lost", []), loss]
        if rest:
            super().submit(replace(pack, trials=rest))

    def events(self, timeout):
        lost, self._lost = getattr(self, "_lost", []), []
        return lost or super().events(timeout)


@pytest.mark.parametrize(
    "case",
    [
        (2, Loss.WORKER, 0, 20),
        (4, Loss.WORKER, 10, 8 * 4 + 2 * 3),  # the first time in packs, but for simple baselines
        (1, Loss.TIME, 2, 10),  # only those that were alone
        (6, Loss.PREEMPTED, 0, 60),
    ],
)
def test_lost_trials_are_tried_again_within_their_budget(tiny, tmp_path, monkeypatch, case):
    losses, kind, failed, attempts = case

    class ThisFlaky(Flaky):
        pass

    ThisFlaky.losses, ThisFlaky.kind = losses, kind
    monkeypatch.setattr(workers, "open_executor", lambda *_, **__: ThisFlaky())
    result = run(tiny, tmp_path, "faults.retries=2")
    assert result.counts["failed"] == failed
    assert result.counts["complete"] == 33 - failed
    store = open_store(tmp_path / "results")
    lost = store.lost_attempts(store.states())
    assert len(lost) == attempts
    assert {cause for _, _, cause in lost} == {f"{kind}: killed"}


class Interrupt(Observer):
    def __init__(self, after):
        self.after = after
        self.status = None

    def finished(self, record, assignments, reused):
        self.after -= not reused
        if self.after == 0:
            raise KeyboardInterrupt

    def closed(self, closing):
        self.status = closing.status


def test_an_interrupted_study_goes_on_where_it_was(tiny, tmp_path):
    run(tiny, tmp_path / "whole")
    for after in (3, 9, 14):
        observer = Interrupt(after)
        with pytest.raises(KeyboardInterrupt):
            run(tiny, tmp_path / "pieces", observers=[observer])
        assert observer.status == "interrupted"
    run(tiny, tmp_path / "pieces")
    assert parts(records(tmp_path / "whole")) == parts(records(tmp_path / "pieces"))


def test_a_missing_data_root_writes_nothing(tiny, tmp_path):
    with pytest.raises(DataMissingError):
        run(tiny, tmp_path / "new", data=tmp_path / "nowhere")
    assert not (tmp_path / "new").exists()


def test_a_run_that_cannot_begin_is_called_off(tiny, tmp_path):
    mirror = MirrorObserver(None, tmp_path / "results")
    before = psutil.Process().children()
    with pytest.raises(DataMissingError):
        run(tiny, tmp_path, "workload.data=mnist", observers=[mirror], data=tmp_path / "none")
    assert set(psutil.Process().children()) <= set(before)
    assert not (tmp_path / "results").exists()


def test_progress_comes_before_the_record_and_the_store_before_the_news(tiny, tmp_path):
    class Watch(Observer):
        def __init__(self):
            self.running, self.ended = set(), 0

        def progressed(self, progress):
            self.running.add(progress.trial_id)

        def finished(self, record: Record, assignments, reused):
            stored = open_store(tmp_path / "results").record(record.trial_id)
            assert stored == record or stored.to_dict() == record.to_dict()
            if record.trial.workload["model"]["name"] == "mlp":
                assert record.trial_id in self.running
            self.ended += 1

    watch = Watch()
    run(tiny, tmp_path, observers=[watch])
    assert watch.ended == 33
