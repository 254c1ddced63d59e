"""Networks for images, against the sizes that their papers and other implementations give."""

import pytest
import torch
import torchvision
from pydantic import ValidationError
from torch import nn

from harness.data_spec import Form
from harness.models import build, network_class
from harness.models.inception import Inception
from harness.models.inception.network import Module
from harness.models.lenet.network import TABLE, SparseConvolution

DIGITS, COLOUR, LARGE = Form((1, 28, 28), 10), Form((3, 32, 32), 10), Form((3, 224, 224), 1000)


def make(name, form, **settings):
    found = network_class(name)(name=name, **settings)
    return build(found.model_dump(), form, seed=0)


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_lenet_has_the_papers_parameters_before_its_last_layer():
    network = make("lenet", DIGITS)
    assert count(network) - count(network[-1]) == 60_000
    sizes = [count(layer) for layer in network]
    assert sizes == [0, 156, 12, 1516, 32, 48_120, 0, 10_164, 850]
    modern = make("lenet", DIGITS, connections="all", subsampling="max")
    assert count(modern) == 61_706


def test_a_channel_of_lenet_reads_the_channels_of_its_row():
    settings = network_class("lenet")(name="lenet", activation="identity")
    layer = SparseConvolution(settings)
    inputs = torch.randn(1, 6, 5, 5)
    for channel in range(6):
        less = inputs.clone()
        less[:, channel] = 0
        changed = (layer(less) - layer(inputs)).abs().flatten() > 1e-6
        assert changed.tolist() == [channel in row for row in TABLE]


def test_lenet_frames_small_images_and_refuses_large_ones():
    network = make("lenet", Form((1, 8, 8), 10))
    image = torch.randn(2, 1, 8, 8)
    framed = network[0](image)
    assert framed.shape == (2, 1, 32, 32)
    assert torch.equal(framed[..., 12:20, 12:20], image)
    assert framed.count_nonzero() == image.count_nonzero()
    with pytest.raises(ValueError, match="at most 32x32"):
        make("lenet", Form((1, 33, 8), 10))


@pytest.mark.parametrize(
    ("blocks", "other"),
    [([1, 1, 2, 2, 2], "vgg11"), ([2, 2, 3, 3, 3], "vgg16"), ([2, 2, 4, 4, 4], "vgg19")],
)
def test_vgg_has_the_layers_of_the_paper(blocks, other):
    channels = [64, 128, 256, 512, 512]
    ours = make("vgg", COLOUR, blocks=blocks, channels=channels, dense=[], norm="none")
    theirs = getattr(torchvision.models, other)(weights=None).features
    assert count(ours) - count(ours[-1]) == count(theirs)
    with torch.device("meta"):
        dense = nn.Sequential(nn.Linear(512 * 49, 4096), nn.Linear(4096, 4096))
    known = {"vgg11": 132_863_336, "vgg16": 138_357_544, "vgg19": 143_667_240}[other]
    assert count(theirs) + count(dense) + 4097 * 1000 == known


def test_vgg_halves_images_once_a_stage():
    with pytest.raises(ValueError, match="4 stages are too many for images of 8x8"):
        make("vgg", Form((1, 8, 8), 10), blocks=[1] * 4, channels=[8] * 4)
    network = make("vgg", Form((1, 9, 12), 3), blocks=[1, 2], channels=[4, 8], dense=[5, 6])
    assert network(torch.randn(2, 1, 9, 12)).shape == (2, 3)


def test_alexnet_has_the_convolutions_of_the_paper_after_the_first():
    ours = make("alexnet", COLOUR, channels=[64, 192, 384, 256, 256])
    convolutions = [layer for layer in ours.modules() if isinstance(layer, nn.Conv2d)]
    theirs = torchvision.models.alexnet(weights=None).features
    others = [layer for layer in theirs if isinstance(layer, nn.Conv2d)]
    assert [count(layer) for layer in convolutions[1:]] == [count(layer) for layer in others[1:]]
    assert ours(torch.randn(2, 3, 32, 32)).shape == (2, 10)


def test_response_normalization_is_the_papers():
    network = make("alexnet", COLOUR)
    norm = next(layer for layer in network if isinstance(layer, nn.LocalResponseNorm))
    inputs = torch.rand(1, 7, 1, 1)
    channel = 3  # divided by (2 + 1e-4 times the sum of squares of channels 1 to 5) ^ 0.75
    expected = inputs[0, channel] / (2 + 1e-4 * inputs[0, 1:6].square().sum()) ** 0.75
    torch.testing.assert_close(norm(inputs)[0, channel], expected)


def test_an_inception_module_has_the_parameters_of_the_papers_first():
    settings = Inception(name="inception", norm="none")
    assert count(Module(192, 256, settings)) == 163_696
    assert Module(192, 256, settings)(torch.randn(2, 192, 5, 5)).shape == (2, 256, 5, 5)


@pytest.mark.parametrize(
    ("other", "width", "depth"), [("b0", 1.0, 1.0), ("b1", 1.0, 1.1), ("b2", 1.1, 1.2)]
)
def test_efficientnet_is_as_large_as_others_build_it(other, width, depth):
    form = Form((3, 224, 224), 10)
    scale = {"width": width, "depth": depth}
    ours = make("efficientnet", form, stages=7, head=1280, images="large", **scale)
    theirs = getattr(torchvision.models, f"efficientnet_{other}")(weights=None, num_classes=10)
    assert count(ours) == count(theirs)
    expected = [layer.weight.shape for layer in theirs.modules() if isinstance(layer, nn.Conv2d)]
    shapes = [layer.weight.shape for layer in ours.modules() if isinstance(layer, nn.Conv2d)]
    assert shapes == expected


def test_efficientnet_answers_as_another_implementation_with_the_same_weights():
    form = Form((3, 64, 64), 10)
    ours = make("efficientnet", form, stages=7, head=1280, images="large").eval()
    theirs = torchvision.models.efficientnet_b0(weights=None, num_classes=10).eval()
    with torch.no_grad():
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            other.copy_(one)
        image = torch.randn(2, 3, 64, 64)
        torch.testing.assert_close(ours(image), theirs(image), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["alexnet", "vgg", "inception", "efficientnet", "lenet"])
def test_rows_of_a_table_are_no_images(name):
    with pytest.raises(ValueError, match="reads images"):
        make(name, Form((13,), 3))


@pytest.mark.parametrize("name", ["vgg", "inception"])
def test_stages_and_channels_agree(name):
    with pytest.raises(ValidationError, match="has 1 stages and `channels` 2"):
        network_class(name)(name=name, blocks=[1], channels=[16, 32])


def test_a_bag_of_embeddings_knows_no_order_and_no_padding():
    network = make("bag_of_embeddings", Form((4,), 3, vocabulary=9))
    one = network(torch.tensor([[5, 2, 7, 0]]))
    assert torch.equal(one, network(torch.tensor([[5, 2, 7, 0]])))
    torch.testing.assert_close(one, network(torch.tensor([[7, 5, 2, 0]])))
    short = network(torch.tensor([[5, 2, 7]]))
    torch.testing.assert_close(one, short)
    mean = network[0].weight[[5, 2, 7]].mean(dim=0)
    torch.testing.assert_close(one[0], network[1](mean))
