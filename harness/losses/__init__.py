"""Losses by name: what a supervised task learns by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import PlainSerializer, SerializationInfo

from harness.losses.base import Loss
from harness.registry import LOSSES, setting


def _short(loss: Loss, info: SerializationInfo) -> Any:
    """Write a loss that has no settings as its name."""
    written = loss.model_dump(mode=info.mode, exclude_unset=bool(info.exclude_unset))
    return written["name"] if set(written) == {"name"} else written


if TYPE_CHECKING:
    LossSetting = Loss
else:
    LossSetting = Annotated[setting(LOSSES), PlainSerializer(_short)]


def loss_of(workload: Mapping[str, Any]) -> Loss:
    """Return the loss that a resolved workload names."""
    given = workload.get("loss", "auto")
    found: Loss = LOSSES.read({"name": given} if isinstance(given, str) else given)
    return found


def loss_name(workload: Mapping[str, Any]) -> str:
    """Return the name of a resolved workload's loss."""
    given = workload.get("loss", "auto")
    return given if isinstance(given, str) else str(given["name"])


def is_built_in(workload: Mapping[str, Any]) -> bool:
    """Whether a resolved workload's loss is one of the harness's own."""
    return loss_name(workload) in LOSSES.own()
