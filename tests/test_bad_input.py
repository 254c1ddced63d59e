"""Bad input of every kind is answered with one sentence that says what to do, and no traceback."""

import copy
import json
import os
import re
import sys
import threading
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from harness.own.lookup import CodeMissingError
from harness.plan import FIXED
from harness.run.prepare import prepare
from harness.study import InputError, load_study
from harness.study.bundled import bundled_studies
from harness.study.workload import DataSetting, Workload
from harness.train import train
from harness.trial import Phase, Record, State, Trial
from harness.workloads import DataMissingError, load

BASE = """\
study: bad
question: Is it?
workload:
  data: digits
  model: {name: mlp, depth: 1, width: 4}
  epochs: 2
factors:
  width: {path: model.width, levels: [4, 8]}
seeds: 5
claims:
  - {id: wider-wins, says: Wider wins, metric: test.accuracy, contrast: {width: [8, 4]},
     greater_by: 0.01}
"""
MODULE = """\
import os, sys, threading, time
import numpy as np

def network(shape, outputs): raise RuntimeError("no network today")
def no_network(shape, outputs): return "a network"
def wrong_outputs(shape, outputs):
    from torch import nn
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
def wrong_inputs(shape, outputs):
    from torch import nn
    return nn.Sequential(nn.Flatten(), nn.Linear(63, outputs))
def three(shape, outputs, width): return None

x, y = np.zeros((30, 4)), np.arange(30) % 2
def data_raises(): raise OSError("the disk is gone")
def data_none(): return None
def data_one(): return x
def data_lengths(): return x, y[:-1]
def data_words(): return np.full((30, 4), "a"), y
def data_nan():
    bad = x.copy(); bad[7, 2] = np.nan
    return bad, y
def data_infinite(): return np.full((30, 4), np.inf), y
def data_label_nan(): return x, np.where(y == 1, np.nan, y)
def data_label_half(): return x, y + 0.5
def data_label_below(): return x, y - 1
def data_one_class(): return x, y * 0
def data_empty(): return x[:0], y[:0]
def data_ragged(): return [[1, 2], [3]], [0, 1]
def data_parts(): return {"first": (x, y)}
def data_test_class(): return {"train": (x, y), "test": (x, y + 1)}
def data_test_shape(): return {"train": (x, y), "test": (x[:, :2], y)}
def data_val_all(): return {"train": (x, y * 0), "val": (x, y)}
def data_groups(): return {"train": (x, y), "groups": y[:-1]}
def data_one_group(): return {"train": (x, y), "groups": y * 0}
def data_flat(): return x[:, 0], y
def data_labels_2d(): return x, np.stack([y, y], 1)
def data_rare(): return x, (np.arange(30) == 0).astype(int)
def data_exit(): sys.exit(3)
def data_needs(path): return x, y

def t_raises(config, report): raise ValueError("wrong turn")
def t_silent(config, report): pass
def t_text(config, report): report(accuracy="high")
def t_list(config, report): report(accuracy=[1, 2])
def t_many(config, report): [report(accuracy=1) for _ in range(9)]
def t_other(config, report): report({"validation.f1": 1})
def t_split(config, report): report({"eval.accuracy": 1})
def t_returns(config, report): report(accuracy=1); return 5
def t_exits(config, report): sys.exit("enough")
def t_interrupts(config, report): raise KeyboardInterrupt
def t_arguments(): pass
def t_prints(config, report): print("noise " * 100000); report(accuracy=1)
def t_forks(config, report):
    child = os.fork()
    if child == 0:
        raise SystemExit(0)
    os.waitpid(child, 0); report(accuracy=1)
def t_threads(config, report):
    threading.Thread(target=time.sleep, args=(1,), daemon=True, name="left over").start()
    report(accuracy=1)
def t_nan(config, report): report(accuracy=float("nan"))
"""


@dataclass(frozen=True)
class Bad:
    """One case: what is wrong, and what has to be said about it."""

    name: str
    says: str
    change: dict[str, Any] = field(default_factory=dict)
    text: str | None = None


def study(name: str, says: str, **change: Any) -> Bad:
    return Bad(name, says, {key.replace("__", "."): value for key, value in change.items()})


