"""Text that a character model writes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from harness.formatting import number
from harness.lazy import functional, numpy, torch
from harness.probes._networks import at_rest
from harness.probes.base import Fitted, Measured, Sample, Showing, Shown
from harness.seeding import stream

if TYPE_CHECKING:
    from torch import Generator, nn

    from harness.evidence import Evidence

PROMPT = 32
"""Characters that the text starts from."""
FIRST = 2
"""Id of the first character: 0 is not used, and 1 is one that the vocabulary lacks."""


class GeneratedText(Showing):
    """Text that a character model writes on from the start of the validation part."""

    name: Literal["generated_text"]
    temperatures: list[Annotated[float, Field(gt=0, le=5)]] = Field(
        [0.5, 1.0], min_length=1, max_length=5, description="below 1: bolder; above 1: more daring"
    )
    characters: int = Field(300, ge=1, le=2000)

    parts: ClassVar[tuple[str, ...]] = ("temperatures", "texts")
    texts: ClassVar[tuple[str, ...]] = ("texts",)

    def refusal(self, workload: Any) -> str | None:
        """It needs characters, and a network that does not look ahead."""
        if workload.data.name != "characters":
            return f"needs a text, character by character; the data are {workload.data.name}"
        if workload.model.sees_later:
            return f"needs a network that sees no later characters; this {workload.model.name} does"
        return None

    def measure(self, fitted: Fitted) -> Measured:
        """Give the start of the validation part, and how the network writes on, by temperature."""
        if not self.shows(fitted):
            return Measured()
        network, known = at_rest(fitted.network), fitted.tokens
        prompt = fitted.splits.validation.inputs[0, :PROMPT].tolist()
        written = []
        for temperature in self.temperatures:
            seed = stream(fitted.seed, f"{self.name}:{temperature}")
            draws = torch.Generator().manual_seed(seed)
            sampling = Sampling(temperature, fitted.form.shape[0], len(known), draws)
            written.append(written_on(network, prompt, self.characters, sampling))
        texts = ["".join(known[id_] for id_ in ids) for ids in (prompt, *written)]
        return Measured(artifact={"temperatures": numpy.array(self.temperatures), "texts": texts})

    def excerpts(self, shown: Sequence[Shown], evidence: Evidence) -> Sequence[Sample]:
        """Return the texts by arm, seed and temperature, beside the perplexity of their network."""
        found = []
        for one in shown:
            prompt, *texts = [str(text) for text in one.parts["texts"].ravel()] or [""]
            heading = f"{one.arm}, seed {one.seed}{_perplexity(evidence, one)}"
            temperatures = one.parts["temperatures"].ravel()
            for temperature, text in zip(temperatures, texts, strict=False):
                found.append(Sample(heading, number(float(temperature), 2), prompt, text))
        return found


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
    generator: Generator


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
            scores[:FIRST] = -torch.inf
            scores[sampling.known :] = -torch.inf
            chances = functional.softmax(scores, dim=-1)
            ids.append(int(torch.multinomial(chances, 1, generator=sampling.generator)))
    return ids[len(prompt) :]


def _perplexity(evidence: Evidence, shown: Shown) -> str:
    """Say how many equally likely characters the network chooses between, if it is known."""
    rows = evidence.confirmation
    rows = rows[(rows["arm"] == shown.arm) & (rows["seed"] == shown.seed)]
    losses = {
        name: float(rows[f"{part}.loss"].iloc[0])
        for part, name in (("train", "training"), ("test", "test"))
        if f"{part}.loss" in rows and len(rows) and rows[f"{part}.loss"].notna().iloc[0]
    }
    told = [f"{number(math.exp(loss))} on the {name} part" for name, loss in losses.items()]
    return f": perplexity {' and '.join(told)}" if told else ""
