"""How a study is run: how many seeds, what a trial is given, what happens when it is lost.

Resources, faults and checkpoints change no trial's identity and no plan's hash.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from harness.components import Component

_TIMES = {"s": 1.0, "min": 60.0, "h": 3600.0}
_SIZES = {"MB": 10**6, "GB": 10**9, "TB": 10**12}
_NUMBER = r"[0-9]+(\.[0-9]+)?"


def seconds(text: str) -> float:
    """Return the seconds in a time such as `30 min`."""
    return _amount(text, _TIMES, "a time such as 90 s, 30 min or 2 h")


def size_in_bytes(text: str) -> int:
    """Return the bytes in a size such as `4 GB`."""
    return int(_amount(text, _SIZES, "a size such as 500 MB or 4 GB"))


def interval(text: str) -> tuple[int | None, float | None]:
    """Return how often something is done: every so many epochs, or every so many seconds."""
    expected = "an interval such as 5 epochs or 10 min"
    epochs = re.fullmatch(r"([0-9]+) ?epochs?", text)
    if epochs is None:
        return None, _amount(text, _TIMES, expected)
    if int(epochs[1]) < 1:
        raise ValueError(f"'{text}' is not {expected}")
    return int(epochs[1]), None


def _amount(text: str, units: Mapping[str, float], expected: str) -> float:
    found = re.fullmatch(rf"({_NUMBER}) ?({'|'.join(units)})", text)
    if found is None or float(found[1]) <= 0:
        raise ValueError(f"'{text}' is not {expected}")
    return float(found[1]) * units[found[3]]


def _checked(read: Callable[[str], object]) -> AfterValidator:
    """Keep a text as it is written, once it can be read."""

    def check(text: str) -> str:
        read(text)
        return text

    return AfterValidator(check)


def _pattern(*units: str) -> dict[str, str]:
    """Tell editors what such a text looks like."""
    return {"pattern": rf"^{_NUMBER} ?({'|'.join(units)})$"}


Duration = Annotated[str, _checked(seconds), Field(json_schema_extra={**_pattern(*_TIMES)})]
Size = Annotated[str, _checked(size_in_bytes), Field(json_schema_extra={**_pattern(*_SIZES)})]
Interval = Annotated[
    str, _checked(interval), Field(json_schema_extra={**_pattern("epochs?", *_TIMES)})
]


Count = Annotated[int, Field(ge=2, le=10_000)]


class SequentialSeeds(Component):
    """Seeds in instalments: claims are judged at `start` seeds and after every `step` more.

    A claim that is decided stops; the arms of the others go on, to `max` seeds at most. The error
    rate of the study holds over all looks.
    """

    start: Count = Field(description="seeds of every arm, before claims are judged first")
    step: int = Field(ge=1, le=10_000, description="seeds between one look and the next")
    max: Count = Field(description="seeds at which every claim is judged for the last time")

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if self.max <= self.start:
            raise ValueError(f"`max` ({self.max}) has to be above `start` ({self.start})")
        return self

    @property
    def looks(self) -> tuple[int, ...]:
        """Seeds at which claims are judged, in order."""
        return (*range(self.start, self.max, self.step), self.max)


def _kind(value: Any) -> str:
    return "instalments" if isinstance(value, Mapping | SequentialSeeds) else "fixed"


Seeds = Annotated[
    Annotated[Count, Tag("fixed")] | Annotated[SequentialSeeds, Tag("instalments")],
    Discriminator(_kind),
]


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
    strategy: Literal["ddp", "fsdp"] = Field(
        "ddp", description="each worker holds the whole network (ddp), or a share of it (fsdp)"
    )

    @model_validator(mode="after")
    def _can_be_given(self) -> Self:
        if self.gpus > 1 and self.gpus != int(self.gpus):
            raise ValueError(f"`gpus` ({self.gpus:g}) is a fraction of one, or a whole number")
        if self.strategy == "fsdp" and self.workers == 1:
            raise ValueError("`strategy: fsdp` shares a network out to `workers`: say how many")
        if self.strategy == "fsdp" and 0 < self.gpus < 1:
            raise ValueError(f"`strategy: fsdp` needs whole GPUs, not {self.gpus:g}, or none")
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
