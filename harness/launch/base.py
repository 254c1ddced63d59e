"""What is sent somewhere, and what every place that it can be sent to offers."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, ValidationError

from harness.components import Component
from harness.errors import InputError, Problem
from harness.registry import LAUNCHERS
from harness.study import LoadedStudy
from harness.study.load import DEFAULT
from harness.study.running import Resources

_TROUBLE = re.compile(r"[\x00-\x1f\x7f]")
_NAME = re.compile(r"[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?")


def _plain_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f"'{text}' is not a name of letters, digits, '.', '_' and '-'")
    return text


Name = Annotated[str, AfterValidator(_plain_name)]
"""A name of the place's own, such as a partition: nothing that a shell or YAML would read."""


@dataclass(frozen=True)
class Job:
    """A study that is to be run elsewhere.

    Attributes:
        study: its name.
        profile: as it was asked for; None for the study as it stands.
        resources: what each worker of a trial is given.
        saves: whether trials are saved while they train.
        file: the study file.
        options: further options of `harness run`, without --address.
        folder: in which the command is run; its own modules are looked for there.
        results: folder of the records.
    """

    study: str
    profile: str | None
    resources: Resources
    saves: bool
    file: Path
    options: tuple[str, ...]
    folder: Path
    results: Path

    @property
    def name(self) -> str:
        """A name for it that every place takes."""
        name = f"{self.study}-{self.profile}" if self.profile else self.study
        return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")[:40].strip("-") or "study"

    def command(self, address: str) -> str:
        """Return the command that runs it on a Ray cluster, quoted for a shell.

        Args:
            address: of the cluster, as the shell reads it: `auto`, or a variable in quotes.
        """
        return f"harness run {shlex.join([str(self.file), *self.options])} --address {address}"


class Launcher(Component):
    """Settings of a place, and the file that starts a study there.

    A class of this kind has a `name`, which is that of its module; its fields become options of
    `harness launch NAME`. It is registered by other packages as `harness.launchers`.
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    """What the name of the file ends with, such as `.sbatch`."""

    def problems(self, job: Job) -> Iterator[str]:
        """Say what cannot work, each with the option or setting that it is about."""
        raise NotImplementedError

    def document(self, job: Job, file: Path) -> str:
        """Return what the file holds; nothing is written or started here.

        Args:
            job: the study.
            file: where it will be written, an absolute path.
        """
        raise NotImplementedError

    def submission(self, file: Path) -> list[str]:
        """Return the command that hands the file in."""
        raise NotImplementedError


def job_of(
    loaded: LoadedStudy,
    *,
    folder: Path,
    results: Path,
    options: Mapping[str, str | Path | None],
    overrides: tuple[str, ...] = (),
) -> Job:
    """Return what is to be run elsewhere.

    Args:
        loaded: the study, with the profile and the overrides that it shall have there.
        folder: in which to run it.
        results: folder of the records; a relative one is below `folder`.
        options: of `harness run` by name; None leaves one out. Paths are taken from `folder`.
        overrides: `PATH=VALUE`, as they were given.

    Raises:
        InputError: if a path has characters that no script should hold, such as a line break.
    """
    said: list[str] = []
    profile = None if loaded.profile == DEFAULT else loaded.profile
    given = {"--profile": profile, **options, "--results": results}
    for name, value in given.items():
        if value is not None:
            text = value if isinstance(value, str) else str(folder / value)
            said += [name, text]
    said += [part for text in overrides for part in ("--set", text)]
    file = Path(os.path.abspath(folder / loaded.file))  # a link stays one
    for text in (str(file), str(folder), *said):
        if _TROUBLE.search(text):
            raise InputError(f"{text!r} holds a line break or another control character")
    study = loaded.study
    return Job(
        study.study,
        profile,
        study.resources,
        study.checkpoints is not None,
        file,
        tuple(said),
        folder,
        folder / results,
    )


def launcher(name: str, settings: Mapping[str, Any]) -> Launcher:
    """Return a place with its settings.

    Raises:
        KeyError: if no place has the name.
        InputError: if settings are wrong, named as options of the command line.
    """
    try:
        found: Launcher = LAUNCHERS.find(name).model_validate(dict(settings))
    except ValidationError as error:
        raise InputError([_problem(item) for item in error.errors()]) from None
    return found


def _problem(item: Any) -> Problem:
    option = "--" + str(item["loc"][0]).replace("_", "-") if item["loc"] else "options"
    return Problem(str(item["msg"]).removeprefix("Value error, "), path=option)


def gpu_problems(resources: Resources, gpus: int, option: str) -> Iterator[str]:
    """Say where the GPUs of a machine and those of a trial do not go together.

    Args:
        resources: of a trial.
        gpus: of a machine.
        option: that says so.
    """
    if gpus and not resources.gpus:
        yield (
            f"{option} {gpus}: no trial of this study uses a GPU (resources.gpus is 0), so they "
            "would be held idle; say what each trial gets, such as --set resources.gpus=0.25"
        )
    if resources.gpus > gpus:
        yield (
            f"{option} {gpus}: a trial of this study needs {resources.gpus:g} on one machine "
            "(resources.gpus)"
        )


def cpu_problems(resources: Resources, cpus: int, option: str) -> Iterator[str]:
    """Say where a machine has fewer cores than one trial needs."""
    if resources.cpus > cpus:
        yield f"{option} {cpus}: a trial of this study needs {resources.cpus} (resources.cpus)"
