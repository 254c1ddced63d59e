"""`harness ui`: a real server on loopback."""

import json
import os
import signal
import socket
import urllib.error
import urllib.request

import pytest
from tracking_examples import Server, client, get, mirrored, record, runs, trial, with_database

from harness.track import serve_ui


def test_the_page_the_interface_and_the_artifacts_are_served(tmp_path, template):
    results = with_database(tmp_path / "results", template)
    report = tmp_path / "report"
    report.mkdir()
    (report / "index.html").write_text("<h1>Report</h1>")
    mirrored(None, results, [record(trial(1))], report=report)
    parent = runs(client(f"sqlite:///{results}/mlflow.db"), children=False)[0].info.run_id
    server = Server(results).start()
    try:
        assert server.said.startswith(f"MLflow UI: {server.uri}")
        assert b"<title>MLflow</title>" in get(server.uri)
        body = json.dumps({"experiment_ids": ["1"], "filter": "tags.role = 'trial'"}).encode()
        found = json.loads(get(f"{server.uri}/api/2.0/mlflow/runs/search", body))
        assert [run["info"]["status"] for run in found["runs"]] == ["FINISHED"]
        artifact = f"{server.uri}/get-artifact?run_id={parent}&path=report/index.html"
        assert get(artifact) == b"<h1>Report</h1>"

        for header, value in (("Host", "evil.example"), ("Origin", "http://evil.example")):
            request = urllib.request.Request(
                f"{server.uri}/api/2.0/mlflow/runs/search",
                body,
                {"Content-Type": "application/json", header: value},
            )
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request, timeout=10)
            assert refused.value.code == 403
        sockets = [c for one in server.family() for c in one.net_connections()]
        assert {c.laddr.ip for c in sockets if c.status == "LISTEN"} == {"127.0.0.1"}

        family = server.family()
        os.kill(server.process.pid, signal.SIGINT)
        assert server.process.wait(timeout=30) == 0
        assert server.process.stdout.read() == ""
        assert not any(one.is_running() for one in family)
    finally:
        server.stop()


def test_a_busy_port_is_named(tmp_path, capsys):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        assert serve_ui(None, port=port, results=str(tmp_path)) == 2
    assert f"port {port} is in use" in capsys.readouterr().err


@pytest.mark.parametrize(("host", "port"), [("no.such.host.invalid", 0), ("127.0.0.1", 70_000)])
def test_what_cannot_be_listened_on_is_named(host, port, tmp_path, capsys):
    assert serve_ui(None, host, port, results=str(tmp_path)) == 2
    assert capsys.readouterr().err


def test_a_server_elsewhere_is_only_named(capsys):
    assert serve_ui("http://me:hush@host:5000") == 0
    said = capsys.readouterr().out
    assert "host:5000" in said
    assert "hush" not in said
