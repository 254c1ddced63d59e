"""Where data and trials come from, how to repeat them, and each of them singly."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.evidence import Evidence
from harness.formatting import plural
from harness.integrity import evidence_digest
from harness.plan import data_key
from harness.report.blocks import Block, Code, Facts, Form, Heading
from harness.report.panels.base import Panel
from harness.report.settings import in_words

if TYPE_CHECKING:
    from harness.report.view import ProfileView

_AT_MOST = re.compile(r"^(\d+) at most")
_APART = """\
<p>The {{ "{:,}".format(trials|length) }} confirmation trials, which are the evidence, stand on \
pages of their own:</p>
<p class="trials">{% for table in trials.tables %}<a href="{{ trials.page_name(loop.index0) }}">\
{{ table.rows[0][1].text }}{% if table.rows[0][1].text != table.rows[-1][1].text %} to \
{{ table.rows[-1][1].text }}{% endif %}</a> {% endfor %}</p>
"""


class Origin(Panel):
    """Where data and trials come from, how to repeat them, and each of them singly."""

    name = "origin"
    title = "Data, environment, how to repeat it"
    contents = "Data and environment"
    order = 140

    def blocks(self, report: ProfileView) -> Sequence[Block | None]:
        """See `Panel`."""
        evidence = report.evidence
        return (
            Heading("Data"),
            report.part("the facts of the data", lambda: Facts(data_facts(evidence))),
            report.part("the digest", lambda: Facts(digests(evidence))),
            Heading("Environment"),
            report.part("the environment", lambda: Facts(environments(evidence))),
            Heading("To run it again"),
            report.part("the command", lambda: Code(command(evidence))),
            *_single_trials(report),
        )


def _single_trials(report: ProfileView) -> Sequence[Block]:
    """Show every confirmation trial, on the page or on pages of their own; Markdown has none."""
    trials = report.trials
    if not len(trials):
        return ()
    if trials.apart:
        shown = _APART
    else:
        shown = (
            "<details><summary>{{ trials.tables[0].caption }} ({{ trials|length }})</summary>\n"
            "{{ parts.table(trials.tables[0], view.name) }}\n</details>\n"
        )
    return (Form("<h4>Single trials</h4>\n" + shown, "", {"trials": trials}),)


def digests(evidence: Evidence) -> list[tuple[str, str]]:
    """Give the digest of what the verdicts rest on, and how to compute it again."""
    count, study = len(evidence.confirmation), evidence.execution.study
    text = (
        f"digest {evidence_digest(evidence)} of the plan and {plural(count, 'confirmation trial')};"
        f" “harness verify {study}” computes it and the verdicts again"
    )
    return [("Evidence", text)]


def environments(evidence: Evidence) -> list[tuple[str, str]]:
    """Say what the trials ran on, and what the conductor ran with."""
    words = {"device": "Device", "device_name": "Processor", "system": "System",
             "threads": "threads", "torch": "PyTorch", "python": "Python",
             "undone": "put back after own code:", "left": "left by own code:"}  # fmt: skip
    alike: dict[str, list[str]] = {}
    for found in evidence.environments:
        parts = [f"{words.get(k, k)} {value}" for k, value in found.items() if k != "packing"]
        alike.setdefault(", ".join(parts), []).append(str(found.get("packing", "")))
    facts = []
    for index, (text, packings) in enumerate(alike.items(), 1):
        name = f"Trials, environment {index}" if len(alike) > 1 else "Trials"
        facts.append((name, text + _packing(packings)))
    packages = evidence.execution.context.get("environment", {})
    if packages:
        text = ", ".join(f"{name} {value}" for name, value in packages.items())
        facts.append(("Study", text))
    return facts


def _packing(said: Sequence[str]) -> str:
    """Say how many networks trained together, of texts such as "8 at most: 2 ms a step"."""
    sizes = [int(size) for text in said for size in _AT_MOST.findall(text)]
    if not sizes:
        return ""
    alone = ", or alone" if any(text.startswith("alone") for text in said) else ""
    return f"; up to {max(sizes)} networks trained together{alone}"


def data_facts(evidence: Evidence) -> list[tuple[str, str]]:
    """Name the data sets with their fingerprints and duplicates."""
    context = evidence.execution.context
    if context.get("imported"):
        return [("Data", "not known here: the runs were trained elsewhere")]
    duplicates = context.get("duplicates", {})
    facts: list[tuple[str, str]] = []
    for arm in evidence.plan.all_arms:
        data = arm.workload["data"]
        mark = evidence.plan.fingerprints.get(data_key(arm.workload), "none recorded")
        text = f"fingerprint {mark}"
        if data["name"] in duplicates:
            count = duplicates[data["name"]]
            text += f", {count if count else 'no'} exact duplicate{'' if count == 1 else 's'}"
        entry = (in_words(data), text)
        if entry not in facts:
            facts.append(entry)
    return facts


def command(evidence: Evidence) -> str:
    """Return the command that runs this study again, as it was run."""
    execution = evidence.execution
    if not execution.context["file"]:
        return "harness.api.run(...), with the study that is declared below"
    imported = execution.context.get("imported")
    parts = ["harness", "run", str(execution.context["file"])]
    if imported:
        parts[1] = "import-mlflow" if imported.get("experiment") else "import"
        parts += [str(imported["address"])] if imported.get("address") else []
    if execution.profile != "default":
        parts += ["--profile", execution.profile]
    for path, value in evidence.plan.overrides.items():
        text = value if isinstance(value, str) else json.dumps(value)
        parts += ["--set", f"{path}={text}"]
    return shlex.join(parts)
