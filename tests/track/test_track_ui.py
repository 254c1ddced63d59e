"""`harness ui`: a real server on loopback."""

import json
import socket
import urllib.error
import urllib.request

import pytest
from tracking_examples import client, get, mirrored, record, runs, trial

from harness.track import serve_ui


@pytest.mark.slow
def test_the_page_the_interface_and_the_artifacts_are_served(server, tmp_path):
    """Of a results folder that a study writes to at the same time, from another directory."""
    report = tmp_path / "report"
    report.mkdir()
    (report / "index.html").write_text("<h1>Report</h1>")
    mirrored(None, server.results, [record(trial(1))], "ui", report=report)
    [parent] = runs(client(f"sqlite:///{server.results}/mlflow.db"), "ui", children=False)
    assert server.said.startswith(f"MLflow UI: {server.uri}")
    assert b"<title>MLflow</title>" in get(server.uri)
    experiment = parent.info.experiment_id
    body = json.dumps({"experiment_ids": [experiment], "filter": "tags.role = 'trial'"}).encode()
    found = json.loads(get(f"{server.uri}/api/2.0/mlflow/runs/search", body))
    assert [run["info"]["status"] for run in found["runs"]] == ["FINISHED"]
    artifact = f"{server.uri}/get-artifact?run_id={parent.info.run_id}&path=report/index.html"
    assert get(artifact) == b"<h1>Report</h1>"


@pytest.mark.slow
@pytest.mark.parametrize("header", ["Host", "Origin"])
def test_other_sites_are_refused(server, header):
    url = f"{server.uri}/api/2.0/mlflow/experiments/search"
    headers = {"Content-Type": "application/json", header: "http://evil.example"}
    request = urllib.request.Request(url, b'{"max_results": 1}', headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=600)
    assert refused.value.code == 403


@pytest.mark.slow
def test_it_listens_on_loopback_only(server):
    sockets = [found for one in server.family() for found in one.net_connections()]
    assert {found.laddr.ip for found in sockets if found.status == "LISTEN"} == {"127.0.0.1"}


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
