"""From a model's configuration to a network with its initial weights."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from harness.form import Form
from harness.models.cnn import cnn
from harness.models.dropout import seed_dropout
from harness.models.layers import HiddenLayer, scale_weights
from harness.models.mlp import mlp
from harness.models.pretrained import encoder
from harness.models.recurrent import Recurrent
from harness.models.resnet import resnet
from harness.models.transformer import Transformer
from harness.models.vision import vision
from harness.own.imports import own_function

UNDECLARED = "the network does not declare itself packable"


def build(config: Mapping[str, Any], form: Form, seed: int) -> nn.Module:
    """Build a network.

    Args:
        config: `name` and settings, as the study's model configuration.
        form: of the inputs, and of what the network has to say about them.
        seed: of the stream that draws the initial weights. PyTorch's global generator is left as
            it was.

    Raises:
        TypeError: if a user's own function returns something that is not a network.
        ValueError: if the network cannot read such inputs.
        WeightsMissingError: if pretrained weights are not to be had.
    """
    settings = {key: value for key, value in config.items() if key != "name"}
    # the CPU's generator alone: weights are drawn there, and torch.manual_seed, which seeds every
    # device, takes longer than building a small network
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        if ":" in config["name"]:
            network = _custom(config["name"], form, settings["settings"])
        elif config["name"] in _READERS:
            network = _READERS[config["name"]](form, settings)
        else:
            network = _of_numbers(config["name"], form, settings)
    seed_dropout(network, seed)
    return network


def _of_numbers(name: str, form: Form, settings: dict[str, Any]) -> nn.Module:
    """Build a network that takes its inputs for quantities and reads all of them at once."""
    if form.vocabulary is not None:
        raise ValueError(
            f"the data are token ids, which {name} would take for quantities; choose a model that "
            "embeds them, such as recurrent or transformer"
        )
    if form.kind == "sequence":
        raise ValueError(
            f"the data ask for a class at each position, and {name} has one output for each input; "
            "choose recurrent or transformer"
        )
    factor = settings.pop("initialization_scale", 1.0)
    network: nn.Module = _WHOLE[name](form.shape, form.outputs, **settings)
    if factor != 1:
        scale_weights(network, factor)
    return network


_READERS: Mapping[str, Callable[[Form, Mapping[str, Any]], nn.Module]] = {
    "recurrent": Recurrent,
    "transformer": Transformer,
    "transformers": encoder,
}
_WHOLE: Mapping[str, Callable[..., nn.Module]] = {
    "mlp": mlp,
    "cnn": cnn,
    "resnet": resnet,
    "torchvision": vision,
}


def _custom(name: str, form: Form, settings: Mapping[str, Any]) -> nn.Module:
    function = own_function(name)
    extra = {"vocabulary": form.vocabulary} if _takes_vocabulary(function) else {}
    network = function(form.shape, form.outputs, **extra, **settings)
    if not isinstance(network, nn.Module):
        raise TypeError(f"{name} returned {type(network).__name__}, expected a torch.nn.Module")
    return network


def _takes_vocabulary(function: Callable[..., Any]) -> bool:
    try:
        return "vocabulary" in inspect.signature(function).parameters
    except ValueError:  # a built-in function without a signature
        return False


def hidden_units(network: nn.Module) -> list[HiddenLayer]:
    """Return the hidden layers whose units probes can look at, in order."""
    return [module for module in network.modules() if isinstance(module, HiddenLayer)]


def weight_layers(network: nn.Module) -> list[nn.Parameter]:
    """Return the weight matrices and kernels (parameters of two or more axes), in order."""
    return [parameter for parameter in network.parameters() if parameter.ndim >= 2]


def unpackable_reason(config: Mapping[str, Any], network: nn.Module) -> str | None:
    """Say why networks of this kind are not trained as one program, or None where they can be.

    A user's own network says that it can with an attribute `packable = True`: it promises that its
    forward pass is a function of parameters, buffers and inputs alone, without randomness and
    without control flow that looks at values.
    """
    name = config["name"]
    if ":" in name:
        declared = bool(getattr(network, "packable", False))
        return None if declared else UNDECLARED
    on_gpu = next(network.parameters()).is_cuda
    if name == "recurrent" and (on_gpu or not network.written_out):
        return "PyTorch's recurrent kernels take one network at a time, and are quicker than a pack"
    if name in ("torchvision", "transformers"):
        return "networks made elsewhere may do anything in Python"
    if name in ("cnn", "resnet") and not on_gpu:
        return "on a CPU a pack of convolutions is slower than each alone"
    if name == "transformer" and not on_gpu:
        return "on a CPU a pack of attention layers is no quicker than each alone"
    if name == "transformer" and config["attention"] == "fused":
        return "packs of fused attention have not been measured; `attention: plain` can be packed"
    return None


def packable(config: Mapping[str, Any], network: nn.Module) -> bool:
    """Whether networks of this kind can be trained as one program (see `unpackable_reason`)."""
    return unpackable_reason(config, network) is None
