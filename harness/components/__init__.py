"""The parts a workload is made of: what can be named in a study file, with its settings.

These classes hold configuration only. Loading data from one of them is the business
of `harness.workloads`, so that a study is checked without PyTorch.
"""

from harness.components.augmentation import Augmentation
from harness.components.base import Component
from harness.components.inside import InsideProbe
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
from harness.components.torch_optimizers import TorchOptimizer
from harness.components.transfer import Transfer

KINDS: dict[str, dict[str, type[Component]]] = {
    "optimizers": OPTIMIZERS,
    "schedules": SCHEDULES,
}
"""What `harness list` shows, by kind and name."""

__all__ = [
    "Augmentation",
    "Adagrad",
    "Adam",
    "AdamW",
    "Component",
    "Constant",
    "Cosine",
    "DeadUnits",
    "EpochsToTarget",
    "GradientNorms",
    "InsideProbe",
    "KINDS",
    "MonteCarloDropout",
    "NAdam",
    "OneCycle",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "SGD",
    "SavedMemory",
    "Schedule",
    "Step",
    "StepTime",
    "TorchOptimizer",
    "Transfer",
    "WarmupCosine",
]
