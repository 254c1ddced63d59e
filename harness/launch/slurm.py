"""A SLURM cluster: a batch file that starts Ray on its allocation and requeues itself."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from harness.launch._slurm_script import SCRIPT
from harness.launch.base import Job, Launcher, Name, cpu_problems, gpu_problems
from harness.store import DATABASE
from harness.study.running import Size, seconds, size_in_bytes

_CLOCK = re.compile(r"(?:(\d+)-)?(\d+):(\d\d)(?::(\d\d))?|(\d+)-(\d+)")
_CONSTRAINT = re.compile(r"[\w&|!()\[\]*.,:+-]+")
_OPTION = re.compile(r"--[a-z][a-z-]*(=\S+)?")
_OURS = {
    "nodes", "ntasks", "ntasks-per-node", "cpus-per-task", "gpus-per-node", "mem", "time", "signal",
    "requeue", "no-requeue", "partition", "account", "qos", "constraint", "job-name", "output",
    "open-mode", "chdir", "export", "array",
}  # fmt: skip
_UNIT = 60  # SLURM looks at time limits about once a minute


def time_limit(text: str) -> int:
    """Return the seconds of `2 h`, `24:00:00`, `1-12:00:00` or `1-12`."""
    expected = "a time such as 24:00:00, 1-12:00:00 or 90 min"
    found = _CLOCK.fullmatch(text)
    if found is None:
        try:
            return int(seconds(text))
        except ValueError:
            raise ValueError(f"'{text}' is not {expected}") from None
    if found[5] is not None:
        return int(found[5]) * 86400 + int(found[6]) * 3600
    if found[4] is None and found[1] is None:
        raise ValueError(f"'{text}' may mean hours or minutes; write {text}:00 or 0:{text}")
    days, hours, minutes, rest = (int(part or 0) for part in found.groups()[:4])
    return days * 86400 + hours * 3600 + minutes * 60 + rest


def _time(text: str) -> str:
    limit = time_limit(text)
    if limit < _UNIT:
        raise ValueError(f"'{text}' is shorter than a minute, the shortest that SLURM knows")
    return text


def _constraint(text: str) -> str:
    if not _CONSTRAINT.fullmatch(text):
        raise ValueError(f"'{text}' is not a constraint such as a100, a100&nvlink or [r1|r2]")
    return text


def _options(texts: list[str]) -> list[str]:
    for text in texts:
        if not _OPTION.fullmatch(text) or set(text) & set("'\"\\#$`"):
            raise ValueError(f"'{text}' is not an option of sbatch such as --reservation=name")
        name = text[2:].partition("=")[0]
        if name in _OURS:
            raise ValueError(f"--{name} is written by this command, or would break what it writes")
    return texts


def _lines(texts: list[str]) -> list[str]:
    for text in texts:
        if "\n" in text or "\r" in text:
            raise ValueError("one line at a time; give it several times for several lines")
    return texts


def _log(file: Path) -> str:
    """Return where logs begin, as SLURM's patterns of file names have it."""
    return str(file.with_suffix("")).replace("%", "%%")


class Slurm(Launcher):
    """A batch file for SLURM, which goes on by itself at every time limit."""

    name: ClassVar[str] = "slurm"
    suffix: ClassVar[str] = ".sbatch"

    nodes: int = Field(1, ge=1, le=100_000, description="machines of the allocation")
    cpus_per_node: int = Field(1, ge=1, le=100_000, description="cores of each")
    gpus_per_node: int = Field(0, ge=0, le=1000, description="GPUs of each")
    memory_per_node: Size | None = Field(None, description="such as 64 GB; what the site gives")
    time: Annotated[str, AfterValidator(_time)] = Field(
        "24:00:00", description="limit of one allocation: 24:00:00, 1-12:00:00 or 90 min"
    )
    grace: int = Field(
        180, ge=60, le=3600, description="seconds before the limit at which the run is told to end"
    )
    requeue: bool = Field(True, description="queue again at the time limit, and go on")
    partition: Name | None = Field(None, description="partition, or several: see --sbatch")
    account: Name | None = Field(None, description="account that is charged")
    qos: Name | None = Field(None, description="quality of service")
    constraint: Annotated[str, AfterValidator(_constraint)] | None = Field(
        None, description="features of the machines, such as a100"
    )
    sbatch: Annotated[list[str], AfterValidator(_options)] = Field(
        default_factory=list,
        description="another option of sbatch, such as --sbatch=--reservation=name; repeatable",
    )
    setup: Annotated[list[str], AfterValidator(_lines)] = Field(
        default_factory=list,
        description="a line of shell to run first, such as 'module load cuda'; repeatable",
    )

    def problems(self, job: Job) -> Iterator[str]:
        """Say what cannot work."""
        yield from gpu_problems(job.resources, self.gpus_per_node, "--gpus-per-node")
        yield from cpu_problems(job.resources, self.cpus_per_node, "--cpus-per-node")
        given, needed = self.memory_per_node, job.resources.memory
        if given and needed and size_in_bytes(needed) > size_in_bytes(given):
            yield f"--memory-per-node {given}: a trial needs {needed} (resources.memory)"
        if self.requeue and self.grace >= time_limit(self.time):
            yield f"--grace {self.grace}: no time is left of --time {self.time}"

    def document(self, job: Job, file: Path) -> str:
        """Return the batch file."""
        return Template(SCRIPT).substitute(
            job=job.name,
            options="\n".join(f"#SBATCH {option}" for option in self._sbatch(job, file)),
            folder=shlex.quote(str(job.folder)),
            file=shlex.quote(str(file)),
            setup="\n".join(self.setup) or ":",
            programs=shlex.quote(str(Path(sys.executable).parent)),
            database=shlex.quote(str(job.results / DATABASE)),
            saves=int(job.saves),
            requeues=int(self.requeue),
            log=shlex.quote(f"{_log(file)}.%j.ray-%n.log"),
            run=job.command('"$harness_address"'),
        )

    def submission(self, file: Path) -> list[str]:
        """Return the command that queues the file."""
        return ["sbatch", str(file)]

    def _sbatch(self, job: Job, file: Path) -> list[str]:
        minutes = -(-time_limit(self.time) // 60)
        yes = [
            f"--job-name={job.name}",
            f"--nodes={self.nodes}",
            "--ntasks-per-node=1",
            f"--cpus-per-task={self.cpus_per_node}",
            f"--time={minutes}",
            f"--signal=B:USR1@{self.grace}",
            "--requeue" if self.requeue else "--no-requeue",
            "--open-mode=append",
            f'--output="{_log(file)}.%j.log"',
        ]
        if self.gpus_per_node:
            yes.append(f"--gpus-per-node={self.gpus_per_node}")
        if self.memory_per_node:
            yes.append(f"--mem={size_in_bytes(self.memory_per_node) // 2**20}M")
        for name in ("partition", "account", "qos", "constraint"):
            if value := getattr(self, name):
                yes.append(f'--{name}="{value}"')
        return [*yes, *self.sbatch]
