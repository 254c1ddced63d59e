"""Trials that two workers of Ray Train train together: as one worker would, and as safely.

A network of ours, a language model with an adapter, and trainings of a user's own: by DDP and FSDP,
and by transformers' Trainer.
"""

import json
from pathlib import Path

import pytest
import yaml
from own_parallel import by_two
from sharing import lean

from harness.cluster import Pack
from harness.run.study_run import RunOptions, run_study
from harness.store import open_store
from harness.study import InputError, load_study
from harness.study.workload import Workload
from harness.trial import Phase, State, Trial
from harness.workloads import load

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"
STUDY = """\
study: group
question: Do two workers train as one?
workload:
  data: {name: digits, limit: 300}
  training: {name: "parallel:train", settings: {parallel: ddp, width: 15, lr: 0.01}}
  epochs: 2
stages:
  before: &language
    data: {name: characters, source: python, vocabulary: bytes, length: 16, limit: 80, test_limit: 20}
    training: null
    model: &network
      name: causal_lm
      config: {model_type: llama, hidden_size: 16, intermediate_size: 32, num_hidden_layers: 1, num_attention_heads: 2}
    batch_size: 16
    accumulate: 2
design: explicit
arms:
  crashing: &faulty
    training: null
    model: {name: "faulty_models:crashing", settings: {folder: FOLDER}}
    optimizer: adam
  dying: {training: {name: "own_parallel:dying", settings: {folder: FOLDER}}, data: none}
  raising: {<<: *faulty, model: {name: "faulty_models:raising", settings: {folder: FOLDER}}}
  plain: {<<: *faulty, model: {name: mlp, depth: 2, width: 16, activation: tanh}, epochs: 4}
  ddp: {}
  fsdp: {training.settings.parallel: fsdp}
  trainer:
    training: {name: "hf_trainer:train", settings: {warmup: 0, vocabulary: 200, dropout: 0.0}}
    data: {name: docstrings, length: 12, vocabulary: 200, limit: 160, test_limit: 40}
  adapter:
    <<: *language
    data: {name: characters, source: library, vocabulary: bytes, length: 16, limit: 80, test_limit: 20}
    model: {<<: *network, adapter: {name: lora, rank: 2, targets: all}}
    transfer: {from: before}
simple_baseline: none
seeds: 2
"""  # noqa: E501
FAULTY = ("crashing", "dying", "raising")
SOUND = ("plain", "ddp", "fsdp", "trainer", "adapter")


def plan(folder, *settings, without=()):
    document = yaml.safe_load(STUDY.replace("FOLDER", str(folder)))
    for arm in without:
        del document["arms"][arm]
    file = folder / "group.yaml"
    file.write_text(json.dumps(document))
    return load_study(file, None, settings)


def found(folder, loaded, **options):
    """Run a study; return its records by phase, arm and seed, and (arm, cause) of lost attempts."""
    run_study(loaded, RunOptions(folder / "results", folder / "reports", **options))
    store = open_store(folder / "results")
    (execution,) = store.executions()
    rows = list(store.assigned_records(execution.id))
    arms = {row.trial_id: row.arm for row in rows}
    lost = [(arms[trial_id], cause) for trial_id, _, cause in store.lost_attempts(arms)]
    return {(row.phase, row.arm, row.seed): row.record for row in rows}, lost


@pytest.fixture(scope="module")
def ways(tmp_path_factory):
    """Run the study by one worker, by two, and its adapter by two that hold shares of it."""
    with lean(), pytest.MonkeyPatch.context() as patch:
        for place in (HERE, EXAMPLES):
            patch.syspath_prepend(place)
        patch.setenv("PYTHONPATH", f"{HERE}:{EXAMPLES}")
        one, two, shares = (tmp_path_factory.mktemp(name) for name in ("one", "two", "shares"))
        both, share = "resources.workers=2", "resources.strategy=fsdp"
        others = FAULTY + SOUND[:-1]
        yield {
            "one": found(one, plan(one, without=FAULTY), in_process=True),
            "two": found(two, plan(two, both)),
            "shares": found(shares, plan(shares, both, share, without=others)),
        }


def pairs(ways, way, *arms):
    """Yield each record that two workers made in a way, and that of one worker."""
    (alone, _), (together, _) = ways["one"], ways[way]
    for key in [key for key in alone if key[1] in arms]:
        assert together[key].state is State.COMPLETE, together[key].reason
        assert len(together[key].curve) == len(alone[key].curve)
        yield together[key], alone[key]


