"""The parts a workload is made of: what can be named in a study file, with its settings.

These classes hold configuration only. Building a network or loading data from one of them is the
business of `harness.models` and `harness.workloads`, so that a study is checked without PyTorch.
"""

from harness.components.augmentation import Augmentation
from harness.components.base import Component
from harness.components.inside import InsideProbe
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
from harness.components.probes import (
    DeadUnits,
    EpochsToTarget,
    GradientNorms,
    MonteCarloDropout,
    SavedMemory,
    StepTime,
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
    "DeadUnits",
    "EpochsToTarget",
    "GradientNorms",
    "Initialization",
    "InsideProbe",
    "KINDS",
    "LogisticRegression",
    "SeasonalNaive",
    "Ridge",
    "NGram",
    "MLP",
    "Model",
    "MonteCarloDropout",
    "NAdam",
    "OneCycle",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Recurrent",
    "ResNet",
    "SGD",
    "SavedMemory",
    "Schedule",
    "Step",
    "StepTime",
    "Torchvision",
    "TorchOptimizer",
    "Transfer",
    "Transformer",
    "TransformersEncoder",
    "WarmupCosine",
]
