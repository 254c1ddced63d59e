"""The MLflow UI on this project's results."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shlex
import socket
import sqlite3
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import psutil

from harness.formatting import plural
from harness.own import isolated
from harness.track.addresses import (
    SERVERS,
    artifact_root_for,
    redact,
    resolve_uri,
    sqlite_path,
)
from harness.track.mirror import QUIET
from harness.track.moved import follow_artifacts
from harness.track.views import ARMS, EXECUTIONS, TAG, view_link

LOOPBACK = ("127.0.0.1", "localhost", "::1")
PATIENCE = 900.0
"""Seconds that the server may take to answer for the first time, on a busy machine too."""


def serve_ui(
    tracking_uri: str | None,
    host: str = "127.0.0.1",
    port: int = 5000,
    *,
    results: Path | str = "results",
) -> int:
    """Serve MLflow's UI in the foreground until Ctrl-C, and print its address.

    Args:
        tracking_uri: of a database; None for `mlflow.db` under results. The address of a server
            is only printed: it has its own UI.
        host: interface to listen on; names other than loopback's open it to the network.
        port: to listen on; 0 for any free one. A busy port is an error, not a reason to move.
        results: the results folder, whose artifacts are served from any working directory.

    Returns:
        Exit status: 0 there is nothing to serve, 1 the server failed, 2 the input is wrong.

    Raises:
        KeyboardInterrupt: when it is ended so; the server has ended by then.
    """
    try:
        uri = resolve_uri(tracking_uri, results)
        if uri.partition("://")[0] in SERVERS:
            _tell(f"This tracking server has its own UI: {redact(uri)}")
            return 0
        port = _free_port(host, port)
        _find_artifacts(uri, results)
    except ValueError as error:
        _tell(str(error), sys.stderr)
        return 2
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            _command(host, port),
            env=_environment(uri, host, results),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            return _attend(process, host, port, log)
        finally:
            _end(process)


def _find_artifacts(uri: str, results: Path | str) -> None:
    """See that the artifacts of a folder that was copied are found beside its database.

    Raises:
        ValueError: when the database cannot be read or written.
    """
    database, root = sqlite_path(uri), artifact_root_for(uri, results)
    if database is None or root is None:
        return
    try:
        if moved := follow_artifacts(database, root):
            studies = plural(moved, "study", "studies")
            _tell(f"These results lay elsewhere before: artifacts of {studies} are found again.")
    except sqlite3.Error as error:
        raise ValueError(f"'{database}' cannot be used as a database: {error}") from None


def _command(host: str, port: int) -> list[str]:
    options = ["--host", host, "--port", str(port), "--workers", "1"]
    # uvicorn would look for modules in the working folder first
    standard = shlex.quote(sysconfig.get_path("stdlib"))
    quiet = ["--uvicorn-opts", f"--log-level warning --app-dir {standard}"]
    return [sys.executable, "-m", "mlflow", "server", *options, *quiet]


def _environment(uri: str, host: str, results: Path | str) -> dict[str, str]:
    """Return the server's settings; as variables, since arguments show in process lists."""
    root = str(artifact_root_for(uri, results))
    names = [*LOOPBACK, "[::1]"] + ([] if host in LOOPBACK else [host, socket.gethostname()])
    allowed = ",".join(pattern for name in names for pattern in (name, f"{name}:*"))
    settings = {
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_REGISTRY_STORE_URI": uri,
        "MLFLOW_ARTIFACTS_DESTINATION": root,
        "MLFLOW_SERVE_ARTIFACTS": "true",
        "MLFLOW_SERVER_ALLOWED_HOSTS": allowed,
        "MLFLOW_SERVER_X_FRAME_OPTIONS": "SAMEORIGIN",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    return {**os.environ, **QUIET, **isolated(), **settings}


def _free_port(host: str, port: int) -> int:
    """Return a port that can be listened on: the given one, or any for 0.

    Raises:
        ValueError: when it cannot be.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OverflowError:
            raise ValueError(f"a port is a number from 0 to 65535, not {port}") from None
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                advice = "name another one, or 0 for any free one"
                raise ValueError(f"port {port} is in use: {advice}") from None
            raise ValueError(f"cannot listen on {host} port {port}: {error.strerror}") from None
        return int(probe.getsockname()[1])


def _attend(process: subprocess.Popen[bytes], host: str, port: int, log: IO[str]) -> int:
    """Wait for the server to answer, say where it is, and wait for its end."""
    shown = f"[{host}]" if ":" in host else host
    reached = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, shown)
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        if _ask(f"http://{reached}:{port}/health") is not None:
            _tell(f"MLflow UI: http://{reached}:{port}  (Ctrl-C ends it)")
            for study, link in _newest_studies(f"http://{reached}:{port}"):
                _tell(f"  {study}: {link}")
            process.wait()
            break
        time.sleep(0.1)
    log.seek(0)
    said = redact(log.read())[-2000:].strip()
    _tell(f"the MLflow server ended or did not start:\n{said}", sys.stderr)
    return 1


def _ask(url: str, question: Mapping[str, object] | None = None) -> bytes | None:
    """Return what the server answers, without any proxy; None if it does not."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    body = None if question is None else json.dumps(question).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with opener.open(request, timeout=10) as reply:
            return bytes(reply.read())
    except (OSError, urllib.error.URLError):
        return None


def _newest_studies(server: str) -> list[tuple[str, str]]:
    """Return the names of the five newest studies, each with the link to its arms.

    A study none of whose executions came to its end has no arms to show yet, but executions.
    """
    wanted = f"tags.`{TAG}{EXECUTIONS}` != ''"
    question = {"max_results": 5, "filter": wanted, "order_by": ["last_update_time DESC"]}
    found = _ask(f"{server}/api/2.0/mlflow/experiments/search", question)
    studies = []
    for one in json.loads(found or b"{}").get("experiments", []):
        summed_up = any(tag["key"].startswith(f"{TAG}{ARMS}-") for tag in one.get("tags", []))
        link = view_link(one["experiment_id"], ARMS if summed_up else EXECUTIONS, charts=False)
        studies.append((one["name"], f"{server}/{link}"))
    return studies


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server and the workers that it started."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    process.terminate()
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.terminate()
    _, left = psutil.wait_procs(family, timeout=5)
    for member in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tell(text: str, stream: IO[str] | None = None) -> None:
    print(text, file=stream or sys.stdout, flush=True)
