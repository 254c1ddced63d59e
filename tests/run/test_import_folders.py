"""Claims are judged over what W&B, lm-evaluation-harness and Inspect wrote themselves."""

import json
import os
import random
from pathlib import Path

import pytest
import wandb
from other_tools import run_with

from harness import api
from harness.cli.app import run
from harness.run.evaluations import read_lm_eval
from harness.study import InputError

pytestmark = pytest.mark.usefixtures("unreported")

SEEDS = [3, 7, 11, 19, 23, 42]


def study(seed, metrics, path, levels, **training):
    return {
        "study": "foreign",
        "question": "Is one better?",
        "workload": {
            "training": {"name": "logged", "seed": seed, "metrics": metrics, **training},
        },
        "factors": {"kind": {"path": f"training.params.{path}", "levels": levels}},
        "seeds": 6,
        "claims": [
            {"id": "one-wins", "says": "one is better", "metric": next(iter(metrics)),
             "contrast": {"kind": levels}, "greater_by": 0.02},
        ],
    }  # fmt: skip


def luck(*names):
    return random.Random(str(names)).uniform(-0.01, 0.01)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "own"))
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB__SAVE_REQUIREMENTS", "false")  # a list of all packages in each run
    (tmp_path / "logs").mkdir()
    return tmp_path


# --- Weights & Biases -----------------------------------------------------------------------------
WANDB = study("seed", {"test.accuracy": "test_acc", "validation.loss": "val.loss"},
              "net.activation", ["relu", "tanh"])  # fmt: skip
EFFECT = sum(0.1 + luck("relu", seed) - luck("tanh", seed) for seed in SEEDS) / 6


def logged(activation, seed, *, name="", wide=0, code=0, settings=None):
    config = {"net": {"activation": activation}, "seed": seed, "lr": 1e-3} | (settings or {})
    one = wandb.init(project="nets", mode="offline", dir=Path("logs").resolve(), config=config,
                     name=name or f"{activation}-{seed}")  # fmt: skip
    score = {"relu": 0.9, "tanh": 0.8}[activation] + luck(activation, seed)
    for epoch in range(3):
        more = {f"layer{place}": epoch + place / 7 for place in range(wide)}
        one.log({"val": {"loss": 1 - score + 1 / (epoch + 1)}, "good": True, **more})
    one.log({"test_acc": 0.1})
    one.summary["test_acc"] = score  # what the run stands for, whatever its last step was
    one.finish(exit_code=code)
    return one.id


def all_logged(wide=0):
    """Log a run of each activation and seed, of which one logs so many numbers more."""
    for activation in ("relu", "tanh"):
        for seed in SEEDS:
            logged(activation, seed, wide=wide if (activation, seed) == ("tanh", 7) else 0)


def test_offline_runs_of_wandb_are_judged(place, capsys):
    all_logged(wide=2000)  # records longer than a block of the file
    logged("relu", 3, name="killed", code=1)
    done = api.import_runs(WANDB, "logs")
    assert done["one-wins"].verdict == "supported"
    assert done["one-wins"].effect == pytest.approx(EFFECT)
    assert list(done.curves.query("arm == 'relu' and seed == 0")["epoch"]) == [1, 2, 3]
    notes = done.integrity["imported"]
    assert "imported from the runs of Weights & Biases in “logs”" in notes[0]
    assert any("1 run of the experiment is not finished and left out: 'killed'" in n for n in notes)
    assert run(["new", "drafted", "--from", "logs", "--metric", "test_acc"]) == 0
    assert run(["import", "studies/drafted.yaml", "logs"]) == 0
    assert "12 reused" in capsys.readouterr().out


def test_what_wandb_logged_as_not_a_number_diverged(place):
    all_logged()
    logged("relu", 50)
    one = wandb.init(project="nets", mode="offline", dir=Path("logs").resolve(),
                     config={"net": {"activation": "tanh"}, "seed": 50, "lr": 1e-3})  # fmt: skip
    one.log({"val": {"loss": float("nan")}, "test_acc": 0.1})
    one.finish()
    done = api.import_runs({**WANDB, "seeds": 7}, "logs")
    assert done.counts["diverged"] == 1
    assert done["one-wins"].verdict == "incomplete"