LONG = "x" * 300
LOGGED = {"name": "mlflow", "experiment": "theirs", "metrics": {"test.loss": "loss"}}
HOSTILE = [
    Bad("empty", "is empty; a study starts with", text=""),
    Bad("a list", "mapping", text="- a\n- b\n"),
    Bad("a word", "mapping", text="study"),
    Bad("not yaml", "is not valid YAML", text="study: [a\n"),
    Bad("tabs", "is not valid YAML", text="study:\n\t- a\n"),
    Bad("python tag", "not allowed; a study file is plain data",
        text="study: !!python/object/apply:os.system ['true']\n"),
    Bad("own tag", "not allowed; a study file is plain data", text="study: !thing a\n"),
    Bad("binary", "not allowed|plain data", text="study: !!binary aGVsbG8=\n"),
    Bad("merge key", "merge keys", text="a: &a {b: 1}\nstudy: {<<: *a}\n"),
    Bad("twice", "stands here twice", text=BASE + "seeds: 6\n"),
    Bad("infinite", "infinite and not-a-number", text=BASE + "alpha: .inf\n"),
    Bad("not a number", "infinite and not-a-number", text=BASE + "alpha: .nan\n"),
    Bad("huge number", "too long", text=BASE.replace("seeds: 5", "seeds: " + "9" * 400)),
    Bad("alias bomb", "unfolds to more than",
        text="a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
            f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 10)}]\n"
            for i in range(8))),
    Bad("alias circle", "nested more than|unfolds|not valid", text="study: &a [*a]\n"),
    Bad("deep", "nested|not valid YAML", text="study: " + "[" * 5000 + "]" * 5000 + "\n"),
    Bad("null byte", "not valid YAML", text="study: a\0b\n"),
    Bad("complex key", "a key must be a word", text="? [a, b]\n: c\n"),
    Bad("two documents", "not valid YAML", text=BASE + "---\nstudy: b\n"),
]  # fmt: skip
STUDIES = [
    study("unknown key", "unknown key 'claimz'; did you mean 'claims'", claimz=[]),
    study("slash", "does not have the form", study="../../etc/passwd"),
    study("dots", "does not have the form", study=".."),
    study("unicode", "does not have the form", study="Übung"),
    study("300 characters", "does not have the form", study=LONG),
    study("profile slash", "form", profiles={"a/b": {"epochs": 1}}),
    study("factor unicode", "form", factors={"größe": {"path": "model.width", "levels": [1, 2]}}),
    study("arm 300", "form", arms={LONG: {"model.width": 2}}),
    study("claim id", "form", claims=[{"id": "a b", "says": "x", "metric": "test.accuracy",
                                      "of": {"width": 8}, "above": 0}]),
    study("seeds zero", "greater than or equal to", seeds=0),
    study("seeds text", "expected", seeds="many"),
    study("epochs below", "greater than or equal to 1", workload__epochs=-1),
    study("epochs half", "whole number", workload__epochs=1.5),
    study("epochs true", "whole number", workload__epochs=True),
    study("unknown data", "'digitz' is not one of", workload__data="digitz"),
    study("no data name", "needs a `name`", workload__data={"limit": 50}),
    study("data number", "needs a `name`|mapping", workload__data=3),
    study("unknown loss", "did you mean 'cross_entropy'", workload__loss="cross_entropi"),
    study("loss path", "form package.module:function", workload__loss="os.system('x'):y"),
    study("loss of numbers", "does not suit", workload__loss="mean_squared_error"),
    study("metric taken", "measured already", workload__metrics={"accuracy": "a:b"}),
    study("metric slash", "form", workload__metrics={"a/b": "a:b"}),
    study("none without training", "is for a `training` of your own", workload__data="none"),
    study("training and model", "`model` is of no use", workload__training="a:b"),
    study("training name", "form", workload={"training": "no function"}),
    study("training setting taken", "told to every training",
          workload={"training": {"name": "a:b", "settings": {"seed": 1}}}),
    study("training metric", "form",
          workload={"training": {"name": "a:b", "metric": "test.accuracy"}}),
    study("training and optimizer", "`optimizer` is of no use with `training`",
          workload={"training": "a:b", "optimizer": {"name": "sgd"}}),
    study("training and probe", "looks into networks that the harness trains",
          workload={"training": "a:b"}, probes=["dead_units"], factors={}, claims=[]),
    study("training and baseline", "simple_baseline", workload={"training": "a:b"},
          simple_baseline="ridge", factors={}, claims=[]),
    study("logged runs of nothing", "training: `experiment` is missing",
          workload={"training": {"name": "mlflow", "metrics": {"test.accuracy": "acc"}}}),
    study("logged runs and epochs", "`epochs` is of no use", claims=[],
          workload={"training": LOGGED, "epochs": 3}),
    study("logged runs and a claim", "does not say what 'test.accuracy' is called in the runs",
          workload={"training": LOGGED},
          factors={"width": {"path": "training.params.width", "levels": [4, 8]}}),
    study("logged runs in instalments", "cannot come in instalments", workload={"training": LOGGED},
          factors={}, claims=[], seeds={"start": 6, "step": 2, "max": 8}),
    study("logged runs and a search", "these runs are trained already",
          workload={"training": LOGGED}, factors={}, claims=[],
          search={"space": {"epochs": {"integer": [1, 3]}}, "candidates": 2}),
    study("optimizer without a class", "'my.module' is not one of",
          workload__optimizer="my.module"),
    study("optimizer without a rate", "lr: is missing", workload__optimizer="a:B"),
    study("wrong baseline", "ridge|simple_baseline", simple_baseline="ridge"),
    study("augmented table", "changes images", workload__data={"name": "table"},
          workload__augmentation={"flip": True}),
    study("level that is none", "model.width",
          factors={"width": {"path": "model.width", "levels": [4, "wide"]}}),
    study("path through a value", "path|plain value|unknown",
          factors={"width": {"path": "epochs.deep", "levels": [4, 8]}}),
    study("data function path", "is not one of|form", workload__data="a b:c"),
    study("size of images", "less than or equal to 4096",
          workload__data={"name": "image_folder", "path": "x", "size": 100000}),
    study("folds", "greater than or equal to 2",
          workload__data={"name": "arrays", "path": "x", "folds": 1}),
    study("target is a feature", "stands among the `features`",
          workload__data={"name": "table_file", "path": "x", "target": "a", "features": ["a"]}),
    study("empty path", "at least 1",
          workload__data={"name": "arrays", "path": ""}),
]  # fmt: skip
CODE = [
    study("no module", "No module named 'nowhere'", workload__model="nowhere.at_all:network",
          factors={}, claims=[]),
    study("no function", "has no 'netwrok'; did you mean 'network'",
          workload__model="bad_module:netwrok", factors={}, claims=[]),
    study("no python", "not valid Python", workload__model="broken_module:network", factors={},
          claims=[]),
    study("no loss", "has no 'loss'", workload__loss="bad_module:loss"),
    study("no training", "has no 'train'", workload={"training": "bad_module:train"},
          factors={}, claims=[]),
    study("no data function", "has no 'data'", workload__data="bad_module:data"),
    study("a path that is not there", "there is no data in 'nowhere'",
          workload__data={"name": "image_folder", "path": "nowhere"}),
    study("a path of 300 characters", "there is no data in",
          workload__data={"name": "arrays", "path": LONG}),
    study("a file for a folder", "is a file|no data",
          workload__data={"name": "image_folder", "path": "study.yaml"}),
    study("no table", "has no column",
          workload__data={"name": "table_file", "path": "study.yaml", "target": "a"}),
    study("no archive", "cannot be read as a NumPy archive",
          workload__data={"name": "arrays", "path": "study.yaml"}),
    study("an archive of objects", "without running code",
          workload__data={"name": "arrays", "path": "objects.npz"}),
    study("an archive without targets", "no 'targets' beside it",
          workload__data={"name": "arrays", "path": "lonely.npz"}),
    study("a column that is not there", "has no column 'prize'.*did you mean 'price'",
          workload__data={"name": "table_file", "path": "rows.csv", "target": "prize"}),
    study("gaps", "row 3 has no value in the column 'size'",
          workload__data={"name": "table_file", "path": "rows.csv", "target": "price"}),
    study("a split column", "says 'later' of a row",
          workload__data={"name": "table_file", "path": "rows.csv", "target": "price",
                          "split_column": "split"}),
    study("an empty table", "cannot be read|no column|no examples",
          workload__data={"name": "table_file", "path": "empty.csv", "target": "a"}),
]  # fmt: skip
DATA = {
    "data_raises": "raised OSError: the disk is gone",
    "data_none": r"is NoneType; expected \(inputs, targets\)",
    "data_one": r"is ndarray; expected \(inputs, targets\)",
    "data_lengths": r"inputs of shape \(30, 4\) and targets of shape \(29,\)",
    "data_words": "expected numbers",
    "data_nan": "inputs of example 8 are not all finite",
    "data_infinite": "not all finite numbers .30 examples",
    "data_label_nan": "label nan of example 2 is no class; say `targets: numbers`",
    "data_label_half": "label 0.5 of example 1 is no class",
    "data_label_below": "label -1 of example 1 is below 0; leave examples without a class out",
    "data_one_class": "only the class '0'",
    "data_empty": "holds no examples",
    "data_ragged": "rows differ in length",
    "data_parts": "a mapping of first; expected train",
    "data_test_class": "the class '2' stands in the test split only",
    "data_test_shape": r"an input has the shape \(2,\), elsewhere \(4,\)",
    "data_val_all": "the class '1' has 0 examples for training",
    "data_groups": "29 groups for 30 examples",
    "data_one_group": "1 groups, too few to divide",
    "data_flat": r"expected \(n, \.\.\.\)",
    "data_labels_2d": "expected one class each",
    "data_rare": "has 1 examples; training, validation and test need 3",
    "data_exit": "SystemExit",
    "data_needs": "missing 1 required positional argument: 'path'",
}
TRIALS = {
    "network": (State.FAILED, "no network today"),
    "no_network": (State.FAILED, "returned str, expected a torch.nn.Module"),
    "wrong_outputs": (State.FAILED, "out of bounds|3 classes|outputs"),
    "wrong_inputs": (State.FAILED, "mat1 and mat2 shapes cannot be multiplied"),
    "three": (State.FAILED, "missing 1 required positional argument: 'width'"),
    "t_raises": (State.FAILED, "wrong turn"),
    "t_silent": (State.FAILED, r"reported nothing; call report\("),
    "t_text": (State.FAILED, "as str; expected a number"),
    "t_list": (State.FAILED, "as list; expected a number"),
    "t_many": (State.FAILED, r"train for config\[\"epochs\"\] epochs"),
    "t_other": (State.FAILED, "name another one with `training.metric`"),
    "t_split": (State.FAILED, "is called train.NAME, validation.NAME or test.NAME"),
    "t_returns": (State.FAILED, "returned int; expected nothing, or a mapping"),
    "t_exits": (State.FAILED, "ended with SystemExit: enough"),
    "t_interrupts": (State.FAILED, "ended with KeyboardInterrupt"),
    "t_arguments": (State.FAILED, "takes 0 positional arguments but 2 were given"),
    "t_prints": (State.COMPLETE, ""),
    "t_forks": (State.COMPLETE, ""),
    "t_threads": (State.COMPLETE, ""),
    "t_nan": (State.DIVERGED, "validation.accuracy became nan in epoch 1"),
}
CASES = [
    *(pytest.param("study", bad, id=f"file: {bad.name}") for bad in HOSTILE),
    *(pytest.param("study", bad, id=f"study: {bad.name}") for bad in STUDIES),
    *(pytest.param("plan", bad, id=f"plan: {bad.name}") for bad in CODE),
    *(pytest.param("data", Bad(n, says), id=n) for n, says in DATA.items()),
    *(pytest.param("trial", Bad(n, says), id=n) for n, (_, says) in TRIALS.items()),
]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A folder with the modules and files that the cases name, which is where we are."""
    (tmp_path / "bad_module.py").write_text(MODULE)
    (tmp_path / "broken_module.py").write_text("def network(:\n")
    np.savez(tmp_path / "objects.npz", inputs=np.array([{}, []], dtype=object), targets=[0, 1])
    np.savez(tmp_path / "lonely.npz", inputs=np.zeros((9, 2)))
    rows = [f"{i},{i % 7 if i != 2 else ''},{i % 2},later\n" for i in range(30)]
    (tmp_path / "rows.csv").write_text("id,size,price,split\n" + "".join(rows))
    (tmp_path / "empty.csv").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in ("bad_module", "broken_module"):
        sys.modules.pop(name, None)


def test_there_are_enough_cases():
    assert len(CASES) >= 60


@pytest.mark.parametrize(("kind", "bad"), CASES)
def test_bad_input_is_answered_with_what_to_do(kind, bad, capfd):
    said = {"study": _of_a_study, "plan": _of_a_plan, "data": _of_data, "trial": _of_a_trial}[kind](
        bad
    )
    assert re.search(bad.says, said, re.DOTALL), said
    assert len(said) < 5000 or kind == "trial"
    assert len(capfd.readouterr().err) == 0 or kind == "trial"


def _file(bad):
    if bad.text is not None:
        Path("study.yaml").write_text(bad.text)
        return Path("study.yaml")
    data = yaml.safe_load(BASE)
    for path, value in bad.change.items():
        *parents, last = path.split(".")
        node = data
        for part in parents:
            node = node[part]
        node[last] = value
    Path("study.yaml").write_text(yaml.safe_dump(data, allow_unicode=True))
    return Path("study.yaml")


def _of_a_study(bad):
    with pytest.raises(InputError) as error:
        load_study(_file(bad))
    return str(error.value)


def _of_a_plan(bad):
    loaded = load_study(_file(bad))
    with pytest.raises((InputError, DataMissingError, CodeMissingError)) as error:
        _prepare_and_load(loaded)
    return str(error.value)


def _prepare_and_load(loaded):
    plan = prepare(loaded, Path.cwd())
    plan.confirmation_trials(plan.all_arms[0], [FIXED])
    load(loaded.arms[0].workload["data"], Path.cwd())


def _of_data(bad):
    config = TypeAdapter(DataSetting).validate_python({"name": f"bad_module:{bad.name}"})
    with pytest.raises(DataMissingError) as error:
        load(config.model_dump(mode="json"), Path.cwd())
    return str(error.value)


def _of_a_trial(bad):
    name = f"bad_module:{bad.name}"
    if bad.name.startswith("t_"):
        given = {"training": name, "epochs": 3}
    else:
        given = {"data": {"name": "digits", "limit": 60}, "model": name, "epochs": 1}
    workload = Workload.model_validate_json(json.dumps(given)).model_dump(mode="json")
    data = load(workload["data"], Path.cwd())
    trial = Trial(workload, 0, Phase.CONFIRMATION, "f", "c")
    process, threads = os.getpid(), threading.active_count()
    record = next(e for e in train([trial], data.for_phase(trial.phase)) if isinstance(e, Record))
    assert record.state is TRIALS[bad.name][0], record.reason
    assert os.getpid() == process
    if bad.name == "t_threads":
        assert record.environment["left"] == "thread left over"
    else:
        assert threading.active_count() <= threads + 1
    return record.reason


BUNDLED = bundled_studies()
_bundled = cache(lambda name: yaml.safe_load(BUNDLED[name].read_text()))
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(), st.text(max_size=12),
    st.sampled_from(["none", "mlp", "adam", "a:b", "..", LONG, "digits", "test.accuracy", "é/ü"]),
    st.lists(st.integers(-2, 9), max_size=3), st.dictionaries(st.text(max_size=6), st.integers()),
)  # fmt: skip


QUICKLY = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def _places(node, path=()):
    yield path
    items = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    for key, value in items:
        yield from _places(value, (*path, key))


def _mutate(draw, data):
    """Change, remove, rename or move one part of a study."""
    path = draw(st.sampled_from([p for p in _places(data) if p]))
    node = data
    for part in path[:-1]:
        node = node[part]
    action = draw(st.sampled_from(["set", "set", "remove", "swap", "add"]))
    if action == "set":
        node[path[-1]] = draw(VALUES)
    elif action == "remove":
        del node[path[-1]]
    elif action == "add" and isinstance(node, dict):
        node[draw(st.text(max_size=8))] = draw(VALUES)
    else:
        other = draw(st.sampled_from([p for p in _places(data) if p]))
        source = data
        for part in other:
            source = source[part]
        node[path[-1]] = copy.deepcopy(source)


@QUICKLY
@given(st.data())
def test_no_change_of_a_study_ends_in_a_traceback(data):
    changed = copy.deepcopy(_bundled(data.draw(st.sampled_from(sorted(BUNDLED)))))
    for _ in range(data.draw(st.integers(1, 3))):
        _mutate(data.draw, changed)
    _loads_or_explains(yaml.safe_dump(changed, allow_unicode=True).encode())


@QUICKLY
@given(st.data())
def test_no_text_ends_in_a_traceback(data):
    text = next(iter(bundled_studies().values())).read_bytes()
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 40))
        added = data.draw(
            st.one_of(
                st.binary(max_size=6),
                st.sampled_from(
                    [
                        b"&a ",
                        b"*a",
                        b"!!python/name:os ",
                        b"{",
                        b"[",
                        b"\t",
                        b": ",
                        b"? ",
                        b"<<: *a\n",
                    ]
                ),
            )
        )
        text = text[:at] + added + text[at + cut :]
    _loads_or_explains(text)


def _loads_or_explains(raw):
    Path("fuzzed.yaml").write_bytes(raw)
    try:
        load_study(Path("fuzzed.yaml"))
    except InputError as error:
        said = str(error)
    else:
        said = "fine"
    assert said
