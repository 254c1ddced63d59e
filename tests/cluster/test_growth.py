"""A cluster that begins without a single worker, and Ray's own autoscaler, which starts some."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from ray_heads import free_port, running_head
from sharing import LEAN

from harness.store import open_store
from harness.trial import State

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
STUDY = """\
study: growth
question: Does a run grow into the nodes that an autoscaler starts?
workload:
  data: {{name: digits, limit: 200}}
  model: {{name: "faulty_models:meeting", settings: {{folder: {folder}}}}}
  epochs: 3
simple_baseline: none
seeds: 6
"""
NOTHING_TO_DO = (
    "head_start_ray_commands", "worker_start_ray_commands", "setup_commands",
    "head_setup_commands", "worker_setup_commands", "initialization_commands",
    "cluster_synced_files", "rsync_exclude", "rsync_filter",
)  # fmt: skip


def autoscaling(port):
    """Return a cluster file whose nodes are processes of this machine: up to two, of one CPU."""
    small = {"resources": {"CPU": 1}, "node_config": {}, "min_workers": 0, "max_workers": 2}
    head = {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0}
    return {
        "cluster_name": "growth",
        "max_workers": 2,
        "idle_timeout_minutes": 5,
        "upscaling_speed": 1.0,
        "provider": {
            "type": "fake_multinode",
            "gcs_address": f"127.0.0.1:{port}",
            "disable_node_updaters": True,
        },
        "auth": {"ssh_user": "nobody"},
        "docker": {},
        "file_mounts": {},
        "file_mounts_sync_continuously": False,
        "head_node_type": "ray.head.default",
        "available_node_types": {"ray.head.default": head, "small": small},
        **{name: [] for name in NOTHING_TO_DO},
    }


@pytest.fixture
def cluster(tmp_path, folder):
    port = free_port()
    config = tmp_path / "cluster.json"
    config.write_text(json.dumps(autoscaling(port)))
    options = "--num-cpus=0", f"--autoscaling-config={config}"
    switches = {"RAY_FAKE_CLUSTER": "1", "AUTOSCALER_UPDATE_INTERVAL_S": "1"}
    with running_head(port, folder, *options, **switches) as running:
        yield running


def test_a_run_begins_without_workers_and_grows(cluster, tmp_path):
    address, environment = cluster
    (tmp_path / "growth.yaml").write_text(STUDY.format(folder=tmp_path))
    run = subprocess.run(
        [*LEAN, "run", "growth.yaml", "--address", address],
        cwd=tmp_path,
        env={**os.environ, **environment, "PYTHONPATH": str(HERE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    said = " ".join(run.stdout.split())
    assert "waiting for the autoscaler to start a node" in said
    assert "(CPUs: at most 0 on a node)" in said
    store = open_store(tmp_path / "results")
    assert list(store.states().values()) == [State.COMPLETE] * 6  # which one node alone cannot do
