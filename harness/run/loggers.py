"""Finished trials as runs of TensorBoard, or as offline runs of Weights & Biases, when asked for.

Both are copies: a trial is written once its record is safe, and what is there already is left
alone. MLflow has its own mirror (`mirroring.py`).
"""

from __future__ import annotations

import math
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import nearest
from harness.extras import ExtraMissingError, need
from harness.levels import flat
from harness.plan import Assignment
from harness.run import wandb_runs
from harness.run.observer import Observer, Opening
from harness.study import InputError, Problem
from harness.trial import Record

_LENGTH = 12  # of a trial's id in names


@dataclass(frozen=True)
class Told:
    """What is written of a trial; `groups` name study, profile and arm, `id` tells it apart."""

    id: str
    groups: tuple[str, str, str]
    name: str
    settings: Mapping[str, Any]
    curve: Sequence[Mapping[str, float]]
    metrics: Mapping[str, float]


class FileLogger(Observer):
    """Writes every trial below a folder. Troubles are told on standard error, and never raised."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._names = ("", "")
        self._levels: dict[str, Mapping[str, Any]] = {}
        self._known: set[str] = set()
        self._failed = False

    def known(self) -> set[str]:
        """Return the ids of the trials that are written."""
        raise NotImplementedError

    def write(self, told: Told) -> None:
        """Write a trial that is not there yet."""
        raise NotImplementedError

    def opened(self, opening: Opening) -> None:
        """See which trials are there."""
        plan = opening.plan
        self._names = (plan.study.study, plan.profile)
        self._levels = {arm.name: arm.levels for arm in plan.all_arms}
        self._safely(lambda: self._known.update(self.known()))

    def finished(self, record: Record, assignments: Sequence[Assignment], reused: bool) -> None:
        """Write the trial; of a reused one it may have been missed."""
        told = self._told(record, assignments[0])
        if told.id in self._known:
            return
        self._known.add(told.id)
        self._safely(lambda: self.write(told))

    def lacks(self, study: str, execution: int, trial_ids: Sequence[str]) -> bool:
        """Whether a trial is not written."""
        del study, execution
        found: set[str] = set()
        self._safely(lambda: found.update(self.known()))
        return not self._failed and not {id_[:_LENGTH] for id_ in trial_ids} <= found

    def _told(self, record: Record, assignment: Assignment) -> Told:
        phase, seed = assignment.phase.value, record.trial.seed
        name = f"{phase}-seed-{seed}"
        if assignment.candidate is not None:
            name = f"{phase}-candidate-{assignment.candidate}-seed-{seed}"
        settings = flat(record.trial.workload) | dict(assignment.parameters)
        settings |= self._levels.get(assignment.arm, {})
        settings |= {"arm": assignment.arm, "seed": seed, "phase": phase}
        settings |= {"state": record.state.value, "trial": record.trial_id}
        groups = (*self._names, assignment.arm)
        return Told(record.trial_id[:_LENGTH], groups, name, settings, record.curve, record.metrics)

    def _safely(self, act: Callable[[], object]) -> None:
        """Do it; the first trouble is told, and nothing more is written."""
        if self._failed:
            return
        try:
            act()
        except Exception as error:  # whatever a tool raises: the study goes on
            self._failed = True
            sys.stderr.write(
                f"harness: nothing more is logged to '{self.folder}' ({error}); every record is"
                " kept, and the next run with --log writes what is missing\n"
            )


class TensorBoardLogger(FileLogger):
    """A folder of event files for each trial: FOLDER/STUDY/PROFILE/ARM/NAME-ID."""

    def known(self) -> set[str]:
        """See `FileLogger`."""
        root = self.folder.joinpath(*self._names) if self._names[0] else self.folder
        return {place.name.rpartition("-")[2] for place in root.rglob("*-" + "?" * _LENGTH)}

    def write(self, told: Told) -> None:
        """See `FileLogger`; scalars by epoch, test metrics without one, settings as hparams."""
        from tensorboardX import SummaryWriter

        place = self.folder.joinpath(*told.groups, f"{told.name}-{told.id}")
        partial = place.with_name(f"{place.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        with SummaryWriter(str(partial)) as writer:
            for number, point in enumerate(told.curve, start=1):
                for name, value in point.items():
                    if name != "epoch":
                        writer.add_scalar(_slashed(name), value, int(point.get("epoch", number)))
            once = {_slashed(name): value for name, value in told.metrics.items()}
            writer.add_hparams({n: _plain(v) for n, v in told.settings.items()}, once, "settings")
        partial.rename(place)


class WandbLogger(FileLogger):
    """An offline run for each trial, in FOLDER/wandb; `wandb sync` sends it, if you like."""

    def known(self) -> set[str]:
        """See `FileLogger`; runs that came to no end are written again."""
        if not self.folder.is_dir():
            return set()
        return {run.folder for run in wandb_runs.read_folder(self.folder)[0] if run.finished}

    def write(self, told: Told) -> None:
        """See `FileLogger`."""
        import wandb

        self.folder.mkdir(parents=True, exist_ok=True)
        study, profile, arm = told.groups
        run = wandb.init(
            project=study,
            group=f"{profile}/{arm}",
            id=told.id,
            name=f"{arm}-{told.name}",
            config={name: _plain(value) for name, value in told.settings.items()},
            mode="offline",
            dir=str(self.folder.resolve()),
            settings=wandb.Settings(
                console="off", silent=True, disable_git=True, x_disable_stats=True
            ),
            reinit="create_new",
        )
        for number, point in enumerate(told.curve, start=1):
            values = {_slashed(name): value for name, value in point.items() if name != "epoch"}
            run.log(values, step=int(point.get("epoch", number)))
        run.summary.update({_slashed(name): value for name, value in told.metrics.items()})
        run.finish()


LOGGERS: Mapping[str, tuple[str, type[FileLogger]]] = {
    "tensorboard": ("tensorboardX", TensorBoardLogger),
    "wandb": ("wandb", WandbLogger),
}
"""By name: the package that a logger needs, and its class."""


def open_logger(said: str) -> FileLogger:
    """Return the observer that `tensorboard:FOLDER` or `wandb:FOLDER` names.

    Raises:
        InputError: if there is no such logger, its package is missing, or the folder is a file.
    """
    name, _, folder = said.partition(":")
    if name not in LOGGERS or not folder:
        names = " or ".join(f"{known}:FOLDER" for known in LOGGERS)
        near = nearest(name, LOGGERS) if name not in LOGGERS else ""
        raise InputError([Problem(f"'{said}' is not {names}{near}", "--log")])
    package, logger = LOGGERS[name]
    try:
        need(package, f"--log {said}")
    except ExtraMissingError as error:
        raise InputError([Problem(str(error), "--log")]) from None
    above = Path(folder)
    while not above.exists():
        above = above.parent
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise InputError([Problem(f"'{above}' is no folder that can be written to", "--log")])
    return logger(Path(folder))


def _slashed(metric: str) -> str:
    """Write a metric as these tools group them: `validation/accuracy`."""
    return metric.replace(".", "/", 1)


def _plain(value: Any) -> bool | int | float | str:
    if isinstance(value, bool | int | str):
        return value
    return value if isinstance(value, float) and math.isfinite(value) else str(value)
