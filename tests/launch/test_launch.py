"""What `harness launch` writes, and what it refuses before anything is written."""

import os
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
import yaml

from harness.cli.app import run
from harness.launch import job_of, launcher
from harness.launch.slurm import time_limit
from harness.registry import LAUNCHERS
from harness.study import load_study

ROOT = Path(__file__).parents[2]
GPU = ["--set", "resources.gpus=0.5"]


@pytest.fixture
def here(tiny, monkeypatch):
    """The folder of a small study, with a space in its name."""
    folder = tiny.parent / "a folder"
    folder.mkdir()
    tiny.rename(folder / "tiny.yaml")
    monkeypatch.chdir(folder)
    return folder


def launch(capfd, *arguments: str) -> tuple[int, str]:
    status = run(["launch", *arguments])
    out, err = capfd.readouterr()
    return status, out + err


def written(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name != "tiny.yaml"]


def test_each_place_is_a_command_with_its_own_options():
    assert LAUNCHERS.names() == ["kubernetes", "ray-job", "slurm"]
    for name in LAUNCHERS.names():
        command = [sys.executable, "-m", "harness", "launch", name, "--help"]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        place = LAUNCHERS.find(name)
        for field in place.model_fields:
            assert f"--{field.replace('_', '-')}" in shown


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["slurm", "tiny.yaml", "--time", "12:30"], "may mean hours or minutes"),
        (["slurm", "tiny.yaml", "--time", "tomorrow"], "--time: 'tomorrow' is not a time such as"),
        (["slurm", "tiny.yaml", "--time", "20 s"], "shorter than a minute"),
        (["slurm", "tiny.yaml", "--partition", "gpu; rm -rf ~"], "--partition: 'gpu; rm -rf ~'"),
        (["slurm", "tiny.yaml", "--partition", "gpu\n#SBATCH --x"], "--partition: "),
        (["slurm", "tiny.yaml", "--constraint", "$(id)"], "--constraint: '$(id)'"),
        (["slurm", "tiny.yaml", "--sbatch=--signal=KILL"], "--sbatch: --signal is written by"),
        (["slurm", "tiny.yaml", "--sbatch=--x=`id`"], "is not an option of sbatch"),
        (["slurm", "tiny.yaml", "--setup", "a\nb"], "--setup: one line at a time"),
        (["slurm", "tiny.yaml", "--nodes", "0"], "--nodes: "),
        (["slurm", "tiny.yaml", "--memory-per-node", "much"], "--memory-per-node: 'much' is not"),
        (["slurm", "tiny.yaml", "--gpus-per-node", "8"], "no trial of this study uses a GPU"),
        (["slurm", "tiny.yaml", *GPU], "a trial of this study needs 0.5 on one machine"),
        (["slurm", "tiny.yaml", "--set", "resources.cpus=4"], "a trial of this study needs 4"),
        (["slurm", "tiny.yaml", "--time", "2 min", "--grace", "120"], "no time is left"),
        (["slurm", "tiny.yaml", "--max-cost", "5"], "--max-cost: no price is known for tiny"),
        (["slurm", "missing.yaml"], "missing.yaml"),
        (["slurm", "tiny.yaml", "--profile", "mor"], "did you mean 'more'?"),
        (["slurm", "tiny.yaml", "--out", "a\nb"], "holds a line break"),
        (["slurmm", "tiny.yaml"], "did you mean 'slurm'?"),
        (["kubernetes", "tiny.yaml", "--image", "a"], "Missing option '--claim'"),
        (["kubernetes", "tiny.yaml", "--image", "a b", "--claim", "c"], "--image: 'a b' is not"),
        (["kubernetes", "tiny.yaml", "--image", "a", "--claim", "C"], "--claim: 'C' is not"),
        (
            ["kubernetes", "tiny.yaml", "--image", "a", "--claim", "c", "--data-root", "data"],
            "--data-root: the pods have no such folder",
        ),
        (["ray-job", "tiny.yaml", "--dashboard", "localhost"], "--dashboard: 'localhost' is not"),
        (["ray-job", "tiny.yaml", "--folder", "a; b"], "--folder: 'a; b' is not a folder"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(here, capfd, options, said):
    status, text = launch(capfd, *options)
    assert status == 2
    assert said in text
    assert not written(here)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("24:00:00", 86400), ("0:90:00", 5400), ("1-12", 129600), ("1-12:30", 131400),
        ("2-00:00:30", 172830), ("90 min", 5400), ("1.5 h", 5400),
    ],
)  # fmt: skip
def test_time_limits_are_read_as_slurm_does(text, seconds):
    assert time_limit(text) == seconds


