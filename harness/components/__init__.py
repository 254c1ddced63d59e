"""The parts a workload is made of: what can be named in a study file, with its settings.

These classes hold configuration only. Building a network or loading data from one of them is the
business of `harness.models` and `harness.workloads`, so that a study is checked without PyTorch.
"""

from harness.components.augmentation import Augmentation
from harness.components.base import Component
from harness.components.data import DATA, Data
from harness.components.models import (
    CNN,
    MLP,
    MODELS,
    Activation,
    CustomModel,
    Initialization,
    Model,
    Recurrent,
    ResNet,
    Torchvision,
    Transformer,
    TransformersEncoder,
)
from harness.components.optimizers import (
    OPTIMIZERS,
    SCHEDULES,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Constant,
    Cosine,
    NAdam,
    OneCycle,
    Optimizer,
    RAdam,
    RMSprop,
    Schedule,
    Step,
    WarmupCosine,
)
from harness.components.simple_models import (
    LogisticRegression,
    NGram,
    Ridge,
    SeasonalNaive,
)
from harness.components.torch_optimizers import TorchOptimizer
from harness.components.transfer import Transfer

KINDS: dict[str, dict[str, type[Component]]] = {
    "data": DATA,
    "models": MODELS,
    "optimizers": OPTIMIZERS,
    "schedules": SCHEDULES,
}
"""What `harness list` shows, by kind and name."""

__all__ = [
    "Activation",
    "Augmentation",
    "Adagrad",
    "Adam",
    "AdamW",
    "CNN",
    "Component",
    "Constant",
    "Cosine",
    "CustomModel",
    "Data",
    "Initialization",
    "KINDS",
    "LogisticRegression",
    "SeasonalNaive",
    "Ridge",
    "NGram",
    "MLP",
    "Model",
    "NAdam",
    "OneCycle",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Recurrent",
    "ResNet",
    "SGD",
    "Schedule",
    "Step",
    "Torchvision",
    "TorchOptimizer",
    "Transfer",
    "Transformer",
    "TransformersEncoder",
    "WarmupCosine",
]
