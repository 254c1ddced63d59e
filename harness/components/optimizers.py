"""Optimizers and learning-rate schedules that a study can name."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from harness.components.base import FUNCTION, Component, named
from harness.components.torch_optimizers import PREFIX, TorchOptimizer
from harness.plugins import registered

Share = Annotated[float, Field(ge=0, le=1)]


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


class RMSprop(Component):
    """RMSprop (Hinton 2012): steps divided by a running root mean square of the gradient."""

    name: Literal["rmsprop"]
    lr: float = Field(1e-2, gt=0, description="learning rate")
    smoothing: float = Field(0.99, ge=0, lt=1, description="of the mean square; torch's alpha")
    momentum: float = Field(0.0, ge=0, lt=1)
    weight_decay: float = Field(0.0, ge=0)


class Adagrad(Component):
    """Adagrad (Duchi et al. 2011): steps divided by the root of the sum of squared gradients."""

    name: Literal["adagrad"]
    lr: float = Field(1e-2, gt=0, description="learning rate")
    lr_decay: float = Field(0.0, ge=0, description="step t has the rate lr / (1 + t * lr_decay)")
    weight_decay: float = Field(0.0, ge=0)


class NAdam(Component):
    """Adam with Nesterov momentum (Dozat 2016)."""

    name: Literal["nadam"]
    lr: float = Field(2e-3, gt=0, description="learning rate")
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    momentum_decay: float = Field(4e-3, ge=0)
    weight_decay: float = Field(0.0, ge=0)


class RAdam(Component):
    """Adam with a rectified, warm start (Liu et al. 2020)."""

    name: Literal["radam"]
    lr: float = Field(1e-3, gt=0, description="learning rate")
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.999, gt=0, lt=1)
    weight_decay: float = Field(0.0, ge=0)


class OwnOptimizer(Component):
    """Your own class, `package.module:Class`, of torch.optim.Optimizer.

    It is called as Class(parameters, lr=lr, **settings). Its networks are trained alone, not in
    packs.
    """

    name: str = Field(pattern=FUNCTION)
    lr: float = Field(gt=0, description="learning rate")
    settings: dict[str, Any] = Field(default_factory=dict, description="its other arguments")


def _optimizer_kind(value: Any) -> str:
    name = str(value.get("name", "") if isinstance(value, dict) else getattr(value, "name", ""))
    if ":" in name:
        return "own_optimizer"
    return "torch_optimizer" if name.startswith(PREFIX) else name


OPTIMIZERS: dict[str, type[Component]] = {
    "adam": Adam,
    "adamw": AdamW,
    "sgd": SGD,
    "rmsprop": RMSprop,
    "adagrad": Adagrad,
    "nadam": NAdam,
    "radam": RAdam,
    "torch.optim.Class": TorchOptimizer,
}

Optimizer = Annotated[
    Annotated[Adam, Tag("adam")]
    | Annotated[AdamW, Tag("adamw")]
    | Annotated[SGD, Tag("sgd")]
    | Annotated[RMSprop, Tag("rmsprop")]
    | Annotated[Adagrad, Tag("adagrad")]
    | Annotated[NAdam, Tag("nadam")]
    | Annotated[RAdam, Tag("radam")]
    | Annotated[TorchOptimizer, Tag("torch_optimizer")]
    | Annotated[OwnOptimizer, Tag("own_optimizer")],
    Discriminator(_optimizer_kind),
    BeforeValidator(registered("optimizers", OPTIMIZERS)),
    BeforeValidator(named),
]


class Constant(Component):
    """The optimizer's learning rate throughout."""

    name: Literal["constant"]


class Step(Component):
    """The learning rate is multiplied by `factor` after every so many epochs."""

    name: Literal["step"]
    every: int = Field(10, ge=1, description="epochs")
    factor: float = Field(0.1, gt=0, le=1)


class Cosine(Component):
    """The learning rate falls along half a cosine (Loshchilov and Hutter 2017)."""

    name: Literal["cosine"]
    final: Share = Field(0.0, description="share of the learning rate that is left at the end")


class WarmupCosine(Component):
    """The learning rate rises in a line, then falls along half a cosine."""

    name: Literal["warmup_cosine"]
    warmup: Share = Field(0.1, description="share of all steps on which it rises")
    final: Share = Field(0.0, description="share of the learning rate that is left at the end")


class OneCycle(Component):
    """Up and down once (Smith and Topin 2018); the optimizer's learning rate is the peak.

    As in PyTorch, along cosines; momentum stays as it is.
    """

    name: Literal["one_cycle"]
    peak: Share = Field(0.3, description="share of all steps before the peak")
    start_divisor: float = Field(25.0, ge=1, description="peak over the first learning rate")
    end_divisor: float = Field(1e4, ge=1, description="the first learning rate over the last")


Schedule = Annotated[
    Annotated[Constant | Step | Cosine | WarmupCosine | OneCycle, Field(discriminator="name")],
    BeforeValidator(named),
]

SCHEDULES: dict[str, type[Component]] = {
    "constant": Constant,
    "step": Step,
    "cosine": Cosine,
    "warmup_cosine": WarmupCosine,
    "one_cycle": OneCycle,
}
