import base64
import subprocess
import sys
from pathlib import Path

import pytest

from harness.track import redact, resolve_uri
from harness.track.addresses import artifact_root_for, conceal, without_credentials


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://user:secret@host:5000/path", "http://***@host:5000/path"),
        ("https://secret@host", "https://***@host"),
        ("http://user:se@cr/et@host/path", "http://***@host/path"),
        ("http://host/?token=secret&x=secret", "http://host/?token=***&x=***"),
        ("http://host/#secret", "http://host/#***"),
        ("postgresql+psycopg2://me:secret@db:1/name", "postgresql+psycopg2://***@db:1/name"),
        ("postgresql://db/name?password=secret", "postgresql://db/name?password=***"),
        ("sqlite:////results/mlflow.db", "sqlite:////results/mlflow.db"),
        ("failed at http://u:secret@h/x, again", "failed at http://***@h/x, again"),
        ("no address here", "no address here"),
    ],
)
def test_secrets_are_not_shown(uri, shown):
    assert redact(uri) == shown
    assert "secret" not in redact(uri)


@pytest.mark.parametrize(
    "uri",
    ["http://me:se%20cret@host/?token=tok-en", "postgresql://me:se%20cret@host/db?x=tok-en"],
)
def test_secrets_that_a_server_repeats_are_not_shown(uri, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "from-outside")
    header = base64.b64encode(b"me:se cret").decode()
    text = f"no 'se cret', 'se%20cret', 'tok-en', 'from-outside', 'Basic {header}' at {uri}"
    said = conceal(text, uri)
    for secret in ("se cret", "se%20cret", "tok-en", "from-outside", header):
        assert secret not in said
    assert said.startswith("no '***', '***'")


def test_the_default_is_a_database_under_results(tmp_path):
    uri = resolve_uri(None, tmp_path / "results")
    assert uri == f"sqlite:///{tmp_path}/results/mlflow.db"
    assert artifact_root_for(uri, tmp_path / "results") == tmp_path / "results" / "mlartifacts"
    assert artifact_root_for("http://host", tmp_path) is None


def test_a_relative_database_is_found_from_anywhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert (
        resolve_uri("sqlite:///some/mlflow.db", "results") == f"sqlite:///{tmp_path}/some/mlflow.db"
    )


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("htp://u:secret@host", "did you mean http://"),
        ("file:///tmp/mlruns", "starts with one of"),
        ("results/mlflow.db", "starts with one of"),
        ("http://", "needs a host"),
        ("http://u:secret@:80", "needs a host"),
        ("http://host:port", "not an address"),
        ("sqlite://", "written sqlite:///"),
    ],
)
def test_unusable_addresses_are_named_without_secrets(uri, says):
    with pytest.raises(ValueError, match=says) as error:
        resolve_uri(uri, "results")
    assert "secret" not in str(error.value)


def test_credentials_leave_the_address():
    address = without_credentials("https://me:p%40ss@host:5000/base/?token=abc")
    assert address.uri == "https://host:5000/base"
    assert dict(address.environment) == {
        "MLFLOW_TRACKING_USERNAME": "me",
        "MLFLOW_TRACKING_PASSWORD": "p@ss",
        "MLFLOW_TRACKING_TOKEN": "abc",
    }
    assert "p@ss" not in repr(address)


def test_importing_the_package_does_not_import_mlflow():
    code = "import sys, harness.track; sys.exit('mlflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
