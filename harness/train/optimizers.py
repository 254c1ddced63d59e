"""Optimizers by configuration, in their fused form where PyTorch has one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer


def build_optimizer(config: Mapping[str, Any], parameters: Iterable[nn.Parameter]) -> Optimizer:
    """Build the optimizer that a workload names."""
    lr, weight_decay = config["lr"], config["weight_decay"]
    if config["name"] == "sgd":
        return torch.optim.SGD(
            parameters,
            lr=lr,
            momentum=config["momentum"],
            nesterov=config["nesterov"],
            weight_decay=weight_decay,
            fused=True,
        )
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config["name"]]
    betas = (config["beta1"], config["beta2"])
    return kind(parameters, lr=lr, betas=betas, weight_decay=weight_decay, fused=True)
