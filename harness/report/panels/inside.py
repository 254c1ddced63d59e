"""What networks wrote: samples of text, with how well their network knows such text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from harness.evidence import Evidence
from harness.figures.inside.exhibits import Shown, exhibits
from harness.report.blocks import Block, Form
from harness.report.panels.base import Panel
from harness.wording import number

if TYPE_CHECKING:
    from harness.report.view import ProfileView

MOST_SAMPLES = 12


MARKDOWN = """\
{% for sample in samples %}
*Written by {{ sample.heading|md }}.* Temperature {{ sample.temperature|md }}. Up to the mark: \
what it was given, the start of the validation part.

```text
{{ sample.prompt|fenced }}▮{{ sample.text|fenced }}
```

{% endfor %}
"""
HTML = """\
{% for sample in samples %}
<figure class="written">
<blockquote><i>{{ sample.prompt }}</i>{{ sample.text }}</blockquote>
<figcaption><b>Written by {{ sample.heading }}.</b> Temperature {{ sample.temperature }}. \
In italics: what it was given, the start of the validation part.</figcaption>
</figure>
{% endfor %}
"""


class Inside(Panel):
    """What networks are like inside: pictures of single ones, and texts that they wrote."""

    name = "inside"
    title = "Inside the networks"
    order = 80

    def blocks(self, report: ProfileView) -> Sequence[Block | None]:
        """See `Panel`."""
        samples = report.part("the texts that networks wrote", written, report.evidence)
        form = Form(HTML, MARKDOWN, {"samples": samples}) if samples else None
        return (*report.figures(self.name), form)


@dataclass(frozen=True)
class Sample:
    """A text that one network wrote: whose, on from what, and at which temperature."""

    heading: str
    temperature: str
    prompt: str
    text: str


def written(evidence: Evidence) -> Sequence[Sample]:
    """Return the texts that character models wrote, by arm, seed and temperature."""
    found = []
    for shown in exhibits(evidence, "generated_text", ["texts", "temperatures"]):
        prompt, *texts = [str(text) for text in shown.parts["texts"]]
        heading = f"{shown.arm}, seed {shown.seed}{_perplexity(evidence, shown)}"
        for temperature, text in zip(shown.parts["temperatures"], texts, strict=False):
            found.append(Sample(heading, number(float(temperature), 2), prompt, text))
    return found[:MOST_SAMPLES]


def _perplexity(evidence: Evidence, shown: Shown) -> str:
    """Say how many equally likely characters the network chooses between, if it is known."""
    rows = evidence.confirmation
    rows = rows[(rows["arm"] == shown.arm) & (rows["seed"] == shown.seed)]
    losses = {
        name: float(rows[f"{part}.loss"].iloc[0])
        for part, name in (("train", "training"), ("test", "test"))
        if f"{part}.loss" in rows and len(rows) and pd.notna(rows[f"{part}.loss"].iloc[0])
    }
    told = [f"{number(math.exp(loss))} on the {name} part" for name, loss in losses.items()]
    return f": perplexity {' and '.join(told)}" if told else ""
