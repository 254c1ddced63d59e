"""Text that a character model writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import softmax

from harness.data.characters import UNKNOWN
from harness.exhibit import Parts, as_details
from harness.seeding import stream
from harness.train.inside.examples import at_rest, is_shown
from harness.train.loop import Fitted

PROMPT = 32
"""Characters that the text starts from."""


@dataclass(frozen=True)
class Sampling:
    """How characters are drawn.

    Attributes:
        temperature: what scores are divided by.
        window: characters that the network reads at most.
        known: ids below this one stand for characters.
        generator: of the draws, on the CPU.
    """

    temperature: float
    window: int
    known: int
    generator: torch.Generator


def probe_generation(fitted: Fitted, probe: Mapping[str, Any]) -> None:
    """Give the start of the validation part, and how the network writes on, by temperature."""
    if not is_shown(fitted, probe):
        return
    network, known = at_rest(fitted.network), fitted.material.tokens
    prompt = fitted.splits.validation.inputs[0, :PROMPT].tolist()
    samples = []
    for temperature in probe["temperatures"]:
        seed = stream(fitted.trial.seed, f"generated_text:{temperature}")
        generator = torch.Generator().manual_seed(seed)
        window = fitted.material.form.shape[0]
        sampling = Sampling(temperature, window, len(known), generator)
        samples.append(written_on(network, prompt, probe["characters"], sampling))
    parts: Parts = {
        "temperatures": np.array(probe["temperatures"]),
        "texts": ["".join(known[id_] for id_ in ids) for ids in (prompt, *samples)],
    }
    fitted.outcome.details |= as_details(probe["name"], parts)


def written_on(
    network: nn.Module, prompt: Sequence[int], count: int, sampling: Sampling
) -> list[int]:
    """Return the ids of the characters that a network puts after a prompt, one drawn at a time.

    Ids that stand for no character, or for an unknown one, are never drawn.
    """
    device = next(network.parameters()).device
    ids = list(prompt)
    with torch.no_grad():
        for _ in range(count):
            read = torch.tensor([ids[-sampling.window :]], device=device)
            scores = network(read)[0, -1].double().cpu() / sampling.temperature
            scores[: UNKNOWN + 1] = -torch.inf
            scores[sampling.known :] = -torch.inf
            drawn = torch.multinomial(softmax(scores, dim=-1), 1, generator=sampling.generator)
            ids.append(int(drawn))
    return ids[len(prompt) :]
