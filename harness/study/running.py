"""How a study is run: what a trial is given, what happens when it is lost, where it is saved.

None of it is declared in the sense of a claim: it changes no trial's identity and no plan's hash.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from harness.components import Component
from harness.study.quantities import Duration, Interval, Size

Fault = Literal["crash", "memory", "time", "exception"]

_LABEL = re.compile(r"!?[\w./-]+|!?in\([\w./-]+(, ?[\w./-]+)*\)")
_RESERVED = {"CPU", "GPU", "memory", "object_store_memory"}


def _wanted_label(text: str) -> str:
    if not _LABEL.fullmatch(text):
        raise ValueError(f"'{text}' is not a label, !label, in(one, other) or !in(one, other)")
    return text


def _plain_folder(text: str) -> str:
    if urlsplit(text).username is not None:
        raise ValueError("must not hold a password; give it to the machines, as for any bucket")
    return text


class Resources(Component):
    """What one trial is given, from each of its workers' nodes."""

    cpus: int = Field(1, ge=1, description="cores, and threads of PyTorch")
    gpus: float = Field(0, ge=0, description="a fraction shares a device")
    memory: Size | None = Field(
        None, description="such as 4 GB: no more trials on a node than it has room for"
    )
    custom: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict, description="a cluster's own resources: {name: amount}"
    )
    labels: dict[str, Annotated[str, AfterValidator(_wanted_label)]] = Field(
        default_factory=dict,
        description="of the node: {name: value}, !value, in(one, other) or !in(one, other)",
    )
    workers: int = Field(
        1, ge=1, le=1024, description="that train one trial together, each on a part of a batch"
    )

    @model_validator(mode="after")
    def _can_be_given(self) -> Self:
        if self.gpus > 1 and self.gpus != int(self.gpus):
            raise ValueError(f"`gpus` ({self.gpus:g}) is a fraction of one, or a whole number")
        for name in self.custom:
            if name in _RESERVED:
                raise ValueError(f"`custom` cannot hold {name}; write cpus, gpus or memory")
        return self


class Faults(Component):
    """What happens to a trial whose attempt ended without a result.

    A lost or preempted node says nothing about the trial: it is always tried again.
    """

    retries: int = Field(2, ge=0, le=100, description="new attempts after faults of its own")
    retry_on: list[Fault] = Field(
        ["crash", "memory"],
        description="faults after which a trial is tried again; after others it has failed",
    )
    time_limit: Duration | None = Field(
        None, description="of one attempt, such as 30 min; none: it may take as long as it does"
    )


class Checkpoints(Component):
    """Where long trials are saved, so that a new attempt goes on from there."""

    every: Interval = Field(description="such as 5 epochs or 10 min")
    folder: Annotated[str, AfterValidator(_plain_folder)] | None = Field(
        None,
        min_length=1,
        description="a path or an address such as s3://bucket/folder; without it, a folder beside"
        " the results",
    )
