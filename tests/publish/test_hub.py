"""Published evidence on a hub, driven through the library over real HTTP."""

import base64
import json
import os
import shutil
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

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
            self.server.made = json.loads(body)
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


@pytest.fixture
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.files, server.made = {}, None
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "results" / "published"
    folder.mkdir(parents=True)
    for study in ("batchnorm.quick", "dropout.quick"):
        shutil.copy(PUBLISHED / f"{study}.json.gz", folder)
    return tmp_path / "results"


def publish(results, *arguments, endpoint, token=TOKEN):
    known = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    home = {"HF_HOME": str(results / "hf"), "HF_ENDPOINT": endpoint}
    folders = ["--results", str(results), "--out", str(results.parent / "reports")]
    return subprocess.run(
        [sys.executable, "-m", "harness", "publish", *arguments, *folders],
        env=known | home | ({"HF_TOKEN": token} if token else {}),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_evidence_pages_and_cards_are_uploaded_and_can_be_verified(hub, results, tmp_path):
    done = publish(results, "--hub", "lab/evidence", endpoint=hub.address)
    assert done.returncode == 0, done.stderr
    assert hub.made["name"] == "evidence"
    assert hub.made["organization"] == "lab"
    assert hub.made["type"] == "dataset"
    assert hub.made.get("private") is True or hub.made.get("visibility") == "private"
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
    command = [sys.executable, "-m", "harness", "verify", *folders]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.slow
def test_a_dry_run_uploads_nothing_and_one_study_leads_to_no_other(hub, results):
    done = publish(results, "dropout", "--hub", "lab/evidence", "--dry-run", endpoint=hub.address)
    assert done.returncode == 0, done.stderr
    assert "would be uploaded; nothing was" in done.stdout
    assert "results/published/dropout.quick.json.gz" in done.stdout
    assert "batchnorm" not in done.stdout
    assert "index.md  " not in done.stdout
    assert hub.made is None
    assert hub.files == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("token", "says"), [(None, "nobody is logged in"), ("hf_wrong", "401")], ids=["none", "wrong"]
)
def test_without_a_valid_token_nothing_is_uploaded(hub, results, token, says):
    done = publish(results, "dropout", "--hub", "lab/evidence", endpoint=hub.address, token=token)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert hub.files == {}


@pytest.mark.parametrize("name", ["evidence", "lab/evi dence", "a/b/c"])
def test_a_name_that_no_repository_can_have_is_refused_first(results, name):
    done = publish(results, "--hub", name, "--dry-run", endpoint="http://127.0.0.1:9")
    assert done.returncode == 2
    assert f"--hub {name}:" in done.stderr
    assert not (results.parent / "reports").exists()
