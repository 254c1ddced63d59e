"""A Ray cluster that is up: a script that hands a study in as a job of Ray's."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from harness.launch.base import Job, Launcher

_SCRIPT = """\
#!/bin/bash
# The study {job}. Written by `harness launch ray-job`; hand it in with: bash {file}
#
# Where the cluster asks for a password: export RAY_AUTH_MODE=token, with the token of the cluster
# in ~/.ray/auth_token. Without --working-dir: Ray would delete the folder, and the records with it.
exec ray job submit --address {address} {wait}-- bash -c {command}
"""
_PLACE = re.compile(r"(/|~/)[\w./~+@-]*")


def _address(text: str) -> str:
    found = urlsplit(text)
    if found.scheme not in ("http", "https") or not found.hostname or found.username:
        raise ValueError(f"'{text}' is not an address such as http://localhost:8265")
    return text


def _place(text: str) -> str:
    if not _PLACE.fullmatch(text):
        raise ValueError(f"'{text}' is not a folder of the head such as ~/harness")
    return text


class RayJob(Launcher):
    """A job for a Ray cluster that is up, as `ray up` makes one."""

    name: ClassVar[str] = "ray-job"
    suffix: ClassVar[str] = ".sh"

    dashboard: Annotated[str, AfterValidator(_address)] = Field(
        "http://localhost:8265", description="address of the cluster's dashboard"
    )
    folder: Annotated[str, AfterValidator(_place)] = Field(
        "~/harness", description="folder of the head that holds the project and the study"
    )
    wait: bool = Field(False, description="show the job's log until it ends")

    def problems(self, job: Job) -> Iterator[str]:
        """Say what cannot work: the study has to be on the head, under the same name."""
        if not job.file.is_relative_to(job.folder):
            yield (
                f"{job.file} is not below {job.folder}: a job finds the study on the head by its "
                "path below --folder"
            )

    def document(self, job: Job, file: Path) -> str:
        """Return a script that hands the job in."""
        options = tuple(self._there(job, one) for one in job.options)
        place = PurePosixPath(self.folder)
        inside = replace(job, file=Path(self._there(job, str(job.file))), options=options)
        quoted = str(place) if self.folder.startswith("~") else shlex.quote(str(place))
        return _SCRIPT.format(
            job=job.name,
            file=shlex.quote(str(file)),
            address=shlex.quote(self.dashboard),
            wait="" if self.wait else "--no-wait ",
            command=shlex.quote(f"cd {quoted} && exec {inside.command('auto')}"),
        )

    def submission(self, file: Path) -> list[str]:
        """Return the command that hands the job in."""
        return ["bash", str(file)]

    def _there(self, job: Job, text: str) -> str:
        """Return a path as it is below the folder of the head; anything else stays."""
        own = f"{job.folder}/"
        return text.removeprefix(own) if text.startswith(own) else text
