"""Which parameters belong to which layer."""

import pytest
import torch
import torchvision
from torch import nn

from harness.data_spec import Form
from harness.layers import layer_groups
from harness.models.recurrent import Recurrent


def of(network):
    groups = layer_groups(network)
    names = [name for name, _ in network.named_parameters()]
    assert sorted(name for group in groups for name in group) == sorted(names)
    return groups


def test_a_norm_belongs_to_the_layer_before_it():
    network = nn.Sequential(
        nn.LayerNorm(4), nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2)
    )
    assert of(network) == [
        ["0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "2.bias"],
        ["4.weight", "4.bias"],
    ]


def test_the_output_is_a_group_of_its_own():
    settings = Recurrent(name="recurrent", width=4, embedding=3, bidirectional=True)
    groups = of(settings.build(Form((5,), 2, vocabulary=9)))
    assert [group[0].rpartition(".")[0] for group in groups] == [
        "embedding", "layers.0", "layers.1", "last",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "groups", "last"),
    [("resnet18", 10, "fc"), ("vgg11", 11, "classifier.6"), ("vit_b_16", 14, "heads.head")],
)
def test_blocks_of_well_known_networks_are_layers(name, groups, last):
    with torch.device("meta"):
        network = torchvision.models.get_model(name)
    found = of(network)
    assert len(found) == groups
    assert found[-1] == [f"{last}.weight", f"{last}.bias"]


def test_a_network_may_name_its_groups_itself():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.out, self.into = nn.Linear(3, 2), nn.Linear(4, 3)

        def layer_groups(self):
            return [["into.weight", "into.bias"], ["out.weight", "out.bias"]]

    assert of(Backwards())[-1] == ["out.weight", "out.bias"]
    network = Backwards()
    network.layer_groups = lambda: [["into.weight"]]
    with pytest.raises(ValueError, match="each parameter exactly once"):
        layer_groups(network)


def test_networks_without_matrices_or_parameters():
    assert of(nn.Flatten()) == []
    assert of(nn.Sequential(nn.LayerNorm(2))) == [["0.weight", "0.bias"]]
    loose = nn.Linear(2, 2)
    assert of(loose) == [["weight", "bias"]]