def test_a_batch_file_is_a_program_of_the_shell_whatever_names_hold(here, capfd):
    odd = here / "it's $(touch x) `y`"
    status, text = launch(
        capfd, "slurm", "tiny.yaml", "--profile", "more", "--nodes", "4", "--cpus-per-node", "16",
        "--gpus-per-node", "8", "--memory-per-node", "64 GB", "--time", "2 h", "--partition",
        "gpu-long", "--setup", "module load cuda", "--setup", "ulimit -c 0", "--sbatch=--exclusive",
        "--results", str(odd), *GPU,
    )  # fmt: skip
    assert status == 0, text
    file = odd / "launch" / "tiny-more.sbatch"
    script = file.read_text()
    subprocess.run(["bash", "-n", str(file)], check=True)
    for option in (
        "--nodes=4", "--ntasks-per-node=1", "--cpus-per-task=16", "--gpus-per-node=8",
        "--mem=61035M", "--time=120", '--partition="gpu-long"', "--signal=B:USR1@180", "--requeue",
        "--exclusive",
    ):  # fmt: skip
        assert f"\n#SBATCH {option}\n" in script
    assert "\nmodule load cuda\nulimit -c 0\n" in script
    (line,) = [line for line in script.splitlines() if line.startswith("harness run ")]
    words = shlex.split(line.removesuffix(" &"))
    assert words == [
        "harness", "run", str(here / "tiny.yaml"), "--profile", "more", "--out",
        str(here / "reports"), "--results", str(odd), "--set", GPU[1], "--address",
        "$harness_address",
    ]  # fmt: skip
    assert shlex.join(["sbatch", str(file)]) in text


def test_a_limit_of_money_counts_from_the_launch_and_takes_the_prices_along(
    here, capfd, monkeypatch
):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(here / "config"))
    (here / "config/harness").mkdir(parents=True)
    (here / "config/harness/prices.yaml").write_text("device_hour: 3\n")
    before = datetime.now(UTC).replace(microsecond=0)
    status, text = launch(capfd, "slurm", "tiny.yaml", "--max-cost", "20")
    assert status == 0, text
    script = (here / "results/launch/tiny.sbatch").read_text()
    (line,) = [line for line in script.splitlines() if line.startswith("harness run ")]
    words = shlex.split(line)
    said = {name: words[words.index(name) + 1] for name in ("--max-cost", "--since", "--set")}
    assert said["--max-cost"] == "20"
    assert before <= datetime.fromisoformat(said["--since"]) <= datetime.now(UTC)
    monkeypatch.delenv("XDG_CONFIG_HOME")
    there = load_study(here / "tiny.yaml", None, [said["--set"]]).study
    assert there.prices.device_hour == 3


def test_a_place_without_its_program_says_so(here, capfd, monkeypatch):
    monkeypatch.setenv("PATH", str(here))
    status, text = launch(capfd, "slurm", "tiny.yaml", "--submit")
    assert status == 2
    assert "'sbatch' is not on this machine" in text
    assert (here / "results/launch/tiny.sbatch").is_file()


