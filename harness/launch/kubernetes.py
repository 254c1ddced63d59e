"""Kubernetes with the KubeRay operator: a manifest of a RayJob and of what it reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, ClassVar

import yaml
from pydantic import AfterValidator, Field

from harness.errors import InputError
from harness.launch.base import Job, Launcher, cpu_problems, gpu_problems
from harness.study.inherit import files_of
from harness.study.running import Size, size_in_bytes

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_IMAGE = re.compile(r"[\w./:@-]+")
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_MOST = 900_000  # bytes of a ConfigMap, which may hold 1 MiB
_STUDY, _RESULTS = Path("/harness-study"), Path("/harness-results")
_GROUP = 1000  # of the user in the container file
_SHUTDOWN = 60  # seconds that a pod gets to end in order
_HEAD = {"cpu": "2", "memory": "8Gi"}


def _label(text: str) -> str:
    if not _LABEL.fullmatch(text):
        raise ValueError(f"'{text}' is not a name of lower-case letters, digits and '-'")
    return text


def _image(text: str) -> str:
    if not _IMAGE.fullmatch(text):
        raise ValueError(f"'{text}' is not an image such as registry.example.org/harness:1")
    return text


Label = Annotated[str, AfterValidator(_label)]


class Kubernetes(Launcher):
    """A RayJob for Kubernetes with the KubeRay operator (1.5.1 or newer)."""

    name: ClassVar[str] = "kubernetes"
    suffix: ClassVar[str] = ".yaml"

    image: Annotated[str, AfterValidator(_image)] = Field(
        description="that holds this package, such as registry.example.org/harness:1"
    )
    claim: Label = Field(description="volume claim that keeps the results")
    namespace: Label | None = Field(None, description="of the job; without it, kubectl's own")
    workers: int = Field(1, ge=1, le=10_000, description="pods that train, at most")
    cpus_per_worker: int = Field(1, ge=1, le=1024, description="cores of each")
    gpus_per_worker: int = Field(0, ge=0, le=64, description="NVIDIA GPUs of each")
    memory_per_worker: Size = Field("8 GB", description="of each; a pod that needs more is killed")
    retries: int = Field(
        2, ge=0, le=100, description="new clusters after one that failed; each goes on"
    )

    def problems(self, job: Job) -> Iterator[str]:
        """Say what cannot work."""
        yield from gpu_problems(job.resources, self.gpus_per_worker, "--gpus-per-worker")
        yield from cpu_problems(job.resources, self.cpus_per_worker, "--cpus-per-worker")
        needed = job.resources.memory
        if needed and size_in_bytes(needed) > size_in_bytes(self.memory_per_worker):
            yield (
                f"--memory-per-worker {self.memory_per_worker}: a trial needs {needed} "
                "(resources.memory)"
            )
        options = dict(zip(job.options[::2], job.options[1::2], strict=True))
        if Path(options.get("--data-root", "/")).is_relative_to(job.folder):
            yield (
                f"--data-root: the pods have no such folder; name one below {_RESULTS} or one of "
                "the image"
            )

    def document(self, job: Job, file: Path) -> str:
        """Return the manifest: the study file and its command, and the job."""
        del file
        name = job.name if job.name[0].isalpha() else f"study-{job.name}"[:40].rstrip("-")
        where = {"namespace": self.namespace} if self.namespace else {}
        settings = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, **where},
            "data": {**_files(job), "run.sh": f"cd {_STUDY} && exec {_command(job)}\n"},
        }
        ray_job = {
            "apiVersion": "ray.io/v1",
            "kind": "RayJob",
            "metadata": {"name": name, **where},
            "spec": {
                "entrypoint": f"bash {_STUDY}/run.sh",
                "shutdownAfterJobFinishes": True,
                "ttlSecondsAfterFinished": 300,
                "backoffLimit": self.retries,
                "rayClusterSpec": self._cluster(name),
            },
        }
        head = f"# The study {job.study}. Written by `harness launch kubernetes`.\n"
        return head + yaml.safe_dump_all([settings, ray_job], sort_keys=False, width=100)

    def submission(self, file: Path) -> list[str]:
        """Return the command that creates the job."""
        return ["kubectl", "apply", "--filename", str(file)]

    def _cluster(self, name: str) -> dict[str, Any]:
        memory = str(size_in_bytes(self.memory_per_worker))
        amounts = {"cpu": str(self.cpus_per_worker), "memory": memory}
        if self.gpus_per_worker:
            amounts["nvidia.com/gpu"] = str(self.gpus_per_worker)
        volumes = [
            {"name": "study", "configMap": {"name": name}},
            {"name": "results", "persistentVolumeClaim": {"claimName": self.claim}},
        ]
        mounts = [
            {"name": "study", "mountPath": str(_STUDY), "readOnly": True},
            {"name": "results", "mountPath": str(_RESULTS)},
        ]
        return {
            "rayVersion": version("ray"),
            "authOptions": {"mode": "token"},
            "enableInTreeAutoscaling": True,
            "headGroupSpec": {  # conducts and keeps the records; no trial runs where they are
                "rayStartParams": {"num-cpus": "0", "num-gpus": "0"},
                "template": {"spec": self._pod("ray-head", _HEAD, volumes, mounts)},
            },
            "workerGroupSpecs": [
                {
                    "groupName": "workers",
                    "replicas": 1,
                    "minReplicas": 0,
                    "maxReplicas": self.workers,
                    "rayStartParams": {},
                    "template": {"spec": self._pod("ray-worker", amounts, [], [])},
                }
            ],
        }

    def _pod(
        self, name: str, amounts: dict[str, str], volumes: list[Any], mounts: list[Any]
    ) -> dict[str, Any]:
        container = {
            "name": name,
            "image": self.image,
            "env": [{"name": "RAY_USAGE_STATS_ENABLED", "value": "0"}],
            "resources": {"requests": dict(amounts), "limits": dict(amounts)},
            "securityContext": {"allowPrivilegeEscalation": False},
        }
        if not volumes:
            return {"terminationGracePeriodSeconds": _SHUTDOWN, "containers": [container]}
        container["volumeMounts"] = mounts
        return {
            "terminationGracePeriodSeconds": _SHUTDOWN,
            # a new volume is root's; the user of an image who is not gets to write by this group
            "securityContext": {"fsGroup": _GROUP, "fsGroupChangePolicy": "OnRootMismatch"},
            "containers": [container],
            "volumes": volumes,
        }


def _files(job: Job) -> dict[str, str]:
    """Return the study file and those that it extends, by name.

    Raises:
        InputError: if they do not fit into one folder of a ConfigMap.
    """
    files = files_of(job.file)
    found = {file.name: file.read_text(encoding="utf-8") for file in files}
    odd = [str(one) for one in files if one.resolve().parent != job.file.resolve().parent]
    odd += [str(one) for one in files if not _KEY.fullmatch(one.name) or one.name == "run.sh"]
    if odd:
        raise InputError(
            f"{odd[0]}: a study travels in the manifest with the files that it extends; they have "
            "to be in one folder, under names of letters, digits, '.', '_' and '-'"
        )
    if sum(len(text.encode()) for text in found.values()) > _MOST:
        raise InputError(f"{job.file} is too large for a manifest (900 kB)")
    return found


def _command(job: Job) -> str:
    """Return the command inside the cluster, where folders have other names."""
    options: list[str] = []
    given = iter(job.options)
    for option in given:
        value = next(given)
        if option == "--results":
            value = str(_RESULTS / "results")
        elif option == "--out":
            value = str(_RESULTS / "reports")
        options += [option, value]
    there = replace(job, file=_STUDY / job.file.name, options=tuple(options))
    return there.command("auto")
