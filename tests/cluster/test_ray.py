"""What only Ray can show: streams, locks across processes, deaths, signals, ports."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import psutil
import pytest
import ray
from cluster_models import custom
from ray._private import services, utils
from ray._private.node import Node

from harness.cluster import ClusterError, Loss, Lost, Pack, open_executor, ray_head
from harness.cluster.ray_session import check_reachable
from harness.trial import Phase, Progress, Record, State

pytestmark = pytest.mark.slow


def test_a_plan_needs_no_ray_and_no_torch():
    code = "import sys, harness.cluster; print({'ray', 'torch'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert shown.stdout == "set()\n"


def test_every_port_is_on_the_loopback_interface(ray_executor):
    own = psutil.Process()
    listening = [
        connection.laddr.ip
        for process in [own, *own.children(recursive=True)]
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) > 4
    assert {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}


def test_no_process_serves_a_dashboard_an_autoscaler_or_a_log_reader(ray_executor):
    commands = [" ".join(p.cmdline()) for p in psutil.Process().children(recursive=True)]
    assert any("gcs_server" in command for command in commands)
    left_out = ("dashboard/dashboard.py", "monitor.py", "log_monitor.py")
    assert not [command for command in commands if any(name in command for name in left_out)]
    (raylet,) = [command for command in commands if "--dashboard_agent_command=" in command]
    assert "--minimal" in raylet  # its agent serves neither pages nor metrics


def test_a_ray_that_starts_no_such_helper_is_left_alone(monkeypatch):
    changed = [(Node, name) for name in ray_head._HELPERS] + [(utils, ray_head._PACKAGES)]
    for owner, name in changed:
        monkeypatch.setattr(owner, name, getattr(owner, name))  # is put back
    monkeypatch.delattr(Node, "start_log_monitor")
    ray_head._leave_out_helpers()
    assert not hasattr(Node, "start_log_monitor")


def test_progress_arrives_while_the_trial_runs_and_is_throttled(ray_executor, make_trial, collect):
    arrivals, begin = [], time.monotonic()
    ray_executor.submit(Pack((make_trial(0, model=custom("slow", seconds=0.002), epochs=25),)))
    while not any(isinstance(event, Record) for _, event in arrivals):
        arrivals += [(time.monotonic(), event) for event in ray_executor.events(10.0)]
    first, last = arrivals[0], arrivals[-1]
    assert isinstance(first[1], Progress)
    assert len(first[1].points) == 1
    seconds = last[0] - begin
    assert seconds > 0.9
    assert 2 <= len(arrivals) - 2 <= seconds / 0.3 + 1


def test_a_search_pack_is_given_no_reference_to_the_test_split(ray_executor, digits, make_trial):
    search, confirmation = (
        ray_executor.references(Pack((make_trial(0, phase),)))
        for phase in (Phase.SEARCH, Phase.CONFIRMATION)
    )
    assert search[1:] == (None,)
    assert ray.get(search[0]).test is None
    assert search[0] == confirmation[0]
    assert len(ray.get(confirmation[1])) == len(digits.test)


def test_a_worker_keeps_no_test_split_for_the_next_search(ray_executor, make_trial, collect):
    for seed in range(4):  # enough for both workers to have seen it
        ray_executor.submit(Pack((make_trial(seed, Phase.CONFIRMATION),)))
    collect(ray_executor, 4)
    for seed in range(4):
        ray_executor.submit(Pack((make_trial(seed, model=custom("hunting")),)))
    found = [event for event in collect(ray_executor, 4) if isinstance(event, Record)]
    assert {record.reason.splitlines()[-1] for record in found} == {
        "RuntimeError: [(1347, 'read-only')]"
    }


def test_threads_are_set_before_torch_is_imported(ray_executor, make_trial, collect):
    ray_executor.submit(Pack((make_trial(0, model=custom("telling")),)))
    record = collect(ray_executor, 1)[-1]
    assert "RuntimeError: OMP 1 MKL 1 torch 1 SIGINT ignored" in record.reason


def test_ctrl_c_leaves_events_and_nothing_is_lost(ray_executor, make_trial, collect):
    trial = make_trial(0, model=custom("slow", seconds=0.002), epochs=20)
    ray_executor.submit(Pack((trial,)))
    ray_executor.events(30.0)
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        collect(ray_executor, 1)
    record = collect(ray_executor, 1)[-1]
    assert record.state is State.COMPLETE


def test_addresses_that_lead_nowhere_are_refused():
    for address, words in [
        ("127.0.0.1:9", "no Ray cluster answers at '127.0.0.1:9'"),
        ("somewhere", "expected auto or host:port"),
        ("ray://127.0.0.1:10001", "expected auto or host:port"),
    ]:
        with pytest.raises(ClusterError, match=words):
            check_reachable(address)


def test_a_ray_that_does_not_tell_its_address_is_left_to_find_it(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    with pytest.raises(ClusterError, match="no Ray cluster answers at 'auto'"):
        check_reachable("auto")
    monkeypatch.delattr(services, "canonicalize_bootstrap_address")
    check_reachable("auto")


def test_one_process_has_one_cluster(ray_executor):
    with pytest.raises(ClusterError, match="already connected"):
        open_executor()


def test_killed_workers_cost_their_pack_only(ray_executor, make_trial, collect):
    """Two deaths: one from within a pack of three; one from outside, of a trial without an end."""
    dying = [make_trial(seed, model=custom("dying")) for seed in (1, 2)]
    pack = Pack((make_trial(0), *dying), attempt=2)
    slow = Pack((make_trial(3, model=custom("slow", seconds=0.002), epochs=100_000),))
    ray_executor.submit(slow)
    while not any(isinstance(event, Progress) for event in ray_executor.events(30.0)):
        pass  # on a busy machine a worker starts for longer
    (busy,) = [process for process in workers() if "run" in process.name()]
    ray_executor.submit(pack)
    ray_executor.submit(Pack((make_trial(4),)))
    events = collect(ray_executor, 4)
    (lost,) = [event for event in events if isinstance(event, Lost)]
    assert (lost.kind, lost.pack.attempt) == (Loss.WORKER, 2)
    # a record that had been made and not yet sent goes with its worker
    assert lost.pack.trials in (pack.trials[1:], pack.trials)
    records = {event.trial_id for event in events if isinstance(event, Record)}
    kept = {trial.id for trial in pack.trials} - {trial.id for trial in lost.pack.trials}
    assert records == {*kept, make_trial(4).id}

    busy.kill()
    lost = collect(ray_executor, 1)[-1]
    assert lost.pack == slow
    assert "killed" in lost.cause
    ray_executor.submit(Pack((make_trial(5),)))
    assert collect(ray_executor, 1)[-1].state is State.COMPLETE


def test_a_network_and_a_training_that_hang_are_ended_at_the_time_limit(
    ray_executor, make_trial, collect, monkeypatch
):
    limited = replace(ray_executor.needs, time_limit=2.0)
    monkeypatch.setattr(ray_executor._hands, "needs", limited)
    training = {"name": "cluster_models:hanging", "settings": {}, "metric": "validation.accuracy"}
    packs = [
        Pack((make_trial(0, model=custom("hanging")),)),
        Pack((make_trial(1, training=training),)),
    ]
    for pack in packs:
        ray_executor.submit(pack)
    lost = [event for event in collect(ray_executor, 2) if isinstance(event, Lost)]
    assert [event.kind for event in lost] == [Loss.TIME, Loss.TIME]
    assert all(pack in [event.pack for event in lost] for pack in packs)
    assert {event.cause for event in lost} == {"it took longer than 2 seconds"}


def workers():
    found = psutil.Process().children(recursive=True)
    return [process for process in found if process.name().startswith("ray::Worker")]


def test_the_folder_of_the_session_is_private_and_short(ray_executor):
    folder = ray_executor._head.folder
    assert folder.stat().st_mode & 0o077 == 0
    sockets = [str(path) for path in folder.rglob("*") if path.is_socket()]
    assert sockets
    assert max(map(len, sockets)) < 100