def test_files_of_wandb_that_are_none_or_cut_off_are_told(place):
    with pytest.raises(InputError, match=r"no event files.*, nor runs of Weights & Biases, nor"):
        api.import_runs(WANDB, "logs")
    logged("relu", 3)
    wandb.teardown()  # which waits until its service has written the file
    (file,) = (place / "logs").rglob("offline-*/*.wandb")
    whole = file.read_bytes()
    for size in (0, 3, 7, len(whole) // 2):  # as of a run that was killed: it has no end
        file.write_bytes(whole[:size])
        with pytest.raises(InputError, match="no finished run"):
            api.import_runs(WANDB, "logs")
    (place / "logs" / "results_1.json").write_text("{}")
    with pytest.raises(InputError, match="name a folder with files of one kind"):
        api.import_runs(WANDB, "logs")
    (place / "logs" / "results_1.json").unlink()
    for wrong in (b"something else", whole[:7] + b"\x01" * 40):
        file.write_bytes(wrong)
        with pytest.raises(InputError, match="is no file of Weights & Biases"):
            api.import_runs(WANDB, "logs")


# --- lm-evaluation-harness ------------------------------------------------------------------------
TASK = """
task: pairs
dataset_path: json
dataset_kwargs: {data_files: pairs.jsonl}
test_split: train
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_target: "{{answer}}"
doc_to_choice: [x, y]
metric_list: [{metric: acc}]
"""
EVALUATE = """
import sys
from functools import partialmethod
from lm_eval.__main__ import cli_evaluate
from lm_eval.tasks import TaskManager
# ten thousand files of its own tasks are left unread
TaskManager.__init__ = partialmethod(TaskManager.__init__, include_defaults=False)
seeds = sys.argv[1:]
for shots in ("0", "1"):
    for seed in seeds:
        sys.argv = ["lm_eval", "--model", "dummy", "--tasks", "pairs", "--include_path", ".",
                    "--num_fewshot", shots, "--seed", seed, "--output_path", f"out/seed={seed}",
                    "--log_samples"]
        cli_evaluate()
"""


@pytest.mark.slow
def test_results_of_lm_evaluation_harness_are_read(place):
    (place / "pairs.yaml").write_text(TASK)
    rows = [{"question": f"{number}?", "answer": number % 2} for number in range(16)]
    (place / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (place / "evaluate.py").write_text(EVALUATE)
    env = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(place / "hub")}
    run_with("lm-eval", "evaluate.py", "3", cwd=place, env=env)
    runs, notes = read_lm_eval(place / "out")
    assert sorted(one.settings["num_fewshot.pairs"] for one in runs) == [0, 1]
    for one in runs:
        written = json.loads((place / "out" / one.folder).read_text())
        assert str(one.settings["seed"]) == str(written["config"]["torch_seed"])
        assert one.settings["num_fewshot.pairs"] == written["n-shot"]["pairs"]
        assert one.final["pairs/acc"] == written["results"]["pairs"]["acc,none"]
    assert "how these were trained and chosen is not known" in notes[0]
    (place / "out" / "results_2030.json").write_text("[]")
    with pytest.raises(ValueError, match=r"results_2030.json' is no object of JSON"):
        read_lm_eval(place / "out")


# --- Inspect --------------------------------------------------------------------------------------
SUMS = """
import random, sys
from inspect_ai import Task, eval, task
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import match
from inspect_ai.solver import generate

@task
def sums(style):
    samples = [Sample(input=f"{i}+{i}?", target=str(2 * i), id=i) for i in range(1, 11)]
    return Task(dataset=samples, solver=[generate()], scorer=match())

def answers(style, seed):
    wrong = random.Random(seed).sample(range(1, 11), 6 if style == "plain" else 2)
    def answer(messages, *_):
        number = int(messages[-1].text.split("+")[0])
        if number in wrong and seed == -1:
            raise ValueError("as a server that is down")
        out = ModelOutput.from_content("mockllm/model", str(0 if number in wrong else 2 * number))
        out.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return out
    return answer

for style in ("steps", "plain"):
    for seed in [*map(int, sys.argv[1:]), -1]:
        model = get_model("mockllm/model", custom_outputs=answers(style, seed))
        eval(sums(style=style), model=model, log_dir="logs", seed=seed, display="none")
"""


@pytest.mark.slow
def test_logs_of_inspect_are_judged(place):
    (place / "sums.py").write_text(SUMS)
    run_with("inspect-ai", "sums.py", *map(str, SEEDS), cwd=place, env=os.environ)
    mine = study("config.seed", {"test.accuracy": "match/accuracy"}, "task_args.style",
                 ["steps", "plain"], params={"task": "sums"})  # fmt: skip
    done = api.import_runs(mine, "logs")
    assert done["one-wins"].effect == pytest.approx(0.4)
    assert done.counts["complete"] == 12
    notes = done.integrity["imported"]
    assert "imported from the logs of Inspect in “logs”" in notes[0]
    assert any("2 runs of the experiment are not finished and left out" in note for note in notes)
    (place / "logs" / "other.eval").write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"other.eval' is no log of Inspect"):
        api.import_runs(mine, "logs")
