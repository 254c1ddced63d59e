"""How much each step of a Transformer attends to each other one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.exhibit import Parts, as_details
from harness.layers.sequences import lengths_of
from harness.models.transformer.network import Attention
from harness.train.inside.examples import as_array, at_rest, is_shown, outputs_of, test_split
from harness.train.loop import Fitted

MOST_MAPS = 12
LOOKED_AT = 200
"""Test examples among which one is chosen."""


def probe_attention(fitted: Fitted, probe: Mapping[str, Any]) -> None:
    """Give the weights of every head on one test example, in thousandths, and its tokens.

    Of inputs that are tokens the example is the one with most different ones at its start, so that
    there is something to attend to; else it is the first.
    """
    if not is_shown(fitted, probe):
        return
    inputs = test_split(fitted, probe).inputs[:LOOKED_AT]
    with_tokens = fitted.material.form.vocabulary is not None
    index = most_varied(inputs[:, : probe["steps"]]) if with_tokens else 0
    example = inputs[index : index + 1]
    maps = attention_maps(at_rest(fitted.network), example)
    whole = int(lengths_of(example)) if with_tokens else maps.shape[-1]
    steps = min(whole, probe["steps"])
    layers, heads = maps.shape[:2]
    shown = maps.flatten(0, 1)[:MOST_MAPS, :steps, :steps]
    names = [(layer, head) for layer in range(layers) for head in range(heads)][:MOST_MAPS]
    parts: Parts = {
        "maps": as_array((1000 * shown).round().short()),
        "heads": np.array(names) + 1,
        "steps": np.array([steps, whole]),
        "tokens": _tokens(fitted, example[0], steps),
    }
    fitted.outcome.details |= as_details(probe["name"], parts)


def most_varied(tokens: Tensor) -> int:
    """Return which row of token ids (n, steps) has most different ones; the first of equals."""
    return int(np.argmax([len(row.unique()) for row in tokens]))


def attention_maps(network: nn.Module, inputs: Tensor) -> Tensor:
    """Return the attention weights for one input (1, ...): (layers, heads, steps, steps).

    Rows attend to columns and sum to 1.
    """
    seen: list[Tensor] = []

    def keep(module: nn.Module, arguments: tuple[Any, ...]) -> None:
        assert isinstance(module, Attention)
        seen.append(module.weights(*arguments)[0].detach())

    layers = [module for module in network.modules() if isinstance(module, Attention)]
    handles = [layer.register_forward_pre_hook(keep) for layer in layers]
    outputs_of(network, inputs)
    for handle in handles:
        handle.remove()
    return torch.stack(seen)


def _tokens(fitted: Fitted, example: Tensor, steps: int) -> list[str]:
    """Return the text of each step: of its token, or its number where inputs are no tokens."""
    known = fitted.material.tokens
    if example.is_floating_point():
        return [str(step + 1) for step in range(steps)]
    ids = example[:steps].tolist()
    return [known[id_] if id_ < len(known) else f"#{id_}" for id_ in ids]
