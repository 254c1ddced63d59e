"""The run as MLflow sees it: an observer that hands everything to the mirror."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.formatting import plural
from harness.plan import Assignment, Plan
from harness.run.observer import Closing, Observer, Opening
from harness.run.prepare import data_configs
from harness.study import InputError, Problem
from harness.track import DataInfo, ExecutionInfo, Mirror, MirrorStatus, TrialInfo
from harness.trial import Progress, Record
from harness.workloads import summary

_SETTLES = 60.0  # seconds for MLflow to take the rest before a timing block
_SILENT = 20.0  # seconds of waiting for MLflow at the end of a run before it is said
_PATIENCE = 5.0  # seconds for MLflow to take the rest of a run that was interrupted


class MirrorObserver(Observer):
    """Mirrors one execution. MLflow's troubles are told on standard error, and never raised."""

    def __init__(self, tracking_uri: str | None, results: Path):
        try:
            self._mirror = Mirror(tracking_uri, results)
        except ValueError as error:  # an address that MLflow could not use
            raise InputError([Problem(str(error), "--tracking-uri")]) from None
        self._levels: dict[str, Mapping[str, Any]] = {}

    def awaited(self) -> None:
        """Import MLflow meanwhile."""
        self._mirror.prepare()

    def called_off(self) -> None:
        """Leave no process behind."""
        self._mirror.close()

    def opened(self, opening: Opening) -> None:
        """Open the parent run."""
        plan = opening.plan
        self._levels = {arm.name: arm.levels for arm in plan.all_arms}
        selected = plan.metric(plan.search_metric(plan.baseline))
        self._mirror.start(
            ExecutionInfo(
                study=plan.study.study,
                profile=plan.profile,
                execution_id=str(opening.execution),
                question=plan.study.question,
                plan_hash=plan.hash,
                primary_metric="test." + selected.name.partition(".")[2],
                selected_by=selected.name,
                goal=selected.goal,
                data=_data_sets(plan),
                arms=tuple(arm.name for arm in plan.all_arms),
                factors=tuple(plan.study.factors),
                searched=_searched(plan),
            )
        )

    def started(self, assignment: Assignment) -> None:
        """Open the trial's run."""
        self._mirror.trial_started(assignment.trial, self._info(assignment))

    def progressed(self, progress: Progress) -> None:
        """Log the metrics of the epochs."""
        self._mirror.progress(progress)

    def finished(self, record: Record, assignments: Sequence[Assignment], reused: bool) -> None:
        """Close the trial's run; of a reused record MLflow may have missed it."""
        self._mirror.trial_finished(record, self._info(assignments[0]))

    def settle(self) -> None:
        """Wait until MLflow has what was told, for a minute at most."""
        self._mirror.settle(_SETTLES)

    def closed(self, closing: Closing) -> None:
        """Close the parent run with the verdicts and the report."""
        interrupted = closing.status == "interrupted"  # then nobody waits, or waits for words
        self._mirror.sum_up(closing.arms)
        status = self._finish(closing, at_most=_PATIENCE if interrupted else math.inf)
        self._mirror.close()
        if interrupted:
            return
        if status.slow_reason:
            sys.stderr.write(
                "harness: MLflow was written one call after another, the slower way: "
                f"{status.slow_reason}\n"
            )
        if status.pending:
            sys.stderr.write(
                f"harness: MLflow has not taken {plural(status.pending, 'run')} yet"
                f" ({status.error}); nothing is lost, the next run of this study sends what is"
                " missing\n"
            )
        elif status.error:
            sys.stderr.write(
                f"harness: MLflow has every trial, but not the whole report ({status.error})\n"
            )

    def _finish(self, closing: Closing, *, at_most: float) -> MirrorStatus:
        """Wait until MLflow has all of it, and say so where that takes long."""
        counts = {f"trials.{state}": float(count) for state, count in closing.counts.items()}
        costs = {f"cost.{unit}": value for unit, value in closing.costs.spent.items()}
        costs |= {f"forecast.{unit}": value for unit, value in closing.costs.forecast.items()}
        silent = threading.Timer(_SILENT, self._say_what_is_awaited)
        silent.start()
        try:
            return self._mirror.finish(
                closing.status,
                closing.verdicts,
                report=closing.report,
                metrics=counts | costs | {"wall_seconds": closing.wall_seconds},
                at_most=at_most,
            )
        finally:
            silent.cancel()

    def _say_what_is_awaited(self) -> None:
        pending = plural(self._mirror.status().pending, "run")
        sys.stderr.write(
            f"harness: waiting for MLflow, which has not taken {pending} and the report yet;"
            " everything is recorded, and if you interrupt now the next run sends it\n"
        )

    def lacks(self, study: str, execution: int, trial_ids: Sequence[str]) -> bool:
        """Whether MLflow lacks anything of it, or cannot be asked in no time."""
        return not self._mirror.holds(study, str(execution), trial_ids)

    def _info(self, assignment: Assignment) -> TrialInfo:
        return TrialInfo(
            arm=assignment.arm,
            levels=self._levels.get(assignment.arm, {}),
            candidate=assignment.candidate,
            hyperparameters=assignment.parameters,
        )


def _searched(plan: Plan) -> tuple[str, ...]:
    """Return the paths that any search varies, each once."""
    spaces = [plan.space(arm) for arm in plan.arms]
    return tuple(dict.fromkeys(path for space in spaces if space for path in space.dimensions))


def _data_sets(plan: Plan) -> dict[str, DataInfo]:
    """Describe the data sets of a plan, by fingerprint."""
    found = {}
    for key, config in data_configs(plan).items():
        sizes = summary(config)
        dtype = "float32" if sizes.form.vocabulary is None else "int64"
        found[plan.fingerprints[key]] = DataInfo(sizes.examples, sizes.form.shape, dtype)
    return found
