"""Resources, faults and checkpoints: what a study file may say of them."""

from pathlib import Path

import pytest

from harness.cli.running_view import running_lines
from harness.plan import make_plan
from harness.run.stages import training_inputs
from harness.run.workers import needs_of
from harness.study import InputError, load_study
from harness.study.running import interval, seconds, size_in_bytes
from harness.trial import Record, State

TEXT = """\
study: running
question: How is it run?
workload: {data: digits, model: {name: mlp, depth: 1, width: 8}, epochs: 2}
seeds: 5
"""


@pytest.fixture
def load(tmp_path):
    def read(text="", *overrides):
        file = tmp_path / "running.yaml"
        file.write_text(TEXT + text)
        return load_study(file, None, overrides)

    return read


def test_amounts_are_read_with_their_units():
    assert [seconds(text) for text in ("90 s", "1.5min", "2 h")] == [90, 90, 7200]
    assert size_in_bytes("1.5 GB") == 1_500_000_000
    assert interval("1 epoch") == (1, None)
    assert interval("5 epochs") == (5, None)
    assert interval("10 min") == (None, 600)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("resources: {memory: 2gb}", "5:21: resources.memory: '2gb' is not a size such as"),
        ("resources: {cpu: 2}", "did you mean 'cpus'"),
        ("resources: {gpus: 1.5}", "a fraction of one, or a whole number"),
        ("resources: {strategy: fsdp}", "`strategy: fsdp` shares a network out to `workers`"),
        ("resources: {strategy: fsdp, workers: 2, gpus: 0.5}", "needs whole GPUs, not 0.5"),
        ("resources: {strategy: fsdpp, workers: 2}", "did you mean 'fsdp'"),
        ("resources: {custom: {CPU: 1}}", "write cpus, gpus or memory"),
        ("resources: {labels: {zone: 'in('}}", "is not a label, !label, in(one, other)"),
        ("faults: {retry_on: [crsh]}", "did you mean 'crash'"),
        ("faults: {time_limit: 30 minuts}", "is not a time such as 90 s, 30 min or 2 h"),
        ("checkpoints: {every: 0 epochs}", "is not an interval such as 5 epochs or 10 min"),
        ("checkpoints: {folder: x}", "checkpoints.every: is missing"),
        ("checkpoints: {every: 1 h, folder: 's3://me:secret@bucket'}", "must not hold a password"),
    ],
)
def test_mistakes_are_told_with_what_was_expected(load, text, words):
    with pytest.raises(InputError) as error:
        load(text)
    assert words in str(error.value)
    assert "secret" not in str(error.value)


def test_a_study_asks_for_what_its_trials_need(load):
    text = "resources: {cpus: 2, gpus: 0.5, memory: 4 GB, custom: {tpu: 1}, labels: {zone: a}}\n"
    needs = needs_of(load(text + "faults: {time_limit: 2 min}").study, Path("results"))
    assert (needs.cpus, needs.gpus, needs.memory) == (2, 0.5, 4_000_000_000)
    assert (needs.custom, needs.labels) == ({"tpu": 1.0}, {"zone": "a"})
    assert (needs.workers, needs.time_limit) == (1, 120.0)
    default = needs_of(load().study, Path("results"))
    assert default.checkpoints is None
    assert (default.cpus, default.gpus, default.memory, default.time_limit) == (1, 0, None, None)


def test_how_a_study_is_run_is_no_part_of_what_it_declares(load):
    texts = ["", "resources: {workers: 2}", "faults: {retries: 9}", "checkpoints: {every: 1 h}"]
    studies = [load(text) for text in texts]
    plans = [make_plan(one.study, one.arms) for one in studies]
    assert len({plan.hash for plan in plans}) == 1
    ids = {plan.confirmation_trials(plan.arms[0], [_fixed()])[0].trial.id for plan in plans}
    assert len(ids) == 1


def test_a_training_of_your_own_on_more_workers_is_another_trial(tmp_path, monkeypatch):
    (tmp_path / "own_loop.py").write_text("def train(config, report): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    text = TEXT.replace("model: {name: mlp, depth: 1, width: 8}", 'training: "own_loop:train"')
    trials = []
    for needs in ("{workers: 1}", "{workers: 2}", "{cpus: 2}"):
        (tmp_path / "own.yaml").write_text(f"{text}resources: {needs}\n")
        loaded = load_study(tmp_path / "own.yaml")
        plan = make_plan(loaded.study, loaded.arms)
        trials.append(plan.confirmation_trials(plan.arms[0], [_fixed()])[0].trial)
    one, two, more = trials
    assert (one.workers, two.workers) == (1, 2)
    assert one.id == more.id != two.id
    with pytest.raises(InputError, match="was trained by 2 workers; this is one process"):
        training_inputs(Record(two, State.COMPLETE), None, None)


def _fixed():
    from harness.plan import FIXED

    return FIXED


def test_several_workers_refuse_what_they_would_change(load):
    batch = "workload.model={name: mlp, depth: 1, width: 8, norm: batch}"
    with pytest.raises(InputError, match=r"resources\.workers: arm baseline: batch normalization"):
        load("resources: {workers: 2}", batch)
    assert load("", batch)
    own = (
        "workload.training={name: 'own:train'}",
        "workload.model=none",
    )
    with pytest.raises(InputError, match=r"resources\.strategy: arm .*a training of your own"):
        load("resources: {workers: 2, strategy: fsdp}\nsimple_baseline: none", *own)
    with pytest.raises(InputError, match=r"probes\[0\]: step_time is measured on one worker"):
        load("resources: {workers: 2}\nprobes: [{name: step_time}]")


def test_the_plan_says_how_it_is_run(load):
    plain = running_lines(load().study)
    assert plain == [
        "a trial gets  1 CPU",
        "tried again   2 times after crash or memory, always after the loss of its node",
    ]
    text = "resources: {cpus: 2, gpus: 0.25, workers: 4, labels: {zone: a}}\n"
    text += "faults: {retries: 0, time_limit: 1 h}\ncheckpoints: {every: 5 epochs}"
    shown = "\n".join(running_lines(load(text).study))
    assert "4 workers, each with 2 CPUs, 0.25 GPU on a node with zone: a" in shown
    assert "they share each batch, no packs are formed" in shown
    whole = "resources: {workers: 4, strategy: fsdp}"
    shown_too = "\n".join(running_lines(load(whole).study))
    assert "they share each batch and the weights (FSDP), no packs are formed" in shown_too
    assert "never for faults of its own" in shown
    assert "it may take 1 h" in shown
    assert "every 5 epochs in a folder beside the results" in shown


def test_checkpoints_lie_beside_the_results_or_where_the_study_says(load, tmp_path):
    found = needs_of(load("checkpoints: {every: 10 min}").study, tmp_path).checkpoints
    assert (found.folder, found.epochs, found.seconds) == (str(tmp_path / "checkpoints"), None, 600)
    text = "checkpoints: {every: 5 epochs, folder: 's3://bucket/ablations'}"
    found = needs_of(load(text).study, tmp_path).checkpoints
    assert (found.folder, found.epochs, found.seconds) == ("s3://bucket/ablations", 5, None)
