"""A study on a real cluster on which what can happen to a trial happens: each is told apart.

Of a time limit see `test_ray`: to wait for one that spares all other trials takes minutes.
"""

import os
import socket
import subprocess
import time
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster
from ray.core.generated import autoscaler_pb2
from sharing import LEAN

from harness.cli.app import run as command
from harness.run.study_run import RunOptions, run_study
from harness.store import open_store
from harness.study import load_study
from harness.trial import State

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
STUDY = """\
study: faults
question: What happens to a trial?
workload:
  data: {{name: digits, limit: 200}}
  model: {{name: mlp, depth: 1, width: 8}}
  optimizer: adam
  epochs: 2
design: explicit
simple_baseline: none
arms:
  fine: {{model.width: 9}}
  crashing: {{model: {{name: "faulty_models:crashing", settings: {{folder: {folder}}}}}}}
  poisonous: {{model: {{name: "faulty_models:poisonous"}}}}
  raising: {{model: {{name: "faulty_models:raising", settings: {{folder: {folder}}}}}}}
  waiting: {{model: {{name: "faulty_models:waiting", settings: {{folder: {folder}}}}}}}
seeds: 2
faults: {{retries: 1, retry_on: [crash, exception]}}
"""
SHARED = """\
study: shared
question: Do two trials share a GPU?
workload:
  data: {{name: digits, limit: 200}}
  model: {{name: "faulty_models:sharing", settings: {{folder: {folder}}}}}
  optimizer: sgd
  epochs: 2
simple_baseline: none
factors: {{rate: {{levels: {{low: {{optimizer.lr: 0.01}}, high: {{optimizer.lr: 0.1}}}}}}}}
seeds: 2
resources: {{gpus: 0.5}}
"""


@pytest.fixture(scope="module")
def cluster():
    """A head without CPUs, and two nodes of one."""
    environment = {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Ray's switch for loopback
        "RAY_health_check_period_ms": "1000",  # a lost node is known in seconds, not a minute
        "RAY_health_check_failure_threshold": "3",
    }
    usual = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    started = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": False},
    )
    for _ in range(2):
        started.add_node(num_cpus=1)
    yield started
    started.shutdown()
    for name, value in usual.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


def wait_for(condition, seconds=900):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def preempt(cluster, node_id):
    """Announce the end of a node, as a cloud does, for half a second from now."""
    client = ray._raylet.GcsClient(address=cluster.address)
    reason = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
    accepted, why = client.drain_node(node_id, reason, "spot", time.time_ns() // 10**6 + 500)
    assert accepted, why
    time.sleep(0.7)  # the deadline has to be over for Ray to call it preemption


@pytest.fixture(scope="module")
def outcome(cluster, tmp_path_factory):
    """Run the study; take away a node on which a trial waits, and that which takes its place."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "faults.yaml").write_text(STUDY.format(folder=folder))
    with (folder / "log").open("w") as log:
        run = subprocess.Popen(
            [*LEAN, "run", "faults.yaml", "--address", cluster.address],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(HERE)},
            stdout=log,
            stderr=log,
        )

    def waits_on(count):
        """Wait until a trial has waited on so many nodes; return the last one."""

        def found():
            assert run.poll() is None, (folder / "log").read_text()
            marks = sorted(folder.glob("node-*"), key=lambda mark: mark.stat().st_mtime_ns)
            return len(marks) >= count and marks[-1].name.removeprefix("node-")

        return wait_for(found)

    for count, ending in ((2, "loss"), (3, "preemption")):
        node_id = waits_on(count)
        cluster.add_node(num_cpus=1)
        (node,) = [one for one in cluster.worker_nodes if one.node_id == node_id]
        if ending == "preemption":
            preempt(cluster, node_id)
        cluster.remove_node(node, allow_graceful=False)
    waits_on(4)
    (folder / "go").touch()
    try:
        run.wait()
    finally:
        run.kill()
    store = open_store(folder / "results")
    (execution,) = store.executions()
    rows = list(store.assigned_records(execution.id))
    arms = {row.trial_id: row.arm for row in rows}
    causes = {arm: [] for arm in arms.values()}
    for trial_id, _, cause in store.lost_attempts(arms):
        causes[arms[trial_id]].append(cause)
    records = {arm: [row.record for row in rows if row.arm == arm] for arm in causes}
    return run.returncode, records, causes, folder


def kinds(causes):
    return {cause.partition(":")[0] for cause in causes}


def test_each_fault_is_told_apart(outcome):
    _, _, causes, folder = outcome
    log = (folder / "log").read_text()
    taken = {"node lost", "node preempted"}  # may happen to whatever runs there
    assert kinds(causes["fine"]) <= taken, log
    assert kinds(causes["crashing"]) - taken == {"worker crashed"}
    assert kinds(causes["poisonous"]) - taken == {"worker crashed"}
    assert kinds(causes["raising"]) - taken == {"exception"}
    assert any("OSError: the file is not there yet" in cause for cause in causes["raising"])
    assert kinds(causes["waiting"]) == taken
    everything = " ".join(cause for arm in causes.values() for cause in arm)
    assert socket.gethostname() not in everything
    assert "127.0.0.1" not in everything


def test_each_trial_ends_as_the_policy_says(outcome):
    code, records, causes, _ = outcome
    assert code == 1  # some trials failed
    for arm in ("fine", "crashing", "raising", "waiting"):
        assert {record.state for record in records[arm]} == {State.COMPLETE}, arm
    for record in records["poisonous"]:
        assert record.state is State.FAILED
        assert "failed 2 times; the last time: worker crashed" in record.reason
    # one retry is allowed, and the losses of two nodes were not charged
    assert max(record.attempt for record in records["waiting"]) >= 3
    assert len(causes["waiting"]) >= 2


def test_the_report_tells_them_apart(outcome):
    *_, folder = outcome
    report = folder / "reports" / "faults" / "report.md"
    assert report.exists(), (folder / "log").read_text()
    page = report.read_text()
    for words in ("worker crashed", "node preempted", "node lost", "OSError"):
        assert words in page


def test_what_no_node_can_give_is_told_at_once(outcome, cluster, monkeypatch, capfd):
    *_, folder = outcome
    monkeypatch.chdir(folder)
    place = ["--results", "other", "--address", cluster.address, "--set", "resources.gpus=4"]
    assert command(["run", "faults.yaml", *place]) == 2
    said = " ".join(capfd.readouterr().err.split())
    assert "no node of the cluster has room for a trial with 1 CPUs and 4 GPUs" in said


@pytest.mark.usefixtures("unmirrored", "undrawn")
def test_two_trials_share_each_gpu_and_see_no_other(outcome, cluster):
    """Ray counts GPUs that the node is said to have; the trials compute on the CPU."""
    *_, folder = outcome
    cluster.add_node(num_cpus=4, num_gpus=2)
    file = folder / "shared.yaml"
    file.write_text(SHARED.format(folder=folder))
    place = folder / "shared"
    options = RunOptions(place, place / "reports", address=cluster.address)
    assert run_study(load_study(file), options).counts["complete"] == 4
    seen = sorted(path.read_text() for path in folder.glob("gpus-*"))
    assert seen == ["0", "0", "1", "1"]
