"""What one training changes in its process never reaches another one."""

import json
import sys
from contextlib import closing

import pytest

from harness.cluster import LocalExecutor, Pack, open_executor
from harness.study.workload import Workload
from harness.trial import Phase, Record, State, Trial
from harness.workloads import load

MODULE = '''
import gc, os, random, signal, subprocess, sys, threading, time, warnings
import numpy as np
import torch
from torch import nn

SEEN = []

def relu(x): return x * 2
def same(x): return x

DIRT = {
    "dtype": lambda: torch.set_default_dtype(torch.float64),
    "device": lambda: torch.set_default_device("meta"),
    "deterministic": lambda: torch.use_deterministic_algorithms(True),
    "environment": lambda: os.environ.update(CASE_TRACE="1"),
    "folder": lambda: os.chdir("/"),
    "umask": lambda: os.umask(0o077),
    "path": lambda: sys.path.insert(0, "/nowhere"),
    "threads": lambda: torch.set_num_threads(3),
    "gradients": lambda: torch.set_grad_enabled(False),
    "precision": lambda: torch.set_float32_matmul_precision("medium"),
    "cudnn": lambda: setattr(torch.backends.cudnn, "benchmark", True),
    "filters": lambda: warnings.simplefilter("error"),
    "patch": lambda: setattr(torch, "relu", relu),
    "method": lambda: setattr(nn.Linear, "forward", lambda self, x: x),
    "hook": lambda: nn.modules.module.register_module_forward_hook(lambda *_: torch.ones(1)),
    "global": lambda: SEEN.append(1),
    "seed": lambda: (random.seed(1), np.random.seed(1), torch.manual_seed(1)),
    "thread": lambda: threading.Thread(target=time.sleep, args=(60,), daemon=True).start(),
    "child": lambda: subprocess.Popen(["sleep", "60"]),
}

def found():
    """What a training finds: everything that a trace could change."""
    return {
        "bits": torch.zeros(1).element_size() * 8,
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "meta": torch.zeros(1).is_meta,
        "environment": "CASE_TRACE" in os.environ,
        "at_root": os.getcwd() == "/",
        "umask": (mask := os.umask(0), os.umask(mask))[0],
        "path": "/nowhere" in sys.path,
        "threads": torch.get_num_threads(),
        "gradients": torch.is_grad_enabled(),
        "precision": len(torch.get_float32_matmul_precision()),
        "benchmark": torch.backends.cudnn.benchmark,
        "errors": sum(f[0] == "error" for f in warnings.filters),
        "relu": float(torch.relu(torch.ones(1, device="cpu"))),
        "linear": nn.Linear(1, 2, device="cpu")(torch.ones(1, device="cpu")).numel(),
        "seen": len(SEEN),
        "draws": random.random() + np.random.rand() + float(torch.rand((), device="cpu")),
        "sleepers": sum(t.name.startswith("Thread-") for t in threading.enumerate()),
    }

def train(config, report):
    report({f"test.{k}": float(v) for k, v in found().items()}, score=1.0)
    DIRT.get(config["arm"], list)()

def data(arm):
    DIRT.get(arm, list)()
    x = np.random.rand(60, 4).astype("float32")
    return x, (x[:, 0] > 0.5).astype("int64")

def network(shape, outputs, arm="clean"):
    layer = nn.Linear(64, outputs)
    DIRT.get(arm, list)()
    return nn.Sequential(nn.Flatten(), layer)

def metric(outputs, targets):
    return found()["bits"]

def dirty_metric(outputs, targets):
    for change in ("dtype", "environment", "patch"):
        DIRT[change]()
    return 0.0

def dirty_loss(outputs, targets):
    DIRT["environment"]()
    return nn.functional.cross_entropy(outputs, targets)

class Dirty(torch.optim.SGD):
    def __init__(self, parameters, lr):
        DIRT["deterministic"]()
        super().__init__(parameters, lr=lr)
'''
NOT_UNDONE = {"thread", "child"}
KINDS = [
    "dtype", "device", "deterministic", "environment", "folder", "umask", "path", "threads",
    "gradients", "precision", "cudnn", "filters", "patch", "method", "hook", "global", "seed",
]  # fmt: skip
FINDS = {
    "bits": 32, "deterministic": 0, "meta": 0, "environment": 0, "at_root": 0, "path": 0,
    "threads": 1, "gradients": 1, "precision": len("highest"), "benchmark": 0,
    "relu": 1, "linear": 2, "seen": 0,
}  # fmt: skip


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    (tmp_path / "traces_module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("traces_module", None)


def trial_of(fingerprint="", seed=0, **settings):
    workload = Workload.model_validate_json(json.dumps(settings)).model_dump(mode="json")
    return Trial(workload, seed, Phase.CONFIRMATION, fingerprint, "c")


def own(arm, fingerprint, seed=0):
    training = {
        "name": "traces_module:train", "settings": {"arm": arm}, "metric": "validation.score",
    }  # fmt: skip
    return trial_of(fingerprint, seed, training=training, epochs=1)


def run(executor, dataset, packs):
    with closing(executor):
        return run_by(executor, dataset, packs)


def run_by(executor, dataset, packs):
    executor.provide(dataset)
    for pack in packs:
        executor.submit(Pack(tuple(pack)))
    found, events = {}, []
    while len(found) < sum(map(len, packs)):
        events = executor.events(600.0)
        assert events
        found |= {event.trial_id: event for event in events if isinstance(event, Record)}
    return found


def measured(records):
    return {id_: record.deterministic_part() for id_, record in records.items()}


def test_every_training_finds_what_a_fresh_process_has(tmp_path):
    data = load({"name": "none", "validation_fraction": 0.2}, tmp_path)
    trials = []
    for seed, kind in enumerate(KINDS):
        trials += [own(kind, data.fingerprint), own("good", data.fingerprint, seed)]
    records = run(LocalExecutor(), data, [[trial] for trial in trials])
    for trial in trials:
        record = records[trial.id]
        assert record.state is State.COMPLETE, record.reason
        assert {name: record.metrics[f"test.{name}"] for name in FINDS} == FINDS
        kind = trial.workload["training"]["settings"]["arm"]
        told = kind not in ("good", "filters", "global", "seed", "threads", "gradients", "device")
        assert bool(record.environment.get("undone")) == told, kind
        assert "left" not in record.environment
    turned = run(LocalExecutor(), data, [[trial] for trial in trials[::-1]])
    assert measured(turned) == measured(records)


def test_what_cannot_be_undone_is_said(tmp_path):
    data = load({"name": "none", "validation_fraction": 0.2}, tmp_path)
    trials = [own(kind, data.fingerprint) for kind in ("child", "thread")]
    records = run(LocalExecutor(), data, [[trial] for trial in trials])
    said = [records[trial.id].environment["left"] for trial in trials]
    assert said == ["child process", "thread"]


@pytest.mark.slow
def test_workers_with_something_left_are_replaced(tmp_path):
    """By two that train all in one order, and then in the other."""
    data = load({"name": "none", "validation_fraction": 0.2}, tmp_path)
    kinds = ["good", "thread", "dtype", "child", "good", "environment"]
    trials = [own(kind, data.fingerprint, seed) for seed, kind in enumerate(kinds)]
    with closing(open_executor(slots=2)) as executor:
        found = [
            run_by(executor, data, [[trial] for trial in order]) for order in (trials, trials[::-1])
        ]
    for records in found:
        for trial in trials:
            record = records[trial.id]
            finds = FINDS | {"sleepers": 0, "errors": 0}
            assert {name: record.metrics[f"test.{name}"] for name in finds} == finds
    assert measured(found[0]) == measured(found[1])
    left = [found[0][trial.id].environment.get("left") for trial in trials]
    assert left == [None, "thread", None, "child process", None, None]


PARTS = {
    "network": {"model": {"name": "traces_module:network", "settings": {"arm": "dtype"}}},
    "metric": {"metrics": {"own": "traces_module:dirty_metric"}},
    "loss": {"loss": "traces_module:dirty_loss"},
    "optimizer": {"optimizer": {"name": "traces_module:Dirty", "lr": 0.1}},
    "left": {"model": {"name": "traces_module:network", "settings": {"arm": "thread"}}},
}


@pytest.mark.parametrize("part", PARTS)
def test_own_parts_of_a_training_leave_nothing(tmp_path, part):
    base = {"data": {"name": "digits", "limit": 100}, "model": {"name": "mlp", "depth": 1},
            "epochs": 1}  # fmt: skip
    data = load(base["data"], tmp_path)
    own_network = {"name": "traces_module:network", "settings": {}}
    model = own_network if part == "left" else base["model"]
    size = {"size": "traces_module:metric"}
    clean = trial_of(data.fingerprint, **(base | {"model": model, "metrics": size}))
    dirty = [trial_of(data.fingerprint, seed, **(base | PARTS[part])) for seed in (0, 1)]
    orders = ([dirty, [clean]], [[clean], dirty])
    found = [run(LocalExecutor(), data, order) for order in orders]
    assert measured(found[0]) == measured(found[1])
    assert found[0][clean.id].metrics["test.size"] == 32
    told = [found[0][trial.id].environment for trial in dirty]
    assert all(bool(said.get("left" if part == "left" else "undone")) for said in told)


def test_a_data_function_leaves_nothing(tmp_path):
    kinds = [kind for kind in KINDS if kind != "global"]
    none = load({"name": "none", "validation_fraction": 0.2}, tmp_path)
    prints = set()
    for kind in kinds:
        config = {"name": "traces_module:data", "settings": {"arm": kind}}
        workload = trial_of(data=config, model="mlp", epochs=1).workload
        prints.add(load(workload["data"], tmp_path).examples.inputs.tobytes())
    (record,) = run(LocalExecutor(), none, [[own("good", none.fingerprint)]]).values()
    assert {name: record.metrics[f"test.{name}"] for name in FINDS} == FINDS
