"""Networks that a study can name."""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from harness.components.base import Component, named
from harness.components.simple_models import (
    LogisticRegression,
    NGram,
    Ridge,
    SeasonalNaive,
)
from harness.components.training import NoModel
from harness.errors import nearest
from harness.plugins import registered

Activation = Literal[
    "relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "softmax", "identity"
]
Initialization = Literal["auto", "he", "xavier", "torch"]
Width = Annotated[int, Field(ge=1, le=100_000)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Scale = Annotated[
    float, Field(gt=0, description="factor of all initial weight matrices and kernels")
]
ImageNorm = Literal["none", "batch", "layer", "group"]
_MLP_PRESETS: dict[str, dict[str, Any]] = {
    "handbook": {"widths": [512, 256], "dropout": [0.2, 0.0]},
}


class MLP(Component):
    """A fully connected network: `depth` hidden layers of `width` units, then a linear layer.

    `widths` names the hidden layers one by one instead. `preset: handbook` is the handbook's digit
    classifier (section 6.2): `{name: mlp, widths: [512, 256], dropout: [0.2, 0.0]}`.
    """

    name: Literal["mlp"]
    preset: Literal["handbook"] | None = Field(
        None, exclude=True, description="settings under a name; what stands beside it goes first"
    )
    depth: int | None = Field(
        2, ge=0, le=200, description="number of hidden layers; 0 is a linear model"
    )
    width: int | None = Field(64, ge=1, le=100_000, description="units in each hidden layer")
    widths: list[Width] | None = Field(
        None, min_length=1, max_length=200, description="instead of depth and width"
    )
    activation: Activation = Field("relu", description="between the layers")
    norm: Literal["none", "batch", "layer"] = Field("none", description="before each activation")
    dropout: Rate | list[Rate] = Field(
        0.0, description="share of units dropped after each hidden activation, or one per layer"
    )
    residual: bool = Field(False, description="add each layer's inputs where widths are equal")
    initialization: Initialization = Field(
        "auto", description="auto: He for rectifiers, Xavier for the others"
    )
    initialization_scale: Scale = 1.0

    @model_validator(mode="before")
    @classmethod
    def _widths_stand_alone(cls, value: Any) -> Any:
        """Write a preset out, and leave depth and width empty where widths are given."""
        if isinstance(value, dict):
            value = {**_MLP_PRESETS.get(str(value.get("preset")), {}), **value}
            if value.get("widths") is not None:
                return {"depth": None, "width": None, **value}
        return value

    @model_validator(mode="after")
    def _sizes(self) -> Self:
        plain = self.depth is not None and self.width is not None
        if self.widths is not None and (self.depth is not None or self.width is not None):
            raise ValueError("give either `widths` or `depth` and `width`")
        if self.widths is None and not plain:
            raise ValueError("needs `depth` and `width`, or `widths`")
        layers = len(self.widths) if self.widths is not None else self.depth
        if isinstance(self.dropout, list) and len(self.dropout) != layers:
            raise ValueError(f"`dropout` has {len(self.dropout)} rates for {layers} hidden layers")
        return self


class CNN(Component):
    """A convolutional network: blocks of convolution, norm, activation, pooling; a dense layer.

    The default is the handbook's (section 7.4): 32, 64 and 128 channels, batch normalization,
    a dense layer of 256 units with half of them dropped.
    """

    name: Literal["cnn"]
    channels: list[Width] = Field([32, 64, 128], min_length=1, max_length=50)
    kernel: int = Field(3, ge=1, le=15, description="side of every kernel, an odd number")
    pooling: Literal["max", "average", "none"] = Field("max", description="2x2, after each block")
    norm: ImageNorm = Field("batch", description="after each convolution")
    groups: int = Field(8, ge=1, description="of the group norm; must divide every channel count")
    dense: int = Field(256, ge=0, le=100_000, description="units of the dense layer; 0: none")
    dropout_conv: Rate = Field(0.0, description="share of units dropped after each block")
    dropout: Rate = Field(0.5, description="share of units dropped after the dense layer")
    activation: Activation = "relu"
    initialization: Initialization = Field(
        "auto", description="auto: He for rectifiers, Xavier for the others"
    )
    initialization_scale: Scale = 1.0

    @field_validator("kernel")
    @classmethod
    def _odd(cls, kernel: int) -> int:
        if kernel % 2 == 0:
            raise ValueError("an even kernel has no middle; choose an odd number")
        return kernel

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _check_image_layers(self.norm, self.groups, self.channels, self.activation)
        return self


class ResNet(Component):
    """A residual network for small images, or with `shortcuts: false` its plain twin.

    Stages of blocks of two 3x3 convolutions after a first one, as in He et al. (2016, section 4.2);
    `blocks: [3, 3, 3]` is their ResNet-20. Shortcuts have no parameters, so both twins have the
    same.
    """

    name: Literal["resnet"]
    blocks: list[Annotated[int, Field(ge=1, le=200)]] = Field(
        [1, 1, 1], min_length=1, max_length=8, description="number of blocks in each stage"
    )
    channels: list[Width] = Field([16, 32, 64], description="of each stage")
    shortcuts: bool = Field(True, description="add each block's inputs to its outputs")
    norm: ImageNorm = Field("batch", description="after each convolution")
    groups: int = Field(8, ge=1, description="of the group norm; must divide every channel count")
    activation: Activation = "relu"
    initialization: Initialization = Field(
        "auto", description="auto: He for rectifiers, Xavier for the others"
    )
    initialization_scale: Scale = 1.0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.blocks) != len(self.channels):
            raise ValueError(
                f"`blocks` has {len(self.blocks)} stages and `channels` {len(self.channels)}"
            )
        if any(after < before for before, after in pairwise(self.channels)):
            raise ValueError("`channels` must not fall: shortcuts fill new channels with zeros")
        _check_image_layers(self.norm, self.groups, self.channels, self.activation)
        return self


