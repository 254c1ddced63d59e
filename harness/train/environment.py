"""Threads, devices, and what a record says about the machine it was made on."""

from __future__ import annotations

import platform
from functools import cache
from typing import Any

import torch


def use_threads(threads: int) -> None:
    """Give PyTorch this many threads for its operations."""
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


def describe_environment(device: torch.device) -> dict[str, Any]:
    """Return what ran a trial: device, threads and versions. Host names and paths stay out."""
    return {**_fixed(device.type), "threads": torch.get_num_threads()}


@cache
def _fixed(device: str) -> dict[str, Any]:
    name = torch.cuda.get_device_name() if device == "cuda" else _processor()
    return {
        "device": device,
        "device_name": name,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