@pytest.mark.slow
def test_two_workers_train_as_one(ways):
    near = {"rel": 1e-4, "abs": 1e-6}  # sums of parts are rounded otherwise than sums of wholes
    for record, expected in pairs(ways, "two", "plain"):
        assert record.trial_id == expected.trial_id
        for point, other in zip(record.curve, expected.curve, strict=True):
            assert point == pytest.approx(other, **near)
        assert record.metrics == pytest.approx(expected.metrics, **near)
        assert record.selected_epoch == expected.selected_epoch


@pytest.mark.slow
@pytest.mark.parametrize(("way", "sharded"), [("two", False), ("shares", True)])
def test_two_workers_tune_an_adapter_as_one(ways, way, sharded):
    seen = set()
    for record, expected in pairs(ways, way, "adapter", "before"):
        assert record.trial_id == expected.trial_id
        assert ("sharded" in record.environment["packing"]) == sharded
        assert record.metrics == pytest.approx(expected.metrics, rel=1e-3, abs=1e-5)
        trained = record.cost.get("trained_parameters")
        assert trained == expected.cost.get("trained_parameters")
        assert (trained is None) == (record.trial.phase is Phase.PRETRAINING)
        assert trained is None or trained < record.cost["parameters"] / 4
        seen.add(record.trial.phase)
    assert seen == {Phase.PRETRAINING, Phase.CONFIRMATION}


@pytest.mark.slow
@pytest.mark.parametrize("arm", ["ddp", "fsdp", "trainer"])
def test_two_workers_train_in_a_users_own_way_as_one(ways, arm):
    loss = "validation.loss" if arm == "trainer" else "test.loss"
    for record, expected in pairs(ways, "two", arm):
        assert record.trial_id != expected.trial_id  # nobody knows what a function makes of it
        for point, other in zip(record.curve, expected.curve, strict=True):
            # few examples: one more may be right
            assert arm == "trainer" or point == pytest.approx(other, rel=1e-3, abs=5e-3)
        assert record.metrics[loss] == pytest.approx(expected.metrics[loss], rel=5e-3)
        assert not record.environment.get("left")


@pytest.mark.slow
@pytest.mark.parametrize("arm", ["crashing", "dying"])
def test_a_worker_that_dies_takes_its_trial_down_once(ways, arm):
    """Be it in a training of a user's own: it is no fault of that."""
    together, lost = ways["two"]
    assert [cause.partition(":")[0] for one, cause in lost if one == arm] == ["worker crashed"]
    records = [record for (_, one, _), record in together.items() if one == arm]
    assert {record.state for record in records} == {State.COMPLETE}
    assert {record.attempt for record in records} == {1, 2}
    if arm == "dying":  # what the first one said
        assert {record.metrics["validation.accuracy"] for record in records} == {0.25}


@pytest.mark.slow
def test_an_exception_in_one_worker_is_the_trials_own(ways):
    together, lost = ways["two"]
    records = [record for (_, arm, _), record in together.items() if arm == "raising"]
    failed = [record for record in records if record.state is State.FAILED]
    assert len(failed) == 1
    assert "OSError: the file is not there yet" in failed[0].reason
    assert not [cause for arm, cause in lost if arm == "raising"]


@pytest.mark.slow
def test_what_fails_on_one_worker_fails_a_users_own_training(tmp_path):
    """Neither waits for ever, and the one that is left alone blames nobody."""
    data = load({"name": "none", "validation_fraction": 0.2}, tmp_path)
    packs = []
    for fault in ("silent", "ending", "raising"):
        training = {
            "name": f"own_parallel:{fault}",
            "settings": {},
            "metric": "validation.accuracy",
        }
        workload = Workload.model_validate({"training": training, "epochs": 2})
        trial = Trial(workload.model_dump(mode="json"), 0, Phase.SEARCH, data.fingerprint, "")
        packs.append(Pack((trial,)))
    silent, ending, raising = by_two(tmp_path, packs, data.for_phase(Phase.SEARCH))
    for reason in silent:
        assert "every worker has to call `report` after each epoch" in reason
    for reason in ending:
        assert "leave out destroy_process_group()" in reason
    assert raising[0] == "lost"
    assert "OSError: the second worker has no disk" in raising[1]


def test_a_users_own_training_by_two_workers_needs_ray(tmp_path):
    loaded = plan(tmp_path, "resources.workers=2", without=[*FAULTY, *SOUND[2:]])
    with pytest.raises(InputError, match="2 workers for a training of your own need Ray"):
        run_study(loaded, RunOptions(tmp_path / "r", tmp_path / "p", in_process=True))
