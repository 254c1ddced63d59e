"""What tells one machine from another: its processor, its cores and its GPU."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path
from typing import Any

from harness.trial import digest

_GPUS = Path("/proc/driver/nvidia/gpus")


def machine(gpu: bool) -> dict[str, Any]:
    """Return what tells this machine from others; its name stands there as a digest only."""
    return {
        "host": digest(platform.node()),
        "processor": processor(),
        "cores": os.cpu_count() or 1,
        "accelerator": _accelerator() if gpu else "",
    }


def _accelerator() -> str:
    """Return the name of the first GPU, without PyTorch; empty where none is to be seen."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1") or not _GPUS.is_dir():
        return ""
    for file in sorted(_GPUS.glob("*/information")):
        for line in file.read_text(errors="replace").splitlines():
            if line.startswith("Model:"):
                return line.partition(":")[2].strip()
    return ""


@cache
def processor() -> str:
    """Return the name of this machine's processor, or of its kind."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
