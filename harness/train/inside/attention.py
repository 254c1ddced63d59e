"""How much each step of a Transformer attends to each other one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.exhibit import Parts, as_details
from harness.models.sequences import lengths_of
from harness.models.transformer import Attention
from harness.train.inside.examples import as_array, at_rest, is_shown, outputs_of, test_split
from harness.train.loop import Fitted

MOST_MAPS = 12


def probe_attention(fitted: Fitted, probe: Mapping[str, Any]) -> None:
    """Give the weights of every head on one test example, in thousandths, and its tokens.

    The example is the first whose tokens fit, or else the start of the first.
    """
    if not is_shown(fitted, probe):
        return
    test = test_split(fitted, probe)
    lengths = None
    index = 0
    if fitted.material.form.vocabulary is not None:
        lengths = lengths_of(test.inputs)
        fits = torch.nonzero((lengths <= probe["steps"]) & (lengths >= probe["steps"] // 2))
        index = int(fits[0]) if len(fits) else 0
    example = test.inputs[index : index + 1]
    maps = attention_maps(at_rest(fitted.network), example)
    whole = maps.shape[-1] if lengths is None else int(lengths[index])
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
