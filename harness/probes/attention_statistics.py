"""How widely attention is spread, and how unlike the heads of a layer look."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.lazy import torch
from harness.metrics import Metric
from harness.probes._networks import at_rest, outputs_of, test_split
from harness.probes.attention_maps import no_attention
from harness.probes.base import Fitted, Measured, Probe

if TYPE_CHECKING:
    from torch import Tensor, nn


class AttentionStatistics(Probe):
    """Entropy of attention, before and after training, and the diversity of heads.

    The entropy of a row of weights is divided by that of equal weights on the steps it may see:
    1 looks everywhere alike, 0 at one step alone. Diversity is the mean Jensen-Shannon divergence
    of two heads of a layer, in bits: 0 if they look alike, 1 if never at the same step.
    """

    name: Literal["attention_statistics"]
    examples: int = Field(64, ge=2, le=1000, description="of the test split, from its first")

    needs_initial: ClassVar[bool] = True
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("attention_entropy", None, "", "entropy of attention, 1: equal weights", (0, 1)),
        Metric("attention_entropy_start", None, "", "the same before training", (0, 1)),
        Metric("head_diversity", None, "bits", "divergence of two heads of a layer", (0, 1)),
    )

    def refusal(self, workload: Any) -> str | None:
        """It needs attention, and knows that of the built-in Transformer."""
        return no_attention(workload)

    def measure(self, fitted: Fitted) -> Measured:
        """Give them, as means over test examples, steps, heads and layers."""
        inputs = test_split(self, fitted).inputs[: self.examples]
        after = attention_weights(at_rest(fitted.network), inputs)
        found = {"attention_entropy": _entropy(after)}
        if fitted.initial is not None:
            before = attention_weights(at_rest(fitted.initial), inputs)
            found["attention_entropy_start"] = _entropy(before)
        if after[0][0].shape[1] > 1:  # of one head there is no second to differ from
            found["head_diversity"] = _diversity(after)
        return Measured(found)


def attention_weights(network: nn.Module, inputs: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return of each layer the weights (n, heads, steps, steps), and which steps may be seen.

    Rows attend to columns and sum to 1; the second is (1 or n, 1, 1 or steps, steps), booleans.
    """
    from harness.models.transformer.network import Attention

    found: list[tuple[Tensor, Tensor]] = []

    def keep(module: nn.Module, arguments: tuple[Any, ...]) -> None:
        assert isinstance(module, Attention)
        states, seen, causal = arguments
        steps = states.shape[1]
        mask = torch.ones(1, 1, steps, steps, dtype=torch.bool, device=states.device)
        visible = mask.tril() if causal else mask if seen is None else seen
        found.append((module.weights(*arguments).detach().double(), visible))

    layers = [module for module in network.modules() if isinstance(module, Attention)]
    handles = [layer.register_forward_pre_hook(keep) for layer in layers]
    outputs_of(network, inputs)
    for handle in handles:
        handle.remove()
    return found


def _entropy(layers: list[tuple[Tensor, Tensor]]) -> float:
    """Mean entropy of rows that may see two steps or more, in shares of the largest possible."""
    every = []
    for weights, visible in layers:
        count = visible.sum(dim=-1).expand(weights.shape[:-1])
        entropy = torch.special.entr(weights).sum(dim=-1)
        some = count > 1
        every.append((entropy[some] / count[some].double().log()).mean())
    return min(1.0, float(torch.stack(every).mean()))


def _diversity(layers: list[tuple[Tensor, Tensor]]) -> float:
    """Mean Jensen-Shannon divergence of the pairs of heads of a layer (Lin 1991), in bits."""
    every = []
    for weights, visible in layers:
        some = (visible.sum(dim=-1) > 1).expand(len(weights), 1, weights.shape[2])[:, 0]
        heads = weights.shape[1]
        for one in range(heads):
            for other in range(one + 1, heads):
                a, b = weights[:, one], weights[:, other]
                apart = (
                    torch.special.entr((a + b) / 2).sum(dim=-1)
                    - (torch.special.entr(a) + torch.special.entr(b)).sum(dim=-1) / 2
                )
                every.append(apart[some].mean())
    return min(1.0, max(0.0, float(torch.stack(every).mean()) / math.log(2)))