AMOUNTS = {"type": "object", "additionalProperties": {"type": ["string", "integer"]}}
POD = {
    "type": "object",
    "additionalProperties": False,
    "required": ["containers"],
    "properties": {
        "terminationGracePeriodSeconds": {"type": "integer"},
        "securityContext": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "fsGroup": {"type": "integer"},
                "fsGroupChangePolicy": {"type": "string"},
            },
        },
        "volumes": {"type": "array", "items": {"type": "object", "required": ["name"]}},
        "containers": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name"],
                "properties": {
                    "name": {"type": "string"},
                    "image": {"type": "string"},
                    "env": {"type": "array", "items": {"required": ["name"]}},
                    "resources": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {"requests": AMOUNTS, "limits": AMOUNTS},
                    },
                    "securityContext": {"type": "object"},
                    "volumeMounts": {
                        "type": "array",
                        "items": {"required": ["name", "mountPath"]},
                    },
                },
            },
        },
    },
}
GROUP = {
    "rayStartParams": {"type": "object", "additionalProperties": {"type": "string"}},
    "template": {
        "type": "object",
        "additionalProperties": False,
        "properties": {"metadata": {"type": "object"}, "spec": POD},
    },
}
RAY_JOB = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "entrypoint": {"type": "string"},
        "shutdownAfterJobFinishes": {"type": "boolean"},
        "ttlSecondsAfterFinished": {"type": "integer"},
        "backoffLimit": {"type": "integer"},
        "rayClusterSpec": {
            "type": "object",
            "additionalProperties": False,
            "required": ["headGroupSpec"],
            "properties": {
                "rayVersion": {"type": "string"},
                "authOptions": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"mode": {"enum": ["disabled", "token"]}},
                },
                "enableInTreeAutoscaling": {"type": "boolean"},
                "headGroupSpec": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["template"],
                    "properties": GROUP,
                },
                "workerGroupSpecs": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["groupName", "maxReplicas", "minReplicas", "template"],
                        "properties": {
                            **GROUP,
                            "groupName": {"type": "string"},
                            "replicas": {"type": "integer"},
                            "minReplicas": {"type": "integer"},
                            "maxReplicas": {"type": "integer"},
                        },
                    },
                },
            },
        },
    },
}
"""The part of the operator's schema (ray.io/v1, KubeRay 1.7.0) that a manifest of ours uses: its
fields, their types and which of them it requires. Anything else is refused."""


def test_a_manifest_is_what_the_operator_reads(here, capfd):
    (here / "more.yaml").write_text("extends: tiny.yaml\nstudy: 3-more\nseeds: 6\n")
    status, text = launch(
        capfd, "kubernetes", "more.yaml", "--image", "registry.example.org/harness:1", "--claim",
        "results", "--workers", "8", "--cpus-per-worker", "4", "--gpus-per-worker", "2",
        "--namespace", "lab", *GPU,
    )  # fmt: skip
    assert status == 0, text
    (file,) = (here / "results/launch").iterdir()
    settings, job = yaml.safe_load_all(file.read_text())
    jsonschema.Draft202012Validator(RAY_JOB).validate(job["spec"])
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert settings["metadata"] == job["metadata"] == {"name": "study-3-more", "namespace": "lab"}
    assert set(settings["data"]) == {"tiny.yaml", "more.yaml", "run.sh"}
    head, workers = (
        job["spec"]["rayClusterSpec"]["headGroupSpec"],
        job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0],
    )
    assert head["rayStartParams"] == {"num-cpus": "0", "num-gpus": "0"}
    (pod,) = workers["template"]["spec"]["containers"]
    assert pod["resources"]["limits"]["nvidia.com/gpu"] == "2"
    assert workers["maxReplicas"] == 8
    group = head["template"]["spec"]["securityContext"]["fsGroup"]
    assert f"USER {group}\n" in (ROOT / "Containerfile").read_text()  # who may write to the volume
    volumes = {one["name"] for one in head["template"]["spec"]["volumes"]}
    (container,) = head["template"]["spec"]["containers"]
    assert {one["name"] for one in container["volumeMounts"]} == volumes
    command = shlex.split(settings["data"]["run.sh"])
    assert command[command.index("--results") + 1] == "/harness-results/results"
    assert "/harness-study/more.yaml" in command


def test_a_study_that_extends_a_file_elsewhere_does_not_fit_into_a_manifest(here, capfd):
    (here / "below").mkdir()
    (here / "below/more.yaml").write_text("extends: ../tiny.yaml\nstudy: more\n")
    status, text = launch(
        capfd, "kubernetes", "below/more.yaml", "--image", "a", "--claim", "results"
    )
    assert status == 2
    assert "have to be in one folder" in text


def test_a_job_is_what_ray_is_given(here, capfd, monkeypatch):
    """The script is run with a program in place of `ray` that writes down what it is given."""
    status, text = launch(
        capfd, "ray-job", "tiny.yaml", "--dashboard", "http://localhost:9", "--folder", "~/a-b",
        "--set", "question=What's this?",
    )  # fmt: skip
    assert status == 0, text
    programs = here / "bin"
    programs.mkdir()
    (programs / "ray").write_text('#!/bin/bash\nprintf "%s\\0" "$@"\n')
    (programs / "ray").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    file = here / "results/launch/tiny.sh"
    said = subprocess.run(["bash", str(file)], capture_output=True, text=True, check=True).stdout
    words = said.rstrip("\0").split("\0")
    assert words[:4] == ["job", "submit", "--address", "http://localhost:9"]
    assert words[words.index("--") + 1 : -1] == ["bash", "-c"]
    inner = shlex.split(words[-1].partition("exec ")[2])
    assert inner[:3] == ["harness", "run", "tiny.yaml"]
    assert "question=What's this?" in inner


@pytest.mark.parametrize("page", ["slurm.md", "kubernetes.md"])
def test_the_commands_of_the_pages_write_their_files(page, tmp_path, monkeypatch, capfd):
    (tmp_path / "studies").symlink_to(ROOT / "studies")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / page).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.startswith("harness launch ")]
    assert len(lines) >= 2
    for line in lines:
        words = [word for word in shlex.split(line)[1:] if word != "--submit"]
        status = run(words)
        assert status == 0, capfd.readouterr().err
    assert len(list((tmp_path / "results/launch").iterdir())) >= 1


PBS = """\
from typing import ClassVar

from pydantic import Field

from harness.launch import Launcher


class Pbs(Launcher):
    \"\"\"A batch file for PBS.\"\"\"

    name: ClassVar[str] = "pbs"
    suffix: ClassVar[str] = ".pbs"

    chunks: int = Field(1, ge=1, description="machines")

    def problems(self, job):
        if self.chunks > 9:
            yield f"--chunks {self.chunks}: this site has 9 machines"

    def document(self, job, file):
        return f"#PBS -l select={self.chunks}\\n{job.command('auto')}\\n"

    def submission(self, file):
        return ["qsub", str(file)]
"""


def test_another_package_brings_a_place(here, capfd, monkeypatch):
    target = here.parent / "target"
    info = target / "acme_pbs-1.0.dist-info"
    info.mkdir(parents=True)
    (target / "acme_pbs.py").write_text(PBS)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme_pbs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[harness.launchers]\npbs = acme_pbs:Pbs\n")
    monkeypatch.syspath_prepend(str(target))
    assert launch(capfd, "pbs", "tiny.yaml", "--chunks", "3")[0] == 0
    file = here / "results/launch/tiny.pbs"
    assert file.read_text().startswith("#PBS -l select=3\nharness run ")
    assert "this site has 9 machines" in launch(capfd, "pbs", "tiny.yaml", "--chunks", "10")[1]
    assert "--chunks: " in launch(capfd, "pbs", "tiny.yaml", "--chunks", "0")[1]
    assert run(["list", "launchers"]) == 0
    listed = capfd.readouterr().out
    assert "A batch file for PBS. (acme_pbs:Pbs, of acme_pbs 1.0)" in listed
    assert re.search(r"^slurm +A SLURM cluster", listed, re.M)


def test_from_python_a_job_is_described_without_writing_anything(here):
    loaded = load_study(here / "tiny.yaml")
    job = job_of(loaded, folder=here, results=Path("results"), options={"--out": None})
    assert job.name == "tiny"
    assert not list(launcher("slurm", {"nodes": 2}).problems(job))
    assert not written(here)
