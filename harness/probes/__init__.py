"""Measurements beside the metrics that a study can ask for, one module each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.probes.base import CurveProbe, Fitted, Measured, Probe, Showing
from harness.registry import PROBES


def class_of(kept: Mapping[str, Any]) -> type[Probe]:
    """Return the class of a probe that a trial keeps."""
    found: type[Probe] = PROBES.find(kept["name"])
    return found


__all__ = ["CurveProbe", "Fitted", "Measured", "PROBES", "Probe", "Showing", "class_of"]
