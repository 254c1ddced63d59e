"""Published evidence on a hub, driven through the library over real HTTP."""

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from harness.cli.app import run

PUBLISHED = Path(__file__).parents[2] / "results" / "published"
TOKEN = "hf_of_a_test"


class Hub(BaseHTTPRequestHandler):
    """The documented endpoints of the hub that an upload calls."""

    def do_POST(self):
        length = self.headers.get("Content-Length")
        body = self.rfile.read(int(length)) if length else self._chunks()
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._answer(401, {"error": "Invalid credentials"})
        if self.path == "/api/repos/create":
            self.server.made.append(json.loads(body))
            return self._answer(200, {"url": f"{self.server.address}/datasets/lab/evidence"})
        if self.path == "/api/validate-yaml":
            return self._answer(200, {"errors": [], "warnings": []})
        if self.path == "/api/datasets/lab/evidence/preupload/main":
            wanted = json.loads(body)["files"]
            modes = [{"path": f["path"], "uploadMode": "regular"} for f in wanted]
            return self._answer(200, {"files": [m | {"shouldIgnore": False} for m in modes]})
        if self.path == "/api/datasets/lab/evidence/commit/main":
            for line in body.splitlines():
                said = json.loads(line)
                if said["key"] == "file":
                    content = base64.b64decode(said["value"]["content"])
                    self.server.files[said["value"]["path"]] = content
            where = f"{self.server.address}/datasets/lab/evidence/commit/1"
            return self._answer(200, {"success": True, "commitUrl": where, "commitOid": "1" * 40})
        return self._answer(404, {"error": f"no such endpoint: {self.path}"})

    def _chunks(self):
        found = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        return found

    def _answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


COMMANDS = """
import contextlib, io, json, os, sys
from sharing import lean
from harness.cli.app import run

found = []
for words, token in json.load(sys.stdin):
    os.environ.pop("HF_TOKEN", None)
    os.environ |= {"HF_TOKEN": token} if token else {}
    with io.StringIO() as out, io.StringIO() as err:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            with contextlib.nullcontext() if sys.argv[1] == "drawn" else lean():
                status = run([*words, *sys.argv[2:]])
        found.append([status, out.getvalue(), err.getvalue()])
print(json.dumps(found))
"""
HUB = ["--hub", "lab/evidence"]
CALLS = {
    "no owner": (["--hub", "evidence", "--dry-run"], TOKEN),
    "a space": (["--hub", "lab/evi dence", "--dry-run"], TOKEN),
    "three parts": (["--hub", "a/b/c", "--dry-run"], TOKEN),
    "dry run": (["dropout", *HUB, "--dry-run"], TOKEN),
    "no token": (["dropout", *HUB], None),
    "wrong token": (["dropout", *HUB], "hf_wrong"),
    "whole": (HUB, TOKEN),
}


@dataclass
class Published:
    """What a hub was told, and by command what came of it: status, output, errors."""

    files: Mapping[str, bytes]
    made: Sequence[Mapping[str, Any]]
    came: Mapping[str, tuple[int, str, str]]


def publish(names, folder, pictures):
    """Carry out commands, one after another in a process that knows the address of a hub."""
    published = folder / "results" / "published"
    published.mkdir(parents=True)
    for study in ("batchnorm.quick", "dropout.quick"):
        shutil.copy(PUBLISHED / f"{study}.json.gz", published)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.files, server.made = {}, []
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever)
    thread.start()
    known = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    known |= {"HF_HOME": str(folder / "hf"), "HF_ENDPOINT": server.address}
    known["PYTHONPATH"] = str(Path(__file__).parents[1])
    try:
        done = subprocess.run(
            [sys.executable, "-c", COMMANDS, pictures,
             "--results", str(folder / "results"), "--out", str(folder / "reports")],
            input=json.dumps([(["publish", *CALLS[name][0]], CALLS[name][1]) for name in names]),
            env=known, capture_output=True, text=True, check=True,
        )  # fmt: skip
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    came = zip(names, json.loads(done.stdout.splitlines()[-1]), strict=True)
    return Published(server.files, server.made, dict(came))


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    """What came of all that must upload nothing."""
    return publish(list(CALLS)[:-1], tmp_path_factory.mktemp("refused"), "lean")


@pytest.mark.slow
def test_evidence_pages_and_cards_are_uploaded_and_can_be_verified(tmp_path, capsys):
    hub = publish(["whole"], tmp_path, "drawn")
    status, _, said = hub.came["whole"]
    assert status == 0, said
    (made,) = hub.made
    assert made["name"] == "evidence"
    assert made["organization"] == "lab"
    assert made["type"] == "dataset"
    assert made.get("private") is True or made.get("visibility") == "private"
    original = (PUBLISHED / "dropout.quick.json.gz").read_bytes()
    assert hub.files["results/published/dropout.quick.json.gz"] == original
    assert "reports/published/dropout/report.md" in hub.files
    assert "reports/published/index.md" in hub.files
    assert any(name.startswith("cards/dropout/card-quick-") for name in hub.files)
    readme = hub.files["README.md"].decode()
    assert readme.startswith("---\n")
    assert "hf download lab/evidence" in readme

    there = tmp_path / "downloaded"  # as the README of the repository says
    for name, content in hub.files.items():
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).write_bytes(content)
    folders = ["--results", str(there / "results"), "--out", str(there / "reports")]
    assert run(["verify", *folders]) == 0, capsys.readouterr()


@pytest.mark.slow
def test_a_dry_run_uploads_nothing_and_one_study_leads_to_no_other(refused):
    status, said, errors = refused.came["dry run"]
    assert status == 0, errors
    assert "would be uploaded; nothing was" in said
    assert "results/published/dropout.quick.json.gz" in said
    assert "batchnorm" not in said
    assert "index.md  " not in said
    assert refused.made == []
    assert refused.files == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "says"), [("no token", "nobody is logged in"), ("wrong token", "401")]
)
def test_without_a_valid_token_nothing_is_uploaded(refused, name, says):
    status, _, said = refused.came[name]
    assert status == 2
    assert says in said
    assert "Traceback" not in said
    assert refused.files == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["no owner", "a space", "three parts"])
def test_a_name_that_no_repository_can_have_is_refused_first(refused, name):
    status, out, said = refused.came[name]
    assert status == 2
    assert f"--hub {CALLS[name][0][1]}:" in said
    assert out == ""  # no page was made
