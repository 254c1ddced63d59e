"""Many workers: each node of a real cluster has a foreman; all that an executor promises holds."""

import os
import time

import psutil
import pytest
from cluster_models import custom
from ray.cluster_utils import Cluster
from test_conformance import *  # noqa: F403 (the same suite again, on the executor below)

from harness.cluster import ClusterError, Lost, Pack, open_executor
from harness.cluster.executor import Loss, Needs, Notice
from harness.cluster.ray_executor import _foremen_from
from harness.cluster.ray_foreman import Batch, Hopeless, Staffed
from harness.cluster.ray_foremen import Foremen
from harness.own.imports import Luggage
from harness.trial import Progress, Record, State

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def joined(digits):
    """A head without CPUs, and two nodes of two, joined as a cluster of many."""
    usual = dict(os.environ)
    os.environ["HARNESS_FOREMEN_FROM"] = "2"
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # Ray's switch for loopback
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    for _ in range(2):
        cluster.add_node(num_cpus=2)
    opened = open_executor(cluster.address, modules=["cluster_models"])
    opened.provide(digits)
    yield opened
    opened.close()
    deadline = time.monotonic() + 300
    while processes("ray::Worker", "ray::Foreman"):  # they go with the job, a moment later
        assert time.monotonic() < deadline
        time.sleep(0.2)
    cluster.shutdown()
    os.environ.clear()
    os.environ.update(usual)


@pytest.fixture
def executor(joined):
    return joined


def processes(*names):
    found = psutil.Process().children(recursive=True)
    return [process for process in found if process.name().startswith(names)]


def test_each_node_has_one_and_its_own_workers(joined, make_trial, collect):
    assert isinstance(joined._hands, Foremen)
    for seed in range(4):
        joined.submit(Pack((make_trial(seed, model=custom("slow", seconds=0.002)),)))
    collect(joined, 4)
    deadline = time.monotonic() + 300
    while joined._hands.up < 4:  # on a busy machine three may do it all before the fourth is up
        assert time.monotonic() < deadline
        joined.events(0.2)
    assert joined.slots == 4
    foremen = processes("ray::Foreman")
    assert len(foremen) == 2
    nodes = {site.node for site in joined._hands._sites.values()}
    assert len(nodes) == 2


def test_a_foreman_that_is_killed_costs_its_packs_and_blames_none(joined, make_trial, collect):
    trials = [make_trial(s, model=custom("slow", seconds=0.01), epochs=60) for s in range(10, 14)]
    for trial in trials:
        joined.submit(Pack((trial,)))
    begun = set()
    while len(begun) < 4:
        begun |= {e.trial_id for e in joined.events(60.0) if isinstance(e, Progress)}
    processes("ray::Foreman")[0].kill()
    events = collect(joined, 4)
    lost = [event for event in events if isinstance(event, Lost)]
    assert len(lost) == 2
    assert {event.kind for event in lost} == {Loss.NODE}
    assert all("foreman" in event.cause for event in lost)
    done = {event.trial_id for event in events if isinstance(event, Record)}
    assert done == {t.id for t in trials} - {e.pack.trials[0].id for e in lost}
    for event in lost:
        joined.submit(event.pack)
    assert {event.state for event in collect(joined, 2) if isinstance(event, Record)} == {
        State.COMPLETE
    }


def test_a_worker_that_dies_is_told_by_its_foreman(joined, make_trial, collect):
    pack = Pack((make_trial(20, model=custom("dying")),))
    joined.submit(pack)
    lost = collect(joined, 1)[-1]
    assert (lost.kind, lost.pack) == (Loss.WORKER, pack)
    assert "killed" in lost.cause


def test_a_node_on_which_workers_only_die_is_given_up(joined, make_trial, collect):
    """Its foreman says so; what it had goes to the other node, and no attempt is lost by it."""
    hands = joined._hands
    site = next(iter(hands._sites.values()))
    try:
        hands._take(site, Hopeless("its workers die"))
        joined.submit(Pack((make_trial(30),)))
        events = collect(joined, 1)
        assert events[-1].state is State.COMPLETE
        (notice,) = [event for event in events if isinstance(event, Notice)]
        assert notice.text == "a node of the cluster is not used any more: its workers die"
        joined._look()
        joined._staff()
        assert joined.slots == 2
        for other in [*hands._sites.values()]:
            hands._give_up(other, "all die")
        joined._look()
        with pytest.raises(ClusterError, match="all die"):
            joined._staff()
    finally:
        hands._given_up.clear()
        joined._look()
        joined._staff()


def test_without_a_node_it_is_waited_for_one(make_trial):
    hands = Foremen(Needs(), Luggage())
    hands.submit(Pack((make_trial(0),)), ())
    begin = time.monotonic()
    assert hands.events(0.3) == []
    assert time.monotonic() - begin >= 0.3
    assert hands.waiting == 1


def test_a_wrong_number_is_told(monkeypatch):
    monkeypatch.setenv("HARNESS_FOREMEN_FROM", "many")
    with pytest.raises(ClusterError, match="'many'; expected a number of workers"):
        _foremen_from()


def test_progress_is_merged_until_something_is_urgent():
    batch = Batch()
    batch.add([Progress("a", ({"epoch": 1},)), Progress("b", ({"epoch": 1},))])
    assert batch.is_due()  # the first leaves at once
    assert [event.trial_id for event in batch.taken()] == ["a", "b"]
    batch.add([Progress("a", ({"epoch": 2},)), Progress("a", ({"epoch": 3},))])
    assert not batch.is_due()
    batch.add([Staffed(1), Progress("a", ({"epoch": 1},))])
    assert batch.is_due()
    assert batch.taken() == [
        Progress("a", ({"epoch": 2}, {"epoch": 3})),
        Staffed(1),
        Progress("a", ({"epoch": 1},)),  # of another attempt, perhaps: not merged across
    ]
    assert not batch.is_due()


def test_progress_leaves_after_a_while(monkeypatch):
    batch = Batch()
    batch.add([Progress("a", ({"epoch": 1},))])
    batch.taken()
    batch.add([Progress("a", ({"epoch": 2},))])
    sent = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: sent + 2.0)
    assert batch.is_due()
