"""A SLURM of its own on this machine: munged, slurmctld and two slurmd, as Debian packages them.

They are ordinary processes of whoever runs the tests, on the loopback interface and free ports, and
live in one folder. Each machine of the partition is a slurmd with a name of its own.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "squeue")
MACHINES = ("n1", "n2")
WAIT = 120  # seconds until a daemon answers


def missing() -> str:
    """Return why there can be no SLURM here; empty if there can."""
    lacking = [name for name in PROGRAMS if _program(name) is None]
    return (
        f"SLURM is not installed ({', '.join(lacking)}): apt-get install slurm-wlm munge"
        if lacking
        else ""
    )


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


class SlurmRoom:
    """Daemons that run until `close`. `folder` has to be searchable by everybody, for munge."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        for name in ("state", "munge", *(f"spool-{machine}" for machine in MACHINES)):
            (folder / name).mkdir(mode=0o755)
        (folder / "munge.key").write_bytes(os.urandom(128))
        (folder / "munge.key").chmod(0o400)
        for number in range(2):  # stand for the devices of a machine's GPUs
            (folder / f"gpu{number}").touch()
        (folder / "gres.conf").write_text(f"Name=gpu File={folder}/gpu[0-1]\n")
        (folder / "slurm.conf").write_text(self._settings())
        try:
            self._start_all()
        except BaseException:
            self.close()
            raise

    def _settings(self) -> str:
        ports = _free_ports(1 + len(MACHINES))
        lines = [
            "ClusterName=test", "SlurmctldHost=localhost(127.0.0.1)", f"SlurmctldPort={ports[0]}",
            f"SlurmUser={getpass.getuser()}", f"SlurmdUser={getpass.getuser()}",
            "AuthType=auth/munge", "CredType=cred/munge",
            # a job that is queued again waits for its old credential to expire
            f"AuthInfo=socket={self.folder}/munge/socket,cred_expire=5",
            f"StateSaveLocation={self.folder}/state", f"SlurmdSpoolDir={self.folder}/spool-%n",
            f"SlurmctldPidFile={self.folder}/ctld.pid", f"SlurmdPidFile={self.folder}/%n.pid",
            f"SlurmctldLogFile={self.folder}/ctld.log", f"SlurmdLogFile={self.folder}/%n.log",
            "ProctrackType=proctrack/linuxproc", "TaskPlugin=task/none",
            "SelectType=select/cons_tres", "SelectTypeParameters=CR_Core_Memory",
            "JobAcctGatherType=jobacct_gather/none", "ReturnToService=2", "KillWait=15",
            "AccountingStorageType=accounting_storage/none", "MpiDefault=none", "GresTypes=gpu",
            "SlurmdParameters=config_overrides",
            # where everything is slow, nothing is taken for dead
            "MessageTimeout=100", "BatchStartTimeout=900", "UnkillableStepTimeout=900",
            "SlurmdTimeout=0",
        ]  # fmt: skip
        for number, machine in enumerate(MACHINES):
            lines.append(
                f"NodeName={machine} NodeHostname=localhost NodeAddr=127.0.0.{number + 2}"
                f" Port={ports[number + 1]} CPUs=2 Gres=gpu:2 RealMemory=4000"
            )
        lines.append(f"PartitionName=main Nodes={','.join(MACHINES)} Default=YES State=UP")
        return "\n".join(lines) + "\n"

    def _start_all(self) -> None:
        place = {
            "key-file": "munge.key", "socket": "munge/socket", "pid-file": "munge/pid",
            "log-file": "munge/log", "seed-file": "munge/seed",
        }  # fmt: skip
        options = [f"--{name}={self.folder / file}" for name, file in place.items()]
        # the folders of a temporary one may be writable by others
        self.start("munged", "munged", "--foreground", "--force", *options)
        self._await("munged", (self.folder / "munge/socket").exists)
        self.start("slurmctld", "slurmctld", "-D")
        for machine in MACHINES:
            self.start(machine, "slurmd", "-D", "-N", machine)
        self._await("slurmctld", lambda: self.run("sinfo", "-h", "-t", "idle", "-o", "%D") == "2")

    def start(self, name: str, program: str, *options: str) -> None:
        """Start a daemon under a name of ours."""
        found = _program(program)
        assert found is not None
        with (self.folder / f"{name}.out").open("ab") as said:
            self._daemons[name] = subprocess.Popen(
                [found, *options], env=self.environment, stdout=said, stderr=said,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def _await(self, name: str, is_up: object) -> None:
        end = time.monotonic() + WAIT
        while not is_up():  # type: ignore[operator]
            if self._daemons[name].poll() is not None or time.monotonic() > end:
                said = (self.folder / f"{name}.out").read_text(errors="replace")
                raise RuntimeError(f"{name} did not come up: {said[-2000:]}")
            time.sleep(0.2)

    def run(self, program: str, *options: str) -> str:
        """Run a command of SLURM and return what it says."""
        done = subprocess.run(
            [program, *options], env=self.environment, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    def job(self, number: str) -> dict[str, str]:
        """Return what SLURM knows of a job, such as its `JobState` and `Restarts`."""
        said = self.run("scontrol", "show", "job", "--oneliner", number)
        return dict(part.split("=", 1) for part in said.split() if "=" in part)

    def await_job(self, number: str, until: object, seconds: float) -> dict[str, str]:
        """Wait until a job is as `until` wants it, and return what SLURM knows of it then.

        Raises:
            AssertionError: if it is not in time.
        """
        end = time.monotonic() + seconds
        while not until(job := self.job(number)):  # type: ignore[operator]
            if time.monotonic() > end:
                log = (self.folder / "ctld.log").read_text(errors="replace")[-2000:]
                raise AssertionError(f"{job}\n{self.run('sinfo', '-N', '-l')}\n{log}")
            time.sleep(1)
        return job

    def close(self) -> None:
        """End the jobs and the daemons."""
        for number in self.run("squeue", "-h", "-o", "%A").split():
            self.run("scancel", number)
        end = time.monotonic() + 60
        while self.run("squeue", "-h", "-o", "%A") and time.monotonic() < end:
            time.sleep(0.2)
        for daemon in reversed(self._daemons.values()):
            daemon.terminate()
        for daemon in self._daemons.values():
            with suppress(subprocess.TimeoutExpired):
                daemon.wait(20)
            daemon.kill()
            daemon.wait()


def _free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports
