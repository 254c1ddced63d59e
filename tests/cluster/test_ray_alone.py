"""Ray from the outside: conductors that are killed or interrupted, and clusters that are joined."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from ray_heads import free_port, running_head, wait_for_port
from sharing import LEAN

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
CASES = HERE.parent / "cases"


class Conductor:
    """`conductor_alone.py` as the leader of a process group, in a folder of its own."""

    def __init__(self, folder, options, **environment):
        code = "import conductor_alone; conductor_alone.main()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, json.dumps(options)],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(HERE), "TMPDIR": str(folder), **environment},
        )

    def hear(self):
        """Return what it says next; Ray's own words on its output are passed over."""
        line = self.process.stdout.readline()
        while line and not line.startswith("{"):
            line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return json.loads(line)

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.hear()

    def family(self):
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, sign):
        """Signal the whole group, as a terminal or a scheduler does; return what stderr got."""
        os.killpg(self.process.pid, sign)
        self.process.wait()
        return self.process.stderr.read()


@pytest.fixture
def conductor(folder):
    started = []

    def start(options, **environment):
        started.append(Conductor(folder, options, **environment))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.end(signal.SIGKILL)


def test_killed_and_started_again_and_interrupted(conductor, folder):
    """SIGKILL to the group leaves nothing; the next start works at once; Ctrl-C is clean."""
    first = conductor({"needs": {"cpus": 2}, "slots": 1})
    first.hear()
    assert first.ask("run linear")["threads"] == 2
    first.ask("wait")
    family = first.family()
    assert any(process.name().startswith("ray::Worker") for process in family)
    assert first.end(signal.SIGKILL) == ""
    _, alive = psutil.wait_procs(family, timeout=600)
    assert alive == []
    assert not list(folder.glob("harness-ray-*"))

    stale = {"RAY_ADDRESS": "127.0.0.1:9"}  # what a killed cluster leaves in a shell
    second = conductor({"slots": 1}, **stale)
    second.hear()
    second.ask("wait")
    family = second.family()
    os.killpg(second.process.pid, signal.SIGINT)
    assert second.hear() == {"interrupted": True}
    assert second.hear() == {"left": []}
    assert second.process.wait() == 0
    assert second.process.stderr.read() == ""
    assert not any(lives(process) for process in family)
    assert not list(folder.glob("harness-ray-*"))


def lives(process):
    """Tell whether a process goes on; one that only waits to be counted as dead does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    ("moment", "whom"),
    # the whole group while a trial runs: see `test_killed_and_started_again_and_interrupted`
    [("Ray starts", os.kill), ("Ray starts", os.killpg), ("a trial runs", os.kill)],
)
def test_nothing_outlives_a_killed_conductor(conductor, folder, moment, whom):
    killed = conductor({"slots": 1})
    if moment == "Ray starts":
        while not list(folder.glob("harness-ray-*/r/*")):
            assert killed.process.poll() is None
            time.sleep(0.005)
    else:
        killed.hear()
        killed.ask("wait")
    family = killed.family()
    whom(killed.process.pid, signal.SIGKILL)
    assert psutil.wait_procs(family, timeout=600)[1] == []
    assert not list(folder.glob("harness-ray-*"))
    assert killed.process.wait(600) == -signal.SIGKILL


def test_a_ray_that_keeps_nothing_private_works_as_well(conductor, folder):
    """Nor is a reference dropped while it is stopped beside other work, though a worker was lost.

    Ray would end the whole process, with status 1.
    """
    options = {"slots": 1, "public ray": True, "collect no garbage": True}
    other = conductor(options, RAY_ADDRESS="127.0.0.1:9")
    other.hear()
    listening = [
        connection.laddr.ip.removeprefix("::ffff:")
        for process in [psutil.Process(other.process.pid), *other.family()]
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert set(listening) == {"127.0.0.1"}
    assert other.ask("run linear")["state"] == "complete"
    assert other.ask("run dying")["kind"] == "worker crashed"
    assert other.ask("release") == {"references": []}
    other.process.stdin.close()
    assert other.hear() == {"left": []}
    assert other.process.wait() == 0


@pytest.fixture(scope="module")
def cluster():
    """Start a real cluster of one node on loopback, with a token; yield address and environment."""
    with (
        tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as place,
        running_head(free_port(), place, "--num-cpus=1") as running,
    ):
        yield running


def test_a_running_cluster_is_joined_and_gets_our_code(cluster, conductor):
    address, environment = cluster
    joined = conductor({"address": address, "modules": ["cluster_models"]}, **environment)
    said = joined.hear()
    assert said["started"] == []
    assert said["slots"] == 1
    assert joined.ask("run")["state"] == "complete"
    failed = joined.ask("run raising")
    assert failed["state"] == "failed"
    assert "py_modules_files" in failed["reason"]  # this package
    assert re.search(r"harness-ray-\w+/cluster_models.py", failed["reason"])  # the user's module
    assert joined.ask("run dying")["kind"] == "worker crashed"
    joined.process.stdin.close()
    assert joined.hear() == {"left": []}
    assert joined.process.wait() == 0
    assert joined.process.stderr.read() == ""
    wait_for_port(int(address.partition(":")[2]))  # it is still there


def test_what_a_named_module_imports_and_declares_is_sent_along(cluster, tmp_path):
    """From a folder that the cluster could read: it must not be looked at there."""
    address, environment = cluster
    for name in ("helper.yaml", "net.py"):
        shutil.copy(CASES / name, tmp_path)
    (tmp_path / "blocks.py").write_text(
        "from pathlib import Path\nfrom torch import nn\nDATA_FILES = ['slope.txt']\n"
        f"assert not Path(__file__).is_relative_to({str(tmp_path)!r})\n\ndef act():\n"
        "    return nn.LeakyReLU(float(Path(__file__).with_name('slope.txt').read_text()))\n"
    )
    (tmp_path / "numpy.py").write_text("raise ImportError")
    small = ["helper.yaml", "--json", "--set", "workload.epochs=1"]
    told = []
    for slope, command in (
        ("0.1", ["run", *small, "--address", address]),
        ("0.2", ["plan", *small]),
    ):
        (tmp_path / "slope.txt").write_text(slope)
        done = subprocess.run(
            [*LEAN, *command], cwd=tmp_path, env=os.environ | environment, capture_output=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
        told.append(json.loads(done.stdout)["trials"])
    trained, planned = told
    assert (trained["complete"], trained["reused"]) == (18, 0)
    assert (planned["to_run"], planned["done"]) == (12, 6)
