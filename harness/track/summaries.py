"""Runs that sum up others: one for each arm, and one for each claim.

MLflow's list of runs loads a hundred at a time, and a group of runs shows the average of those that
are loaded. So the average of an arm's seeds, its interval and the verdicts are runs of their own.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.judged import Verdict
from harness.track.client import Refused, TrackingStore
from harness.track.messages import ArmSummary, Ending, ExecutionInfo
from harness.track.runs import PARENT_TAG, Update, key, metric_points, milliseconds, tags_of
from harness.track.views import run_link, summary_views, verdict_section

_AT_ONCE = 100


def summary_runs(execution: ExecutionInfo, ending: Ending, parent: str) -> list[Update]:
    """Return the runs of an execution's arms and claims, in the order of the study.

    Args:
        execution: that they sum up.
        ending: with its arms and verdicts.
        parent: id of the execution's run.
    """
    begin = milliseconds(ending.ended)
    found = [_of_arm(arm, begin) for arm in ending.arms]
    found += [_of_claim(verdict, begin) for verdict in ending.verdicts]
    shared = {
        "study": execution.study,
        "profile": execution.profile,
        "execution_id": execution.execution_id,
        "mirror": execution.mirror,
        "owner": execution.owner,
        PARENT_TAG: parent,
    }
    for place, run in enumerate(found):
        run.tags = tags_of({**run.tags, **shared, "summary": run.tags["role"]})
        run.started = run.ended = begin + place  # lists are sorted by it
    return found


def description(
    execution: ExecutionInfo, ending: Ending, experiment_id: str, parent: str
) -> tuple[str, dict[str, str]]:
    """Return what is told of a profile, in Markdown, and the experiment's tags that hold it.

    Its links lead to this execution's arms, claims and report.
    """
    shown = summary_views(execution, claims=bool(ending.verdicts)) if ending.arms else []
    links = {v.title: v.link(experiment_id) for v in shown}  # of two of a title, the profile's
    if ending.report:
        page = run_link(experiment_id, parent, "artifacts/report/index.html")
        links[f"The report of profile {execution.profile}"] = page
    section = verdict_section(execution.profile, ending.verdicts, links)
    tags = dict(view.tag for view in shown)
    return section, {f"verdicts.{execution.profile}": section, **tags}


class Summaries:
    """The summaries of one execution, and which of them are written; `refused` says of one why."""

    def __init__(self, execution: ExecutionInfo, ending: Ending, parent: str) -> None:
        self.runs = summary_runs(execution, ending, parent)
        self.refused = ""
        self._execution = execution
        self._left = list(self.runs)

    def write(self, store: TrackingStore, experiment_id: str) -> None:
        """Write what is not written yet, and remove the summaries that these replace.

        Those are of the same profile and results folder, or were left by an answer that got lost.

        Raises:
            Exception: whatever MLflow raises when it is in trouble; then it can be done again.
        """
        while self._left:
            some = self._left[: _AT_ONCE if store.takes_batches else 1]
            try:
                if store.takes_batches:
                    store.write(experiment_id, some)
                    del self._left[: len(some)]
                    continue
            except Refused:
                pass  # of one of them, which the next lines find out
            for run in some:
                self._offer(store, experiment_id, run)
                self._left.remove(run)
        kept = {run.run_id for run in self.runs}
        for found in list(store.summaries(experiment_id, self._execution.profile)):
            if found.tags.get("owner") == self._execution.owner and found.run_id not in kept:
                store.remove(found.run_id)

    def _offer(self, store: TrackingStore, experiment_id: str, run: Update) -> None:
        """Write one run by itself, and note it if that is refused as well."""
        try:
            store.write_one(experiment_id, run)
        except Refused as refusal:
            self.refused = f"{run.name}: {refusal}"


def _of_arm(arm: ArmSummary, when: int) -> Update:
    metrics = {**arm.metrics, "seeds.complete": arm.complete}
    if arm.interval is not None:
        metrics |= {"interval.low": arm.interval[0], "interval.high": arm.interval[1]}
    claims = "; ".join(f"{id_}: {verdict}" for id_, verdict in arm.claims.items())
    tags = {"role": "arm", "arm": arm.arm, "seeds": arm.seeds, "claims": claims}
    params = {key(name): str(level) for name, level in arm.levels.items()}
    return _update(arm.arm, tags, metrics, params, when)


def _of_claim(verdict: Verdict, when: int) -> Update:
    bounds = {"interval.low": verdict.ci_low, "interval.high": verdict.ci_high}
    numbers = {"effect": verdict.effect, **bounds}
    metrics = {name: value for name, value in numbers.items() if value is not None}
    tags = {
        "role": "claim",
        "verdict": verdict.words,
        "says": verdict.says,
        "measures": verdict.measures,
        "claimed": verdict.expected,
        "seeds": verdict.counted,
        "reason": verdict.reason,
        "noted": verdict.flag,
    }
    return _update(verdict.id, {n: t for n, t in tags.items() if t}, metrics, {}, when)


def _update(
    name: str,
    tags: Mapping[str, str],
    metrics: Mapping[str, float],
    params: Mapping[str, str],
    when: int,
) -> Update:
    points = metric_points(metrics, when)
    return Update("", name[:250], tags, params, None, points, when, when, "FINISHED")
