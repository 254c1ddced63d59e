"""The parts a workload is made of: what can be named in a study file, with its settings.

These classes hold configuration only. Building a network or loading data from one of them is the
business of `harness.models` and `harness.workloads`, so that a study is checked without PyTorch.
"""

from harness.component import Component
from harness.study.components.augmentation import Augmentation
from harness.study.components.data import DATA, Data
from harness.study.components.inside import InsideProbe
from harness.study.components.models import (
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
from harness.study.components.optimizers import (
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
from harness.study.components.probes import (
    PROBES,
    DeadUnits,
    EpochsToTarget,
    GradientNorms,
    MonteCarloDropout,
    Probe,
    SavedMemory,
    StepTime,
)
from harness.study.components.simple_models import (
    LogisticRegression,
    NGram,
    Ridge,
    SeasonalNaive,
)
from harness.study.components.torch_optimizers import TorchOptimizer
from harness.study.components.transfer import Transfer
from harness.study.components.workload import EarlyStopping, Workload

KINDS: dict[str, dict[str, type[Component]]] = {
    "data": DATA,
    "models": MODELS,
    "optimizers": OPTIMIZERS,
    "schedules": SCHEDULES,
    "probes": PROBES,
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
    "DeadUnits",
    "EarlyStopping",
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
    "Probe",
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
    "Workload",
]