def _check_image_layers(norm: str, groups: int, channels: list[int], activation: str) -> None:
    if norm == "group" and any(count % groups for count in channels):
        raise ValueError(f"`groups` ({groups}) does not divide every channel count")
    if activation == "softmax":
        raise ValueError("softmax has no meaning between convolutions")


class Recurrent(Component):
    """A recurrent network that reads a sequence: its class, or one at each position, or numbers.

    Token ids are embedded first. An image is read row by row. The default is the handbook's text
    classifier (section 8.4): two layers of LSTM and the last state.
    """

    name: Literal["recurrent"]
    cell: Literal["rnn", "lstm", "gru"] = "lstm"
    layers: int = Field(2, ge=1, le=20)
    width: int = Field(128, ge=1, le=100_000, description="units of a layer, in each direction")
    embedding: int = Field(100, ge=1, le=10_000, description="numbers for each token")
    bidirectional: bool = Field(False, description="read the sequence backwards as well")
    pooling: Literal["last", "mean"] = Field("last", description="from the states to one vector")
    dropout: Rate = Field(0.0, description="share dropped between layers and before the output")
    initialization: Literal["torch", "orthogonal"] = Field(
        "torch", description="of the layers; orthogonal: recurrent matrices, the others Xavier's"
    )
    forget_bias: float | None = Field(
        None, description="first bias of an LSTM's forget gates; 1.0 keeps its memory at first"
    )


class Transformer(Component):
    """A Transformer that reads a sequence: its class, or one at each position, or numbers.

    Token ids are embedded, numbers projected; an image is read row by row or in square patches.
    """

    name: Literal["transformer"]
    layers: int = Field(2, ge=1, le=100)
    width: int = Field(64, ge=1, le=100_000, description="numbers for each step")
    heads: int = Field(4, ge=1, description="of the attention; must divide the width")
    feedforward: int | None = Field(
        None, ge=1, le=1_000_000, description="units between; null: four times the width"
    )
    activation: Activation = Field("relu", description="of the feed-forward part")
    positions: Literal["sinusoidal", "learned", "none"] = Field(
        "sinusoidal", description="how a step knows where it stands"
    )
    causal: Literal["auto"] | bool = Field(
        "auto", description="no step sees later ones; auto: for a class at each position"
    )
    pooling: Literal["mean", "first", "last"] = Field(
        "mean", description="from the states to one vector"
    )
    norm: Literal["pre", "post", "none"] = Field("pre", description="before or after each part")
    residual: bool = Field(True, description="add each part's inputs to its outputs")
    scaling: bool = Field(True, description="divide scores by the square root of a head's width")
    attention: Literal["fused", "plain"] = Field(
        "fused", description="plain: keep the (steps, steps) weights in memory"
    )
    dropout: Rate = Field(0.0, description="share dropped after embedding, attention, feed-forward")
    patch: int | None = Field(None, ge=1, description="side of an image's squares; null: rows")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"`heads` ({self.heads}) does not divide `width` ({self.width})")
        if self.causal is True and self.pooling == "first":
            raise ValueError("with `causal: true` the first state sees one step; pool mean or last")
        return self


