"""What an experiment's page in MLflow's UI shows: a description, and views that it links to.

A view says which runs, by what, with which columns and charts. MLflow's own button "Share" keeps
such a view as a tag of the experiment, and a link names it. The mirror writes the same tags, so
that the links in the description open a list of arms instead of a flat list of all runs. The
words are those of MLflow 3.17's UI; one that does not know them shows its ordinary list.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from harness.judged import Verdict
from harness.track.messages import ExecutionInfo
from harness.track.runs import metric_key

TAG = "mlflow.sharedViewState."
ARMS, CLAIMS = "arms", "claims"
RUNS, SEARCH, EXECUTIONS = "runs", "search", "executions"
_SECTION = "overview"
_LONGEST_NOTE = 19_000


@dataclass(frozen=True)
class View:
    """One view: its key, what a link to it says, and whether it opens with charts."""

    key: str
    title: str
    state: Mapping[str, Any] = field(repr=False)
    charts: bool = True

    @property
    def tag(self) -> tuple[str, str]:
        """The experiment's tag that holds it, compressed as MLflow's UI does."""
        packed = base64.b64encode(zlib.compress(json.dumps(self.state).encode(), 9)).decode()
        return TAG + self.key, f"deflate;{packed}"

    def link(self, experiment_id: str) -> str:
        """Return its address, relative to the root of the tracking server."""
        return view_link(experiment_id, self.key, charts=self.charts)


def view_link(experiment_id: str, key: str, *, charts: bool = True) -> str:
    """Return the address of a view, relative to the root of the tracking server."""
    mode = "CHART" if charts else "TABLE"
    return (
        f"#/experiments/{experiment_id}/runs?viewStateShareKey={quote(key, safe='')}"
        f"&compareRunsMode={mode}&workflowType=machine_learning"
    )


def views(execution: ExecutionInfo) -> list[View]:
    """Return the views of a study's experiment that show trials and executions as they are.

    None of them averages: MLflow loads the first 100 runs of a list, and would take their average
    for that of all. Averages stand in runs of their own, which `summary_views` shows.
    """
    confirmed, searched = "tags.phase = 'confirmation'", "tags.phase = 'search'"
    factors = [_column("params", name) for name in execution.factors]
    hyperparameters = [_column("params", path) for path in execution.searched]
    quality, selected = execution.primary_metric, execution.selected_by
    costs = ("cost.parameters", "cost.seconds", "cost.pack_size")  # a pack shares its seconds
    shown = [_column("metrics", metric_key(name)) for name in (quality, *costs)]
    low = execution.goal == "minimize"
    trials = _state(confirmed, [_column("tags", "arm"), *shown, *factors], "")
    trials |= {"runsHiddenMode": "SHOW_ALL"} | _charts([_line(selected)])
    search_columns = [_column("metrics", metric_key(selected)), *factors, *hyperparameters]
    search = _state(searched, [_column("tags", "arm"), *search_columns], selected, low=low)
    search |= {"runsHiddenMode": "SHOW_ALL"}
    search |= _charts([_parallel(execution.searched, selected), _line(selected)])
    executions = _state(
        "tags.role = 'execution'",
        [_column("tags", name) for name in ("profile", "state")]
        + [_column("metrics", name) for name in ("trials/complete", "trials/failed")],
        "",
    )
    found = [View(RUNS, "Confirmed runs, one by one", trials)]
    if execution.searched:
        found.append(View(SEARCH, "The searches", search))
    return [*found, View(EXECUTIONS, "Executions, with the report", executions, charts=False)]


def summary_views(execution: ExecutionInfo, *, claims: bool) -> list[View]:
    """Return the views of one execution's summaries: its arms and, where it has any, its claims.

    Each is there twice: under the name of its profile, and as the view of the newest execution.
    """
    quality, profile = execution.primary_metric, execution.profile
    own = f"tags.mirror = '{execution.mirror}'"
    numbers = (quality, "interval.low", "interval.high", "cost.parameters")
    factors = [_column("params", name) for name in execution.factors]
    columns = [_column("metrics", metric_key(name)) for name in numbers]
    columns += [_column("tags", "seeds"), *factors, _column("tags", "claims")]
    low = execution.goal == "minimize"
    arms = _state(f"tags.role = 'arm' and {own}", columns, quality, low=low)
    arms |= {"runsHiddenMode": "SHOW_ALL"}
    arms |= _charts([_bar(quality), _scatter("cost.parameters", quality)])
    told = [_column("tags", name) for name in ("verdict", "says", "claimed", "seeds")]
    effect = [
        _column("metrics", metric_key(n)) for n in ("effect", "interval.low", "interval.high")
    ]
    judged = _state(f"tags.role = 'claim' and {own}", [*told, *effect], "")
    judged |= {"orderByAsc": True}
    found = [View(f"{ARMS}-{profile}", f"Arms of profile {profile}", arms, charts=False)]
    if claims:
        title = f"Claims of profile {profile}"
        found.append(View(f"{CLAIMS}-{profile}", title, judged, charts=False))
    newest = [replace(view, key=view.key.removesuffix(f"-{profile}")) for view in found]
    return [*newest, *found]


def run_link(experiment_id: str, run_id: str, page: str = "") -> str:
    """Return the address of a run's page, relative to the root of the tracking server."""
    place = f"#/experiments/{experiment_id}/runs/{run_id}" + (f"/{page}" if page else "")
    return f"{place}?workflowType=machine_learning"


