"""The parts a workload is made of: what can be named in a study file, with its settings.

These classes hold configuration only. Building a network or loading data from one of them is the
business of `harness.models` and `harness.workloads`, so that a study is checked without PyTorch.
"""

from harness.components.base import Component
from harness.components.data import DATA, Data
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
from harness.components.transfer import Transfer

KINDS: dict[str, dict[str, type[Component]]] = {
    "data": DATA,
    "models": MODELS,
}
"""What `harness list` shows, by kind and name."""

__all__ = [
    "Activation",
    "CNN",
    "Component",
    "CustomModel",
    "Data",
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
    "Recurrent",
    "ResNet",
    "SavedMemory",
    "StepTime",
    "Torchvision",
    "Transfer",
    "Transformer",
    "TransformersEncoder",
]
