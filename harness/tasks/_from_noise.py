"""What tasks share that make an example of noise of its own shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from harness.data_spec import Form, Kind
from harness.lazy import torch
from harness.models import NoModel, SimpleModel
from harness.tasks._unsupervised import unused_part
from harness.tasks.base import Task

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn


class FromNoise(Task):
    """A task whose network makes examples of standard normal noise, one number of each."""

    targets: ClassVar[tuple[Kind, ...]] = ("class", "numbers")
    takes: ClassVar[Mapping[str, str]] = {"classifier": "predictions"}
    gives: ClassVar[tuple[str, ...]] = ("weights", "samples")

    def refusal(self, workload: Any) -> str | None:
        """Say what is of no use where examples are generated."""
        if (said := unused_part(workload, self.name)) is not None:
            return said
        if isinstance(workload.model, SimpleModel | NoModel):
            return f"{workload.model.name} is no network that the task {self.name} could train"
        return None

    def drawn_from(self, network: nn.Module, noise: Tensor) -> Tensor:
        """Return the examples that a trained network makes of noise, like it, normalized."""
        raise NotImplementedError

    def sample(
        self, network: nn.Module, count: int, draws: Generator, shape: tuple[int, ...]
    ) -> Tensor:
        """Return generated examples, (count, *shape), normalized as the data are.

        Args:
            network: trained.
            count: how many.
            draws: of the noise, on the CPU; nothing else is drawn.
            shape: of an example.
        """
        return self.drawn_from(network, torch.randn(count, *shape, generator=draws))

    def noise_shape(self, form: Form) -> tuple[int, ...]:
        """Return the shape of the noise that an example is made of: that of an example."""
        return form.shape

    def made_of(self, network: nn.Module, noise: Tensor, form: Form) -> Tensor:
        """Return the examples that a trained network makes of noise, (n, *shape), normalized."""
        del form
        return self.drawn_from(network, noise)
