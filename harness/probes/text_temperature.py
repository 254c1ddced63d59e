"""How varied, and how well-formed, the text of a character model is at several temperatures."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from harness.lazy import functional, torch
from harness.metrics import Metric
from harness.probes._networks import at_rest
from harness.probes.base import POSITIVE, Fitted, Measured, Probe
from harness.probes.generated_text import FIRST, PROMPT, GeneratedText
from harness.seeding import stream

if TYPE_CHECKING:
    from torch import Tensor, nn

_WORD = re.compile(r"[^\W\d_]+")


class TextTemperature(Probe):
    """Entropy and share of real words of generated text, at each of several temperatures.

    Several texts are written side by side from the start of validation examples. The entropy is the
    mean over draws of the distribution that is drawn from; a word is real if the training text has
    it. The first and last word of each text, which may be cut, do not count.
    """

    name: Literal["text_temperature"]
    temperatures: list[Annotated[float, Field(ge=0.01, le=5)]] = Field(
        [0.5, 1.0, 1.5], min_length=1, max_length=8
    )
    characters: int = Field(200, ge=20, le=2000, description="of each text")
    samples: int = Field(8, ge=1, le=64, description="side by side")

    metrics: ClassVar[tuple[Metric, ...]] = ()

    @classmethod
    def metric_called(cls, name: str) -> Metric | None:
        """See `Probe`; a name ends in hundredths of the temperature."""
        if name.startswith("text_entropy_"):
            return Metric(name, None, "bits", "entropy of a drawn character", POSITIVE)
        if name.startswith("real_words_"):
            return Metric(name, None, "", "share of words that the training text has", (0, 1))
        return None

    @property
    def measures(self) -> Mapping[str, Metric]:
        """See `Probe`."""
        names = [
            f"{kind}_{round(100 * t)}"
            for kind in ("text_entropy", "real_words")
            for t in self.temperatures
        ]
        return {name: found for name in names if (found := self.metric_called(name))}

    def refusal(self, workload: Any) -> str | None:
        """As of generated text; a network that writes whole words cannot misspell any."""
        if getattr(workload.data, "unit", "") == "words":
            return (
                "needs a text, character by character; of words, each that is written is a real one"
            )
        return GeneratedText(name="generated_text").refusal(workload)

    def measure(self, fitted: Fitted) -> Measured:
        """Write texts and look at them."""
        network, known = at_rest(fitted.network), fitted.tokens
        prompts = fitted.splits.validation.inputs[: self.samples, :PROMPT]
        train = "".join(known[id_] for id_ in fitted.splits.train.inputs.flatten().tolist())
        real = set(_WORD.findall(train))
        found = {}
        for temperature in self.temperatures:
            seed = stream(fitted.seed, f"{self.name}:{temperature}")
            draws = torch.Generator().manual_seed(seed)
            ids, entropy = drawn(
                network,
                prompts,
                self.characters,
                (temperature, len(known), fitted.form.shape[0]),
                draws,
            )
            texts = ["".join(known[id_] for id_ in row) for row in ids.tolist()]
            words = [word for text in texts for word in _WORD.findall(text)[1:-1]]
            place = round(100 * temperature)
            found[f"text_entropy_{place}"] = entropy
            if words:
                found[f"real_words_{place}"] = sum(word in real for word in words) / len(words)
        return Measured(found)


def drawn(
    network: nn.Module, prompts: Tensor, count: int, settings: tuple[float, int, int], draws: Any
) -> tuple[Tensor, float]:
    """Return the ids that a network puts after prompts, and the mean entropy of draws in bits.

    Args:
        network: maps ids (n, steps) to scores (n, steps, vocabulary).
        prompts: ids (n, steps).
        count: characters of each.
        settings: the temperature, how many ids stand for characters, and how many are read.
        draws: generator of the draws, on the CPU.

    Returns:
        Ids (n, count).
    """
    temperature, known, window = settings
    read, entropies = prompts, []
    with torch.no_grad():
        for _ in range(count):
            scores = network(read[:, -window:])[:, -1].double().cpu() / temperature
            scores[:, :FIRST] = -torch.inf
            scores[:, known:] = -torch.inf
            chances = functional.softmax(scores, dim=-1)
            entropies.append(torch.special.entr(chances).sum(dim=-1).mean())
            following = torch.multinomial(chances, 1, generator=draws).to(read.device)
            read = torch.cat([read, following], dim=1)
    bits = float(torch.stack(entropies).mean()) / math.log(2)
    return read[:, prompts.shape[1] :], bits
