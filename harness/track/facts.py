"""From trials and records to what MLflow can hold: names, tags, params, metrics."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.track.messages import ExecutionInfo, TrialInfo
from harness.trial import Record, State, Trial

PARENT_TAG = "mlflow.parentRunId"
DATA_SOURCE = ("local", '{"uri": "harness"}')
"""Kind and place of every data set, as MLflow wants to know them."""
DATA_CONTEXT = ("mlflow.data.context", "training")
LOST = "lost"
"""State of a run whose trial never finished while this mirror could see it."""

RUN_STATUS = {
    State.COMPLETE: "FINISHED",
    State.PRUNED: "KILLED",
    State.DIVERGED: "FAILED",
    State.FAILED: "FAILED",
}

_NOT_ALLOWED = re.compile(r"[^\w\-. :/]")
_LONGEST_KEY = 250
_LONGEST_PARAM = 6000
LONGEST_TAG = 8000
_LONGEST_NOTE = 19_000


@dataclass(frozen=True)
class Point:
    """One value of a metric; `time` in milliseconds since 1970."""

    name: str
    value: float
    time: int
    step: int


@dataclass(frozen=True)
class TrialFacts:
    """A trial as MLflow shows it."""

    name: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    data_name: str
    data_digest: str
    data_schema: str = ""
    data_profile: str = ""


@dataclass(frozen=True)
class Page:
    """What is to be written about one trial at a time; times in milliseconds since 1970.

    Without a `run_id` it opens a run, whose tags and params are all here; with one it adds to a
    run. `ended` is 0 for a run that goes on.
    """

    run_id: str
    facts: TrialFacts
    tags: Mapping[str, str]
    params: Mapping[str, str]
    points: Sequence[Point]
    started: int
    ended: int
    status: str


def milliseconds(seconds: float) -> int:
    """Return MLflow's clock: whole milliseconds since 1970."""
    return int(seconds * 1000)


def key(name: str) -> str:
    """Return a name that MLflow accepts for a metric, param or tag."""
    return _NOT_ALLOWED.sub("_", name)[:_LONGEST_KEY]


def metric_key(name: str) -> str:
    """Return the name of a metric in MLflow, which makes a section of charts of what stands before
    a slash: `validation.loss` is `validation/loss` there."""
    return key(name.replace(".", "/", 1))


def tags_of(values: Mapping[str, object]) -> dict[str, str]:
    """Return tags that MLflow accepts."""
    return {key(name): str(value)[:LONGEST_TAG] for name, value in values.items()}


def describe_trial(trial: Trial, info: TrialInfo, execution: ExecutionInfo) -> TrialFacts:
    """Say what the child run of a trial is called and tagged with, apart from its parent."""
    tags: dict[str, object] = {
        "trial_id": trial.id,
        "study": execution.study,
        "profile": execution.profile,
        "execution_id": execution.execution_id,
        "mirror": execution.mirror,
        "owner": execution.owner,
        "arm": info.arm,
        "phase": trial.phase.value,
        "seed": trial.seed,
        "role": "trial",
    }
    if info.candidate is not None:
        tags["candidate"] = info.candidate
    params = {**flatten(trial.workload), **info.hyperparameters, **info.levels, "seed": trial.seed}
    data = trial.workload.get("data")
    data_name = data.get("name", "data") if isinstance(data, Mapping) else data
    described = execution.data.get(trial.data_fingerprint, {})
    return TrialFacts(
        name=info.name or _run_name(trial, info),
        tags=tags_of(tags),
        params={key(name): str(value)[:_LONGEST_PARAM] for name, value in params.items()},
        data_name=str(data_name or "data")[:_LONGEST_KEY],
        data_digest=trial.data_fingerprint[:36],
        data_schema=str(described.get("schema", "")),
        data_profile=str(described.get("profile", "")),
    )


