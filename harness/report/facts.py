"""What was planned, what came otherwise, where it ran, and how to run it again."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from harness.evidence import Evidence
from harness.figures._labels import metric_name
from harness.plan import data_key
from harness.study import Study
from harness.study.search import Search
from harness.trial import trained_elsewhere
from harness.wording import level_text, listed, parameter_name, plural, seconds

Facts = list[tuple[str, str]]
_AT_MOST = re.compile(r"^(\d+) at most")


def when(moment: float | None) -> str:
    """Write a moment, in universal time."""
    if moment is None:
        return "not ended"
    return datetime.fromtimestamp(moment, UTC).strftime("%d %B %Y, %H:%M UTC").lstrip("0")


def day(moment: float | None) -> str:
    """Write the day of a moment, in universal time."""
    return when(moment).partition(",")[0]


def execution_facts(evidence: Evidence) -> Facts:
    """Say when the execution ran, how it ended, and how much of it was already there."""
    execution = evidence.execution
    reused = int(evidence.trials["reused"].sum())
    took = seconds(execution.wall_seconds) if execution.wall_seconds is not None else "not known"
    if reused:
        took += f" (with {reused:,} of {plural(len(evidence.trials), 'result')} already at hand)"
    return [
        ("Execution", f"number {execution.id}, {execution.status}"),
        ("Started", when(execution.started)),
        ("Took", took),
    ]


def planned(evidence: Evidence) -> Facts:
    """Say what was declared before the run."""
    plan, study = evidence.plan, evidence.plan.study
    facts = [
        (f"Factor {name}", f"{listed([level_text(level) for level in factor.levels])}"
         + (f" (sets {factor.path})" if factor.path else ""))
        for name, factor in study.factors.items()
    ]  # fmt: skip
    named = [arm.name for arm in plan.arms if arm.named]
    facts += [
        ("Design", study.design),
        (
            "Arms",
            f"{len(plan.arms)}" + (f", of which named singly: {listed(named)}" if named else ""),
        ),
        ("Baseline arm", plan.baseline.name),
        ("Simple baseline", (study.simple_model or "none").replace("_", " ")),
        ("Workload", _workload(study)),
    ]
    if study.search is None:
        facts.append(("Search", "none: hyperparameters are fixed"))
    else:
        facts += [
            (
                "Search, for each arm",
                f"{budget_in_words(study.search)} by {study.search.sampler}, each candidate on"
                f" {plural(study.search.seeds, 'search seed')}, chosen by"
                f" {metric_name(plan.search_metric(plan.baseline))}",
            ),
            ("Search space", _space(study.search)),
        ]
    facts += [
        (f"Pretraining {name}", _settings(stage.trial.workload))
        for name, stage in plan.stages.items()
    ]
    counts = plan.trial_counts()
    total = sum(counts.values())
    least = "at least " if len(study.looks) > 1 else ""
    phases = listed([f"{count:,} {phase}" for phase, count in counts.items()])
    facts += [
        ("Confirmation", f"{_seeds(study)} for every arm, disjoint from the search"),
        ("Trials", f"{least}{total:,} ({phases})"),
        ("Error rate of all claims together", f"{study.alpha:g}"),
        ("Hash of the plan", evidence.execution.plan_hash),
        ("Overrides", _overrides(plan.overrides) or "none"),
    ]  # fmt: skip
    return facts


def origin(evidence: Evidence, *, published: bool) -> str:
    """Say where records come from that were not made here; else nothing."""
    execution = evidence.execution
    if execution.context.get("imported"):
        return f"Runs trained elsewhere, imported from MLflow on {day(execution.ended)}"
    if not published:
        return ""
    code = execution.context.get("environment", {}).get("code", "not recorded")
    return (
        f"Published records: run on {day(execution.ended)} by version {code} of the training code"
    )


def environments(evidence: Evidence) -> Facts:
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


def data_facts(evidence: Evidence) -> Facts:
    """Name the data sets with their fingerprints and duplicates."""
    context = evidence.execution.context
    if context.get("imported"):
        return [("Data", "not known here: the runs were trained elsewhere")]
    duplicates = context.get("duplicates", {})
    facts: Facts = []
    for arm in evidence.plan.all_arms:
        data = arm.workload["data"]
        mark = evidence.plan.fingerprints.get(data_key(arm.workload), "none recorded")
        text = f"fingerprint {mark}"
        if data["name"] in duplicates:
            count = duplicates[data["name"]]
            text += f", {count if count else 'no'} exact duplicate{'' if count == 1 else 's'}"
        entry = (_settings(data), text)
        if entry not in facts:
            facts.append(entry)
    return facts


def command(evidence: Evidence) -> str:
    """Return the command that runs this study again, as it was run."""
    execution = evidence.execution
    if not execution.context["file"]:
        return "harness.api.run(...), with the study that is declared below"
    imported = execution.context.get("imported")
    parts = ["harness", "import-mlflow" if imported else "run", str(execution.context["file"])]
    if execution.profile != "default":
        parts += ["--profile", execution.profile]
    for path, value in evidence.plan.overrides.items():
        text = value if isinstance(value, str) else json.dumps(value)
        parts += ["--set", f"{path}={text}"]
    return shlex.join(parts)


def setting_in_short(evidence: Evidence) -> str:
    """Say in a line what a profile consists of: data, epochs, seeds."""
    study, imported = evidence.plan.study, evidence.execution.context.get("imported")
    trained = f"{study.workload.data.name}, {plural(study.workload.epochs, 'epoch')}"
    if imported:
        trained = f"MLflow experiment {imported.get('experiment')}"
    return (
        f"{trained}, {_seeds(study)}, {plural(len(evidence.plan.arms), 'arm')},"
        f" measured by {metric_name(evidence.primary_metric)}"
    )


def _workload(study: Study) -> str:
    """Write the workload; of runs that were trained elsewhere, what is said of them."""
    workload = study.workload.model_dump(mode="json")
    return _settings(workload["training"] if trained_elsewhere(workload) else workload)


def _seeds(study: Study) -> str:
    """Write how many seeds confirm an arm: a number, or the instalments of a sequential study."""
    if len(study.looks) == 1:
        return plural(study.most_seeds, "seed")
    return f"{study.first_seeds} to {plural(study.most_seeds, 'seed')}"


def _settings(values: Mapping[str, Any]) -> str:
    """Write nested settings on one line: "mlp (depth 8, width 64)"."""
    parts = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            parts.append(f"{name}: {_settings(value)}")
        elif name != "name" and value is not None:
            parts.append(f"{name.replace('_', ' ')} {value}")
    inner = (
        ", ".join(parts)
        if not any(isinstance(v, Mapping) for v in values.values())
        else "; ".join(parts)
    )
    if "name" not in values:
        return inner
    return f"{values['name']} ({inner})" if inner else str(values["name"])


def _space(search: Search) -> str:
    kinds = {"log": "evenly in the logarithm", "uniform": "evenly", "integer": "whole numbers"}
    parts = []
    for path, dimension in search.space.items():
        kind, bounds = dimension.kind, dimension.values
        if kind == "choice":
            text = f"one of {listed([level_text(bound) for bound in bounds])}"
        else:
            text = f"from {bounds[0]:g} to {bounds[1]:g}, {kinds.get(kind, kind)}"
        where = [f"{key} {_either(value)}" for key, value in dimension.on.items()]
        where += [f"{key} is {_either(value)}" for key, value in dimension.when.items()]
        only = f", only for {listed(where)}" if where else ""
        parts.append(f"{parameter_name(path)} ({path}) {text}{only}")
    return "; ".join(parts)


def _either(value: Any) -> str:
    return " or ".join(map(str, value)) if isinstance(value, list) else str(value)


def budget_in_words(search: Search) -> str:
    """Say what the search of one arm may spend, how often it is done, and who is stopped."""
    text = plural(search.candidates, "candidate") if search.candidates else ""
    if search.epochs is not None:
        text = plural(search.epochs, "epoch") + (f", at most {text}," if text else "")
    if search.repeats > 1:
        text += f", {search.repeats} times over,"
    if search.pruning is not None:
        text += f" with {search.pruning.name.replace('_', ' ')}"
    return text


def _overrides(overrides: Mapping[str, Any]) -> str:
    return ", ".join(f"{path} = {json.dumps(value)}" for path, value in overrides.items())
