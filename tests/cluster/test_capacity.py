"""How many trials fit a cluster, and what is said where none does."""

import sys

import pytest

from harness.cluster import Needs
from harness.cluster.ray_capacity import Node, is_autoscaled, room, why_none

SMALL = Node({"CPU": 4, "GPU": 1, "memory": 16e9}, {"zone": "a"})
LARGE = Node({"CPU": 8, "GPU": 2, "memory": 64e9, "tpu": 1}, {"zone": "b", "spot": "yes"})
HEAD = Node({"CPU": 0}, {})
CLUSTER = [HEAD, SMALL, LARGE]


@pytest.mark.parametrize(
    ("needs", "trials"),
    [
        (Needs(), 12),
        (Needs(cpus=3), 3),
        (Needs(gpus=0.25), 12),
        (Needs(gpus=0.3), 9),
        (Needs(gpus=2), 1),
        (Needs(memory=10**10), 7),
        (Needs(custom={"tpu": 0.5}), 2),
        (Needs(labels={"zone": "a"}), 4),
        (Needs(labels={"zone": "!a"}), 8),
        (Needs(labels={"zone": "in(a, b)"}), 12),
        (Needs(labels={"zone": "!in(a, c)", "spot": "yes"}), 8),
        (Needs(cpus=2, workers=3), 2),
        (Needs(gpus=3), 0),
    ],
)
def test_room(needs, trials):
    assert room(CLUSTER, needs) == trials


@pytest.mark.parametrize(
    ("needs", "words"),
    [
        (Needs(gpus=4), "a trial with 1 CPUs and 4 GPUs (GPUs: at most 2 on a node)"),
        (Needs(cpus=9), "a trial with 9 CPUs (CPUs: at most 8 on a node)"),
        (Needs(memory=10**11), "GB of memory: at most 64 on a node"),
        (Needs(custom={"ipu": 1}), "1 CPUs and 1 ipu (ipu: at most 0 on a node)"),
        (Needs(labels={"zone": "mars"}), "the label zone: mars: none has these labels"),
        (Needs(gpus=2, labels={"zone": "a"}), "(GPUs: at most 1 on a node)"),
        (Needs(workers=13), "the cluster has no room for 13 workers of a trial, each with 1 CPUs"),
    ],
)
def test_why_none(needs, words):
    assert room(CLUSTER, needs) == 0
    assert words in why_none(CLUSTER, needs)


def test_a_ray_that_does_not_tell_of_its_autoscaler_counts_as_one_without(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray._private.state", None)
    assert not is_autoscaled()