def note(execution: ExecutionInfo, experiment_id: str, sections: Mapping[str, str]) -> str:
    """Return an experiment's description: question, where to look, verdicts of each profile.

    Args:
        execution: of the study.
        experiment_id: MLflow's, for links.
        sections: Markdown by the name of its tag, as `verdict_section` makes it.
    """
    links = " · ".join(f"[{view.title}]({view.link(experiment_id)})" for view in views(execution))
    parts = [execution.question, *(sections[name] for name in sorted(sections)), links]
    return "\n\n".join(part for part in parts if part)[:_LONGEST_NOTE]


def verdict_section(
    profile: str, verdicts: Sequence[Verdict], links: Mapping[str, str] | None = None
) -> str:
    """Return one profile's verdicts as a Markdown table, under its links: addresses by title."""
    counts = Counter(verdict.verdict for verdict in verdicts)
    summary = ", ".join(f"{count} {answer}" for answer, count in counts.items())
    lines = [
        f"### Profile {profile}: {summary or 'no claims'}",
        "",
        *([" · ".join(f"[{says}]({to})" for says, to in links.items()), ""] if links else []),
    ]
    if verdicts:
        lines += ["| claim | verdict | effect [interval] | seeds |", "|---|---|---|---|"]
    for verdict in verdicts:
        says = f"{verdict.says} ({scope})" if (scope := verdict.scope.words) else verdict.says
        says = says.replace("|", "\\|").replace("\n", " ")
        lines.append(f"| {says} | **{verdict.words}** | {_effect(verdict)} | {verdict.counted} |")
    return "\n".join(lines).rstrip()


def _effect(verdict: Verdict) -> str:
    if verdict.effect is None:
        return "–"
    if verdict.ci_low is None or verdict.ci_high is None:
        return f"{verdict.effect:.4g}"
    return f"{verdict.effect:.4g} [{verdict.ci_low:.4g}, {verdict.ci_high:.4g}]"


def _state(search: str, columns: Sequence[str], order: str, *, low: bool = False) -> dict[str, Any]:
    """Return the filter, the order (low values first or last) and the columns of a view."""
    by = _column("metrics", metric_key(order)) if order else "attributes.start_time"
    return {
        "searchFilter": search,
        "orderByKey": by,
        "orderByAsc": bool(order) and low,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "selectedColumns": list(columns),
        "groupBy": None,
    }


def _column(kind: str, name: str) -> str:
    return f"{kind}.`{name}`"


def _charts(cards: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return these charts in a section of their own, before those that MLflow makes."""
    section = {
        "uuid": _SECTION, "name": "Overview", "display": True, "isReordered": True,
        "deleted": False, "isGenerated": False,
    }  # fmt: skip
    shared = {"metricSectionId": _SECTION, "deleted": False, "isGenerated": False}
    numbered = [
        {"uuid": f"{_SECTION}-{n}", **shared, **card} for n, card in enumerate(cards, start=1)
    ]
    return {
        "compareRunCharts": numbered,
        "compareRunSections": [section],
        "isAccordionReordered": True,
    }


def _line(metric: str) -> dict[str, Any]:
    name = metric_key(metric)
    return {
        "type": "LINE", "metricKey": name, "selectedMetricKeys": [name], "displayName": name,
        "runsCountToCompare": 100, "lineSmoothness": 0, "scaleType": "linear",
        "xAxisScaleType": "linear", "xAxisKey": "step", "yAxisKey": "metric", "range": {},
        "selectedXAxisMetricKey": "", "yAxisExpressions": [], "ignoreOutliers": False,
        "useGlobalXaxisKey": True, "useGlobalLineSmoothing": True,
    }  # fmt: skip


def _bar(metric: str) -> dict[str, Any]:
    name = metric_key(metric)
    return {"type": "BAR", "metricKey": name, "displayName": name, "runsCountToCompare": 100}


def _scatter(across: str, up: str) -> dict[str, Any]:
    axes = {
        axis: {"key": metric_key(metric), "type": "METRIC"}
        for axis, metric in (("xaxis", across), ("yaxis", up))
    }
    return {"type": "SCATTER", "runsCountToCompare": 100, **axes}


def _parallel(params: Sequence[str], metric: str) -> dict[str, Any]:
    return {
        "type": "PARALLEL", "selectedParams": list(params), "runsCountToCompare": 100,
        "selectedMetrics": [metric_key(metric)], "showAllRuns": True,
    }  # fmt: skip
