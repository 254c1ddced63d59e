"""The parts a workload is made of: what can be named in a study file, with its settings.

These classes hold configuration only. Building a network or loading data from one of them is the
business of `harness.models` and `harness.workloads`, so that a study is checked without PyTorch.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

Activation = Literal[
    "relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "softmax", "identity"
]
Initialization = Literal["auto", "he", "xavier", "torch"]


class Component(BaseModel):
    """A part of a study file: unknown keys are mistakes, values are not coerced."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _named(value: Any) -> Any:
    """Let `model: mlp` stand for `model: {name: mlp}`."""
    return {"name": value} if isinstance(value, str) else value


# --- data ---------------------------------------------------------------------------------------
class Digits(Component):
    """1,797 handwritten digits of 8x8 pixels, bundled with scikit-learn; nothing is downloaded."""

    name: Literal["digits"]
    validation_fraction: float = Field(0.2, gt=0, lt=0.9, description="share kept for validation")


class MNIST(Component):
    """70,000 handwritten digits of 28x28 pixels, read from the data root or downloaded to it."""

    name: Literal["mnist"]
    validation_fraction: float = Field(0.1, gt=0, lt=0.9, description="share kept for validation")
    limit: int | None = Field(None, ge=100, description="use only this many of the 60,000 images")


Data = Annotated[Annotated[Digits | MNIST, Field(discriminator="name")], BeforeValidator(_named)]


# --- models -------------------------------------------------------------------------------------
class MLP(Component):
    """A fully connected network: `depth` hidden layers of `width` units, then a linear layer."""

    name: Literal["mlp"]
    depth: int = Field(2, ge=0, le=200, description="number of hidden layers; 0 is a linear model")
    width: int = Field(64, ge=1, le=100_000, description="units in each hidden layer")
    activation: Activation = Field("relu", description="between the layers")
    initialization: Initialization = Field(
        "auto", description="auto: He for rectifiers, Xavier for the others"
    )


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
    | Annotated[LogisticRegression, Tag("logistic_regression")]
    | Annotated[CustomModel, Tag("custom")],
    Discriminator(_model_kind),
    BeforeValidator(_named),
]


# --- optimizers ---------------------------------------------------------------------------------
class Adam(Component):
    """Adam (Kingma and Ba 2015); `weight_decay` here is an L2 penalty inside the gradient."""

    name: Literal["adam"]
    lr: float = Field(1e-3, gt=0, description="learning rate")
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    weight_decay: float = Field(0.0, ge=0)


class AdamW(Component):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    name: Literal["adamw"]
    lr: float = Field(1e-3, gt=0, description="learning rate")
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    weight_decay: float = Field(0.01, ge=0)


class SGD(Component):
    """Stochastic gradient descent, with Polyak or Nesterov momentum if asked for."""

    name: Literal["sgd"]
    lr: float = Field(1e-2, gt=0, description="learning rate")
    momentum: float = Field(0.0, ge=0, lt=1)
    nesterov: bool = False
    weight_decay: float = Field(0.0, ge=0)


Optimizer = Annotated[
    Annotated[Adam | AdamW | SGD, Field(discriminator="name")], BeforeValidator(_named)
]


class Workload(Component):
    """Data, model, loss and metric, and how long to train: the resolved setting of one trial."""

    data: Data
    model: Model
    optimizer: Optimizer = Field(default_factory=lambda: Adam(name="adam"))
    loss: Literal["cross_entropy"] = "cross_entropy"
    epochs: int = Field(10, ge=1, le=100_000)
    batch_size: int = Field(64, ge=1)


# --- probes -------------------------------------------------------------------------------------
class GradientNorms(Component):
    """Gradient norm of each layer's weights, before the first step and after the last epoch.

    Gives `probe.gradient_ratio_start` and `_end`: first layer over last layer.
    """

    name: Literal["gradient_norms"]
    on: dict[str, Any] = Field(default_factory=dict, description="only arms with these levels")


class DeadUnits(Component):
    """Share of hidden units through which no validation sample sends any gradient.

    Gives `probe.dead_units` after training; absent where the activation is not elementwise.
    """

    name: Literal["dead_units"]
    on: dict[str, Any] = Field(default_factory=dict, description="only arms with these levels")


class StepTime(Component):
    """Time of a training step, in turn with that of the same workload with some settings changed.

    Gives `probe.step_time_ratio`: the median over pairs of this workload's time to the other's.
    """

    name: Literal["step_time"]
    against: dict[str, Any] = Field(min_length=1, description="settings of the other workload")
    steps: int = Field(200, ge=10, le=10_000, description="timed pairs of steps")
    on: dict[str, Any] = Field(default_factory=dict, description="only arms with these levels")


Probe = Annotated[
    Annotated[GradientNorms | DeadUnits | StepTime, Field(discriminator="name")],
    BeforeValidator(_named),
]

KINDS: dict[str, dict[str, type[Component]]] = {
    "data": {"digits": Digits, "mnist": MNIST},
    "models": {"mlp": MLP, "logistic_regression": LogisticRegression},
    "optimizers": {"adam": Adam, "adamw": AdamW, "sgd": SGD},
    "probes": {
        "gradient_norms": GradientNorms,
        "dead_units": DeadUnits,
        "step_time": StepTime,
    },
}
"""What `harness list` shows, by kind and name."""
