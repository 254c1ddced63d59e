"""What networks are like inside: the pictures of probes, and the texts that networks wrote."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.evidence import Evidence, shown_by
from harness.probes.base import Sample
from harness.report.blocks import Block, Form
from harness.report.panels.base import Panel

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


def written(evidence: Evidence) -> Sequence[Sample]:
    """Return texts that probes show."""
    probes = {probe.name: probe for probe in evidence.plan.study.probes}
    found = [
        sample
        for probe in probes.values()
        for sample in probe.excerpts(shown_by(evidence, type(probe)), evidence)
    ]
    return found[:MOST_SAMPLES]
