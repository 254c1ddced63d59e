"""Settings and declarations in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from harness.evidence import Evidence
from harness.figures._labels import metric_name
from harness.formatting import plural
from harness.study import Study


def when(moment: float | None) -> str:
    """Write a moment, in universal time."""
    if moment is None:
        return "not ended"
    return datetime.fromtimestamp(moment, UTC).strftime("%d %B %Y, %H:%M UTC").lstrip("0")


def day(moment: float | None) -> str:
    """Write the day of a moment, in universal time."""
    return when(moment).partition(",")[0]


def origin(evidence: Evidence, published: bool) -> str:
    """Say where records come from that were not made here; else nothing."""
    execution = evidence.execution
    if execution.context.get("imported"):
        origin_ = imported_from(execution.context).partition(" experiment")[0].removeprefix("the ")
        return f"Runs trained elsewhere, imported from {origin_} on {day(execution.ended)}"
    return f"Published records: run on {day(execution.ended)}" if published else ""


def imported_from(context: Mapping[str, Any]) -> str:
    """Say where runs of other code were read from; records of earlier versions were in MLflow."""
    imported = context.get("imported", {})
    return str(imported.get("from") or f"the MLflow experiment “{imported.get('experiment')}”")


def setting_in_short(evidence: Evidence) -> str:
    """Say in a line what a profile consists of: data, epochs, seeds."""
    study, imported = evidence.plan.study, evidence.execution.context.get("imported")
    trained = f"{study.workload.data.name}, {plural(study.workload.epochs, 'epoch')}"
    if study.datasets is not None:
        methods, datasets = (len(study.factors[name].levels)
                             for name in (study.design.methods, study.datasets))  # fmt: skip
        trained = f"{plural(methods, 'method')} on {plural(datasets, 'data set')}"
    if imported:
        trained = imported_from(evidence.execution.context).removeprefix("the ")
        trained = trained.replace("“", "").replace("”", "")
    return (
        f"{trained}, {seeds_in_words(study)}, {plural(len(evidence.plan.arms), 'arm')},"
        f" measured by {metric_name(evidence.primary_metric)}"
    )


def seeds_in_words(study: Study) -> str:
    """Write how many seeds confirm an arm: a number, or the instalments of a sequential study."""
    if len(study.looks) == 1:
        return plural(study.most_seeds, "seed")
    return f"{study.first_seeds} to {plural(study.most_seeds, 'seed')}"


def in_words(values: Mapping[str, Any]) -> str:
    """Write nested settings on one line: "mlp (depth 8, width 64)"."""
    parts = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            parts.append(f"{name}: {in_words(value)}")
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
