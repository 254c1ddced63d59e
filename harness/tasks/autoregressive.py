"""A network that writes an example number by number, each after all before it.

Van den Oord et al. 2016, Pixel recurrent neural networks, with levels in place of 256 values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from harness.data_spec import Form
from harness.lazy import functional, torch
from harness.metrics import Metric
from harness.tasks._from_noise import FromNoise
from harness.tasks.base import Batch, Builder, State

if TYPE_CHECKING:
    from torch import Tensor, nn

    from harness.workloads.settings import TrialSettings

BEGIN = 1
"""The token before the first number; 0 is padding, and level `n` is token `n` + 2."""
AT_ONCE = 500
"""Examples that are evaluated together."""
SEES = (
    "sees the numbers that it is to predict; the task autoregressive needs a network that reads "
    "in one direction, such as `transformer` with `causal: true` or `recurrent`"
)


class Autoregressive(FromNoise):
    """Predict each number of an example from those before it; draw examples number by number.

    Numbers become `levels`, evenly from `low` to `high`, where inputs have mean 0 and deviation 1;
    an image is read row by row. `model` reads a sequence and sees nothing later: a `transformer`,
    or a `recurrent` network in one direction.
    """

    name: Literal["autoregressive"]
    levels: int = Field(16, ge=2, le=1000, description="values that a number may have")
    low: float = Field(-1.0, description="lower end of the levels; what is below has the lowest")
    high: float = Field(3.0, description="upper end of the levels")

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("bits", "minimize", "bits", "of each number's level, given those before it"),
    )
    selects: ClassVar[str] = "bits"
    of_inputs: ClassVar[tuple[str, ...]] = ("bits",)
    defined_by: ClassVar[Mapping[str, tuple[str, ...]]] = {"bits": ("levels", "low", "high")}

    @model_validator(mode="after")
    def _levels_lie_between(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"`low` ({self.low}) is not below `high` ({self.high})")
        return self

    def refusal(self, workload: Any) -> str | None:
        """Say what is of no use where examples are generated, and who would see the answer."""
        if (said := super().refusal(workload)) is not None:
            return said
        return f"{workload.model.name} {SEES}" if workload.model.sees_later else None

    def build(
        self, settings: TrialSettings, form: Form, network: Builder
    ) -> Mapping[str, nn.Module]:
        """Return the network, from levels so far to those that come next.

        Raises:
            ValueError: if it cannot read such sequences or sees later numbers, or the data are
                token ids.
        """
        if form.vocabulary is not None:
            raise ValueError(
                "the task autoregressive generates numbers, and the data are token ids"
            )
        written = Form((math.prod(form.shape),), self.levels, "sequence", self.levels + 2)
        if (said := settings.model.misreads(written)) is not None:
            raise ValueError(said)
        made = network(settings.model, written, "model")
        if _sees_later(made, written):
            raise ValueError(f"{settings.model.name} {SEES}")
        return {"model": made}

    def step(self, state: State, batch: Batch) -> Mapping[str, Tensor]:
        """Take one step down the cross entropy of the levels."""
        loss = self._loss(state, batch.inputs)
        state.update("model", loss)
        return {"loss": loss.detach()}

    def evaluate(self, state: State, split: Batch) -> Mapping[str, float]:
        """Return the bits of a number."""
        parts = split.inputs.split(AT_ONCE)
        nats = sum(float(self._loss(state, part)) * len(part) for part in parts)
        return {"bits": nats / len(split) / math.log(2)}

    def drawn_from(self, network: nn.Module, noise: Tensor) -> Tensor:
        """Choose level after level, each where its distribution reaches that of the noise."""
        device = next(network.parameters()).device
        chance = torch.special.ndtr(noise.flatten(1)).to(device)
        tokens = torch.full(chance.shape, BEGIN, dtype=torch.long, device=device)
        for place in range(tokens.shape[1]):
            shares = network(tokens)[:, place].float().softmax(-1).cumsum(-1)
            level = (shares < chance[:, place, None]).sum(-1).clamp(max=self.levels - 1)
            if place + 1 < tokens.shape[1]:
                tokens[:, place + 1] = level + 2
            chance[:, place] = level.float()
        step = (self.high - self.low) / self.levels
        written: Tensor = self.low + (chance + 0.5) * step
        return written.reshape(noise.shape)

    def _loss(self, state: State, inputs: Tensor) -> Tensor:
        levels = self._levels(inputs)
        begin = torch.full_like(levels[:, :1], BEGIN)
        outputs = state.outputs("model", torch.cat([begin, levels[:, :-1] + 2], dim=1))
        loss: Tensor = functional.cross_entropy(outputs.flatten(0, 1), levels.flatten())
        return loss

    def _levels(self, inputs: Tensor) -> Tensor:
        """Return the level of each number, (n, numbers), from 0."""
        share = (inputs.flatten(1) - self.low) / (self.high - self.low)
        return (share * self.levels).long().clamp(0, self.levels - 1)


def _sees_later(network: nn.Module, form: Form) -> bool:
    from harness.layers.sequences import sees_later

    (steps,), training = form.shape, network.training
    device = next(network.parameters()).device
    one = (torch.arange(steps, device=device) % form.outputs + 2).unsqueeze(0)
    network.eval()
    found = sees_later(network, one, (one - 1) % form.outputs + 2)
    network.train(training)
    return found
