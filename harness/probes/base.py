"""What a probe is: settings, and what it measures of a trained network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pydantic import Field

from harness.components.base import Component
from harness.metrics import Metric

if TYPE_CHECKING:
    from torch import nn

    from harness.form import Form
    from harness.tasks import Task


class Fitted(Protocol):
    """A trained trial, as a probe sees it."""

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """The task's networks with the weights of the selected epoch, by part."""

    @property
    def network(self) -> nn.Module:
        """The main one."""

    @property
    def splits(self) -> Any:
        """`train`, `validation` and `test` (None in a search), each `inputs` and `targets`."""

    @property
    def task(self) -> Task:
        """What was learned."""

    @property
    def form(self) -> Form:
        """Of the data."""

    @property
    def seed(self) -> int:
        """Of the trial."""


class Probe(Component):
    """A measurement of a trained network. A subclass has a `name` of one value."""

    name: str
    on: dict[str, Any] = Field(default_factory=dict, description="only arms with these levels")

    metrics: ClassVar[tuple[Metric, ...]]
    """What it gives, each as `probe.NAME`."""
    any_task: ClassVar[bool] = False
    """Whether it can look at networks of every task; else of supervised ones."""

    def refusal(self, workload: Any) -> str | None:
        """Say of which checked workloads it can show nothing, and why."""
        del workload
        return None

    def measure(self, fitted: Fitted) -> Mapping[str, float]:
        """Return its metrics; one that does not exist is left out."""
        raise NotImplementedError
