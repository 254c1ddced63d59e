"""What a study file, a file from elsewhere, a secret or a neighbour on the network can reach."""

import ast
import io
import os
import pickle
import re
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psutil
import pytest
import torch
import yaml

from harness.cli.app import run
from harness.data.cifar10 import _Arrays
from harness.models.torchvision.network import _nothing_run
from harness.study import InputError, load_study

PACKAGE = Path(__file__).parents[1] / "harness"
SECRET = "hush-hush-7"
SMALL = ["--set", "workload.epochs=1", "--set", "search=null", "--set", "arms={}",
         "--set", "probes=[]", "--set", "claims=[]"]  # fmt: skip


# --- files from elsewhere ------------------------------------------------------------------------
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "joblib", "cloudpickle", "shelve", "marshal"}
SUSPICIOUS = re.compile("|".join([*UNSAFE_MODULES, "load", "trust_remote_code"]), re.IGNORECASE)
"""What every file holds that the test below has something to look at in."""


def test_nothing_that_can_run_code_reads_a_file():
    """No pickles; arrays and weights only as plain numbers; YAML only as plain values."""
    for file in PACKAGE.rglob("*.py"):
        text = file.read_text()
        if not SUSPICIOUS.search(text):
            continue
        for node in ast.walk(ast.parse(text)):
            names = set()
            if isinstance(node, ast.Import):
                names = {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names = {(node.module or "").partition(".")[0]}
            # CIFAR-10 is published as pickles; what reads them is tested below. The mirror, timing
            # blocks and their teams read what their own process sends through a pipe.
            pickles = ("cifar10.py", "mirror.py", "writer.py", "blocks.py", "team.py")
            allowed = {"pickle"} if file.name in pickles else set()
            assert not names & UNSAFE_MODULES - allowed, file
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            settings = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if called.endswith(("torch.load", "hub.load", "load_state_dict_from_url")):
                assert settings.get("weights_only") == "True", file
            if called in ("np.load", "numpy.load"):
                assert settings.get("allow_pickle", "False") == "False", file
            assert called not in ("yaml.load", "yaml.unsafe_load", "yaml.full_load"), file
            assert settings.get("trust_remote_code", "False") == "False", file


class Trap:
    def __reduce__(self):
        return (os.mkdir, ("trapped",))


def test_downloaded_weights_run_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"a": Trap()}, "weights.pt")
    with _nothing_run(), pytest.raises(Exception, match=r"weights_only|Unsupported"):
        torch.load("weights.pt", weights_only=False)  # as torchvision does
    assert not Path("trapped").exists()
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ


def test_the_pickles_of_cifar10_run_nothing():
    with _nothing_run(), pytest.raises(pickle.UnpicklingError, match="is no part of an array"):
        _Arrays(io.BytesIO(pickle.dumps({b"data": Trap()}))).load()
    assert not Path("trapped").exists()
    assert _Arrays(io.BytesIO(pickle.dumps({b"labels": [3]}))).load() == {b"labels": [3]}


# --- names ---------------------------------------------------------------------------------------
HOSTILE = [
    "../../evil", "/tmp/evil", "..", "a/b", "a\\b", "nul\0", "line\nbreak", "~root", "$HOME", "",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("place", ["study", "profile", "arm", "factor", "level", "stage", "claim"])
def test_hostile_names_are_refused(tiny, place, name):
    content = yaml.safe_load(tiny.read_text())
    if place == "study":
        content["study"] = name
    elif place == "profile":
        content["profiles"] = {name: {"seeds": 6}}
    elif place == "arm":
        content["arms"] = {name: {"model.depth": 0}}
    elif place == "factor":
        content["factors"] = {name: content["factors"]["activation"]}
        content["claims"] = []
    elif place == "level":
        content["factors"]["activation"] = {"levels": {name: {"model.activation": "relu"}}}
        content["claims"] = []
    elif place == "stage":
        content["pretraining"] = {name: {}}
        content["workload"]["transfer"] = {"from": name}
    else:
        content["claims"][0]["id"] = name
    tiny.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError):
        load_study(tiny, name if place == "profile" else None)


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/b"])
def test_hostile_names_on_the_command_line_are_refused(tiny, tmp_path, capsys, name):
    places = ["--results", str(tmp_path / "results"), "--out", str(tmp_path / "reports")]
    assert run(["run", str(tiny), "--set", f"study={name}", *places]) == 2
    assert run(["run", str(tiny), "--profile", name, *places]) == 2
    assert run(["new", name, "--folder", str(tmp_path / "studies")]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.yaml"]
    assert "Traceback" not in capsys.readouterr().err


# --- ports and secrets ---------------------------------------------------------------------------
class Telltale(BaseHTTPRequestHandler):
    """Rejects everything, and tells the credentials that came with it to everybody."""

    def do_GET(self):
        self.send_response(401)
        self.end_headers()
        self.wfile.write(f"no: {self.path} {self.headers.get('Authorization')} {SECRET}".encode())

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_):
        pass


@pytest.fixture
def telltale():
    server = HTTPServer(("127.0.0.1", 0), Telltale)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_a_run_listens_on_loopback_and_tells_no_secret(tiny, tmp_path, telltale):
    """A whole run on Ray, watched from outside: its sockets, arguments, words and files."""
    uri = f"http://me:{SECRET}@127.0.0.1:{telltale}/?token={SECRET}"
    command = [sys.executable, "-m", "harness", "run", str(tiny), *SMALL, "--tracking-uri", uri,
               "--results", "results", "--out", "reports"]  # fmt: skip
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "DATABASE_PASSWORD": SECRET},
    )
    listening, arguments = set(), set()
    while process.poll() is None:
        for member in _children(process.pid):
            try:
                if (words := member.cmdline()) != command:  # what is forked shows it until it execs
                    arguments.add(" ".join(words))
                listening |= {
                    connection.laddr.ip.removeprefix("::ffff:")
                    for connection in member.net_connections("inet")
                    if connection.status == psutil.CONN_LISTEN
                }
            except psutil.Error:
                continue
        time.sleep(1.0)  # looking costs as much as what it looks at
    said = process.stdout.read()
    process.stdout.close()
    assert process.returncode == 0, said
    assert "MLflow has not taken" in said
    assert listening == {"127.0.0.1"}
    assert any("harness.track.writer" in one for one in arguments)
    assert SECRET not in said
    assert not [one for one in arguments if SECRET in one]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"harness.db", "index.html"} <= {path.name for path in files}
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]


def _children(pid):
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