def describe_data(examples: int, shape: Sequence[int], dtype: str) -> dict[str, str]:
    """Return schema and profile of a data set, as the UI's panel of data sets reads them.

    Args:
        examples: outside the test split.
        shape: of one input.
        dtype: of the inputs.
    """
    spec = {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": [-1, *shape]}}
    schema = {"mlflow_tensorspec": {"features": json.dumps([spec])}}
    return {"schema": json.dumps(schema), "profile": json.dumps({"num_rows": examples})}


def _run_name(trial: Trial, info: TrialInfo) -> str:
    candidate = "" if info.candidate is None else f" candidate {info.candidate}"
    return f"{info.arm} {trial.phase.value}{candidate} seed {trial.seed}"[:_LONGEST_KEY]


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one with dotted names, as study files write paths."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def curve_points(
    curve: Iterable[Mapping[str, float]], time_of: Mapping[int, int] | int
) -> list[Point]:
    """Return the metrics of epochs; a value that is not a finite number is absent."""
    points = []
    for position, values in enumerate(curve, start=1):
        step = int(values.get("epoch", position))
        time = time_of if isinstance(time_of, int) else time_of[step]
        points += [
            Point(metric_key(name), float(value), time, step)
            for name, value in values.items()
            if name != "epoch" and _finite(value)
        ]
    return points


def record_points(record: Record, steps_present: Iterable[int] = ()) -> list[Point]:
    """Return what a finished run must hold and does not yet: missing epochs, results, costs.

    A result that is also measured every epoch is called `selected/<name>`, so that MLflow's
    newest-value columns mean one thing. Results stand at step 0, of which MLflow makes bars where
    it makes lines of later ones. Epochs are spread evenly over the time of the trial.
    """
    present = set(steps_present)
    missing = [
        values
        for position, values in enumerate(record.curve, start=1)
        if int(values.get("epoch", position)) not in present
    ]
    begin, end = milliseconds(record.started), milliseconds(record.ended)
    steps = [int(values.get("epoch", n)) for n, values in enumerate(record.curve, start=1)]
    times = {step: begin + (end - begin) * (n + 1) // len(steps) for n, step in enumerate(steps)}
    measured = {name for values in record.curve for name in values}
    results = {
        **{f"selected.{k}" if k in measured else k: v for k, v in record.metrics.items()},
        **{f"cost.{k}": v for k, v in record.cost.items()},
    }
    return curve_points(missing, times) + [
        Point(metric_key(name), float(value), end, 0)
        for name, value in results.items()
        if _finite(value)
    ]


def record_tags(record: Record) -> dict[str, str]:
    """Return how a trial ended; an exception's traceback keeps its end, which says most."""
    tags: dict[str, object] = {"state": record.state.value, "attempt": record.attempt}
    if record.reason:
        tags["reason"] = record.reason[-5000:]
    if record.selected_epoch is not None:
        tags["selected_epoch"] = record.selected_epoch
    return tags_of(tags)


def answers(found_state: str, record: Record) -> bool:
    """Whether a run that ended in this state already stands for the record.

    What a trial yields is determined by its identity, so a run that was complete, pruned or
    diverged stays; only a failure, which may be cured, gives way to another outcome.
    """
    settled = {State.COMPLETE.value, State.PRUNED.value, State.DIVERGED.value}
    return found_state in settled or found_state == record.state.value


def note(question: str, links: Sequence[tuple[str, str]], sections: Mapping[str, str]) -> str:
    """Return an experiment's description: question, verdicts of each profile, where to look.

    Args:
        question: of the study.
        links: pairs of a title and an address.
        sections: Markdown by the name of its tag.
    """
    where = " · ".join(f"[{title}]({address})" for title, address in links)
    answers = [sections[name] for name in sorted(sections)]
    parts = [question, where, *answers]
    return "\n\n".join(part for part in parts if part)[:_LONGEST_NOTE]


def verdict_section(
    execution: ExecutionInfo, verdicts: Sequence[Mapping[str, Any]], report: str = ""
) -> str:
    """Return one profile's verdicts as a Markdown table; `report` is the address of its report."""
    counts = Counter(verdict["verdict"] for verdict in verdicts)
    summary = ", ".join(f"{count} {answer}" for answer, count in counts.items())
    lines = [
        f"### Profile {execution.profile}: {summary}",
        "",
        "| claim | verdict | effect [interval] | seeds |",
        "|---|---|---|---|",
    ]
    for verdict in verdicts:
        says = str(verdict["says"]).replace("|", "\\|").replace("\n", " ")
        lines.append(
            f"| {says} | **{verdict['verdict']}** | {_effect(verdict)} | {verdict['seeds']} |"
        )
    if report:
        lines += ["", f"[The report of profile {execution.profile}]({report})"]
    return "\n".join(lines)


def _effect(verdict: Mapping[str, Any]) -> str:
    effect, low, high = verdict["effect"], verdict["ci_low"], verdict["ci_high"]
    if effect is None:
        return "–"
    interval = "" if low is None or high is None else f" [{low:.4g}, {high:.4g}]"
    return f"{effect:.4g}{interval}"


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