class Torchvision(Component):
    """Any classifier of torchvision by name, drawn anew or pretrained, with a new last layer.

    Grey images are repeated to three channels.
    """

    name: Literal["torchvision"]
    architecture: str = Field(description="such as resnet18")
    weights: str | None = Field(
        None, description="pretrained, such as DEFAULT or IMAGENET1K_V1; null: drawn anew"
    )
    settings: dict[str, Any] = Field(
        default_factory=dict, description="passed to torchvision's function"
    )

    @field_validator("architecture")
    @classmethod
    def _exists(cls, architecture: str) -> str:
        known = torchvision_architectures()
        if known and architecture not in known:
            raise ValueError(
                f"torchvision has no classifier '{architecture}'{nearest(architecture, known)}"
            )
        return architecture


@cache
def torchvision_architectures() -> frozenset[str]:
    """Return the names of torchvision's classifiers, read from its source.

    Importing it takes seconds, and a study file is checked in an editor's time. Empty where it is
    not installed.
    """
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return frozenset()
    registered = re.compile(r"^@register_model\((?:name=\"(\w+)\")?\)\n(?:@.*\n)*def (\w+)", re.M)
    files = (Path(spec.origin).parent / "models").glob("*.py")
    found = [registered.findall(file.read_text(encoding="utf-8")) for file in files]
    return frozenset(name or function for pairs in found for name, function in pairs)


class TransformersEncoder(Component):
    """An encoder of the library transformers, pretrained or drawn anew, with a linear layer on top.

    The data must be token ids of its own vocabulary. Only weights in the safetensors format are
    read, and no code that comes with them is run.
    """

    name: Literal["transformers"]
    source: str = Field(
        min_length=1,
        description="a folder, `package:name/folder` in a Python package, or a hub name",
    )
    pretrained: bool = Field(True, description="false: the same architecture, drawn anew")
    pooling: Literal["mean", "first"] = Field("mean", description="from the states to one vector")
    dropout: Rate = Field(0.1, description="share dropped inside and before the last layer")


class CustomModel(Component):
    """Your own function, `package.module:function`, which returns a torch.nn.Module.

    It is called as function(input_shape, outputs, **settings), and is given `vocabulary`, the
    number of token ids, if it takes it.
    """

    name: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
    settings: dict[str, Any] = Field(default_factory=dict, description="passed to the function")


def _model_kind(value: Any) -> str:
    name = value.get("name", "") if isinstance(value, dict) else getattr(value, "name", "")
    return "custom" if ":" in str(name) else str(name)


MODELS: dict[str, type[Component]] = {
    "mlp": MLP,
    "cnn": CNN,
    "resnet": ResNet,
    "recurrent": Recurrent,
    "transformer": Transformer,
    "torchvision": Torchvision,
    "transformers": TransformersEncoder,
    "logistic_regression": LogisticRegression,
    "ridge": Ridge,
    "seasonal_naive": SeasonalNaive,
    "ngram": NGram,
}

Model = Annotated[
    Annotated[MLP, Tag("mlp")]
    | Annotated[CNN, Tag("cnn")]
    | Annotated[ResNet, Tag("resnet")]
    | Annotated[Recurrent, Tag("recurrent")]
    | Annotated[Transformer, Tag("transformer")]
    | Annotated[Torchvision, Tag("torchvision")]
    | Annotated[TransformersEncoder, Tag("transformers")]
    | Annotated[LogisticRegression, Tag("logistic_regression")]
    | Annotated[Ridge, Tag("ridge")]
    | Annotated[SeasonalNaive, Tag("seasonal_naive")]
    | Annotated[NGram, Tag("ngram")]
    | Annotated[NoModel, Tag("none")]
    | Annotated[CustomModel, Tag("custom")],
    Discriminator(_model_kind),
    BeforeValidator(registered("models", MODELS)),
    BeforeValidator(named),
]
