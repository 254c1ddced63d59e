"""Networks that a study can name."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from harness.study.components.base import Component, named

Activation = Literal[
    "relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "softmax", "identity"
]
Initialization = Literal["auto", "he", "xavier", "torch"]
Width = Annotated[int, Field(ge=1, le=100_000)]
Rate = Annotated[float, Field(ge=0, lt=1)]


class MLP(Component):
    """A fully connected network: `depth` hidden layers of `width` units, then a linear layer.

    `widths` names the hidden layers one by one instead; the handbook's digit classifier (section
    6.2) is `{name: mlp, widths: [512, 256], dropout: [0.2, 0.0]}`.
    """

    name: Literal["mlp"]
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
    initialization: Initialization = Field(
        "auto", description="auto: He for rectifiers, Xavier for the others"
    )

    @model_validator(mode="before")
    @classmethod
    def _widths_stand_alone(cls, value: Any) -> Any:
        """Leave depth and width empty where widths are given."""
        if isinstance(value, dict) and value.get("widths") is not None:
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
    norm: Literal["none", "batch", "group"] = Field("batch", description="after each convolution")
    groups: int = Field(8, ge=1, description="of the group norm; must divide every channel count")
    dense: int = Field(256, ge=0, le=100_000, description="units of the dense layer; 0: none")
    dropout_conv: Rate = Field(0.0, description="share of units dropped after each block")
    dropout: Rate = Field(0.5, description="share of units dropped after the dense layer")
    activation: Activation = "relu"
    initialization: Initialization = Field(
        "auto", description="auto: He for rectifiers, Xavier for the others"
    )

    @field_validator("kernel")
    @classmethod
    def _odd(cls, kernel: int) -> int:
        if kernel % 2 == 0:
            raise ValueError("an even kernel has no middle; choose an odd number")
        return kernel

    @model_validator(mode="after")
    def _whole_groups(self) -> Self:
        if self.norm == "group" and any(count % self.groups for count in self.channels):
            raise ValueError(f"`groups` ({self.groups}) does not divide every channel count")
        if self.activation == "softmax":
            raise ValueError("softmax has no meaning between convolutions")
        return self


class Recurrent(Component):
    """A recurrent network that reads a sequence and then names its class.

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


class LogisticRegression(Component):
    """Multinomial logistic regression by scikit-learn: the simple baseline."""

    name: Literal["logistic_regression"]
    regularization: float = Field(1.0, gt=0, description="inverse strength of the L2 penalty")


class CustomModel(Component):
    """Your own function, `package.module:function`, which returns a torch.nn.Module.

    It is called as function(input_shape, classes, **settings).
    """

    name: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
    settings: dict[str, Any] = Field(default_factory=dict, description="passed to the function")


def _model_kind(value: Any) -> str:
    name = value.get("name", "") if isinstance(value, dict) else getattr(value, "name", "")
    return "custom" if ":" in str(name) else str(name)


Model = Annotated[
    Annotated[MLP, Tag("mlp")]
    | Annotated[CNN, Tag("cnn")]
    | Annotated[Recurrent, Tag("recurrent")]
    | Annotated[LogisticRegression, Tag("logistic_regression")]
    | Annotated[CustomModel, Tag("custom")],
    Discriminator(_model_kind),
    BeforeValidator(named),
]

MODELS: dict[str, type[Component]] = {
    "mlp": MLP,
    "cnn": CNN,
    "recurrent": Recurrent,
    "logistic_regression": LogisticRegression,
}
