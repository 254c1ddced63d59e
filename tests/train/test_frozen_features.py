"""What a frozen encoder says of the data is computed once; the trials end as they would without."""

import dataclasses

import pytest
import torch
from pydantic import TypeAdapter

from harness.models import Model
from harness.train import frozen_features
from harness.train.engine import Setting, train_in
from harness.trial import Phase, Record, State

FROZEN = {"transfer": {"freeze": "features"}}
CLOSE = 1e-4  # of a loss, after three epochs


@pytest.fixture
def encoder(tmp_path):
    """A small encoder on disk, drawn anew; it counts as pretrained."""
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=9, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=7,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(tmp_path)
    return {"name": "transformers", "source": str(tmp_path), "dropout": 0.0}


@pytest.fixture
def make(encoder, make_trial):
    """Make a trial of the encoder; settings of the model and others replace the usual ones."""

    def one(seed=0, phase=Phase.CONFIRMATION, probes=(), model=(), **more):
        settings = TypeAdapter(Model).validate_python({**encoder, **dict(model)}).model_dump()
        trial = make_trial(seed, loss="auto", optimizer={"lr": 5e-3}, phase=phase, probes=probes)
        workload = {**trial.workload, **FROZEN, **more, "model": settings}
        return dataclasses.replace(trial, workload=workload)

    return one


@pytest.fixture
def runs(monkeypatch):
    """Train, and count the batches that the encoder reads."""
    from harness.models.transformers.network import Encoder

    read, features = [], Encoder.features

    def counted(network, inputs):
        read.append(len(inputs))
        return features(network, inputs)

    monkeypatch.setattr(Encoder, "features", counted)
    monkeypatch.setattr(frozen_features, "_kept", type(frozen_features._kept)())

    def run(trials, data, *, shares=True):
        read.clear()
        events = train_in(Setting(largest_pack=1, shares_features=shares), trials, data)
        found = {event.trial_id: event for event in events if isinstance(event, Record)}
        records = [found[trial.id] for trial in trials]
        assert {one.state for one in records} == {State.COMPLETE}, records[0].reason
        return records, len(read)

    return run


@pytest.fixture(params=["texts", "positions"])
def data(request, sequences):
    """Texts with a class each, or with one at each position."""
    if request.param == "positions":
        return sequences
    form = dataclasses.replace(sequences.form, kind="class")
    parts = {
        name: dataclasses.replace(one, targets=one.targets[:, 1])
        for name in ("examples", "test")
        for one in [getattr(sequences, name)]
    }
    return dataclasses.replace(sequences, form=form, **parts)


def test_losses_are_those_of_trials_that_read_the_data_in_every_step(make, runs, data):
    trials = [make(seed) for seed in range(2)]
    once, batches = runs(trials, data)
    always, more = runs(trials, data, shares=False)
    for ours, theirs in zip(once, always, strict=True):
        for metric, value in theirs.metrics.items():
            if "loss" in metric:
                assert ours.metrics[metric] == pytest.approx(value, rel=CLOSE)
        assert ours.cost["parameters"] == theirs.cost["parameters"]
        assert ours.cost["trained_parameters"] == theirs.cost["trained_parameters"]
        assert ours.environment["data"] == "features of the frozen encoder, computed once"
        assert "data" not in theirs.environment
    reads = -(-len(data.examples) // frozen_features.BATCH)
    tests = -(-len(data.test) // frozen_features.BATCH)
    assert batches == reads + len(trials) * tests  # those of the test split are never kept
    assert more > 5 * batches


def test_seeds_candidates_and_arms_share_them_and_company_changes_nothing(make, runs, data):
    trials = [
        make(0), make(1), make(0, optimizer={**make(0).workload["optimizer"], "lr": 1e-2}),
        make(0, batch_size=16),
    ]  # fmt: skip
    together, _ = runs(trials, data)
    for trial, record in zip(trials, together, strict=True):
        frozen_features._kept.clear()
        (alone,), _ = runs([trial], data)
        assert alone.deterministic_part() == record.deterministic_part()
    frozen_features._kept.clear()
    search = [make(seed, phase=Phase.SEARCH) for seed in range(3)]
    _, batches = runs(search, dataclasses.replace(data, test=None))
    assert batches == -(-len(data.examples) // frozen_features.BATCH)


def test_other_data_and_other_weights_have_other_features(make, runs, data, tmp_path):
    first, batches = runs([make(0)], data)
    turned = dataclasses.replace(data.examples, inputs=data.examples.inputs[:, ::-1].copy())
    assert runs([make(0)], dataclasses.replace(data, examples=turned))[1] == batches
    (weights,) = tmp_path.glob("*.safetensors")
    from safetensors.torch import load_file, save_file

    changed = {name: 1.1 * value for name, value in load_file(weights).items()}
    save_file(changed, weights, metadata={"format": "pt"})
    from harness import pretrained

    for cached in vars(pretrained).values():
        if hasattr(cached, "cache_clear"):
            cached.cache_clear()
    second, again = runs([make(0)], data)
    assert again == batches
    assert second[0].metrics["test.loss"] != first[0].metrics["test.loss"]


@pytest.mark.parametrize(
    "other",
    [
        {"model": {"dropout": 0.1}},
        {"model": {"pretrained": False}},
        {"transfer": {"freeze": 1}},
        {"transfer": {"freeze": "features", "unfreeze_every": 1}},
        {"transfer": None},
        {"probes": [{"name": "embedding"}]},
    ],
    ids=str,
)
def test_what_is_drawn_trained_or_looked_into_reads_the_data_itself(make, data, other):
    from harness.train.engine import context_of

    trial = make(0, **other)
    program = context_of(trial, data, Setting()).program
    assert frozen_features.with_features(trial, program, data) is None
    plain = make(0)
    program = context_of(plain, data, Setting()).program
    assert frozen_features.with_features(plain, program, data) is not None


def test_what_is_large_is_not_kept(make, data, monkeypatch):
    from harness.train.engine import context_of

    monkeypatch.setattr(frozen_features, "LARGEST", 100)
    trial = make(0)
    program = context_of(trial, data, Setting()).program
    assert frozen_features.with_features(trial, program, data) is None
