"""The server of the live page: loopback only, GET only, to its own names only."""

from __future__ import annotations

import errno
import http.client
import json
import secrets
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil

from harness.errors import InputError
from harness.formatting import why
from harness.store import conductor_of
from harness.trial import digest

HOST, LIVE_PORT = "127.0.0.1", 8420
_NAMES = ("127.0.0.1", "localhost")
_PING = "/ping"
_LOOKED_AT = 30.0
"""Seconds since a page asked for the last time, within which somebody looks."""
_AT_MOST = 3600.0
"""Seconds after a run at which its page ends, whoever looks."""


def serve(
    results: Path,
    port: int | None = None,
    *,
    tell: Callable[[str], None],
    owner: int | None = None,
) -> None:
    """Serve the page of a results folder until an interruption, or as long as it is of use.

    Args:
        results: the folder, which need not exist yet.
        port: on loopback; 0 for any free one; None for `LIVE_PORT`, or any if that is in use.
        tell: is given the address once the server listens.
        owner: a process; with one, the server ends after it, after any run in the folder, and when
            nobody looks any more.

    Raises:
        InputError: if the port cannot be listened on.
    """
    server = _listen(port)
    server.results, server.asked = results, time.monotonic()
    tell(address_of(server.server_port))
    if owner is not None:
        threading.Thread(target=_end_after, args=(server, owner), daemon=True).start()
    try:
        server.serve_forever(poll_interval=0.2)
    finally:
        server.server_close()


def address_of(port: int) -> str:
    """Return the address of the page at a port of this machine."""
    return f"http://{HOST}:{port}/"


def answers(results: Path, port: int) -> bool:
    """Tell whether the live page of this results folder is served at a port of this machine."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", _PING)
        return bool(json.loads(connection.getresponse().read(1000)) == _mark(results))
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _mark(results: Path) -> dict[str, str]:
    return {"live page of": digest([str(results.resolve())])}


def _listen(port: int | None) -> _Server:
    try:
        return _Server((HOST, LIVE_PORT if port is None else port), _Handler)
    except OverflowError:
        raise InputError(f"a port is a number from 0 to 65535, not {port}") from None
    except OSError as error:
        if port is None and error.errno == errno.EADDRINUSE:
            return _listen(0)
        reason = "is in use: name another one, or 0 for any free one"
        if error.errno != errno.EADDRINUSE:
            reason = f"cannot be listened on: {error.strerror}"
        raise InputError(f"port {port} {reason}") from None


def _end_after(server: _Server, owner: int) -> None:
    """End the server some time after its owner and any run have ended."""
    used = time.monotonic()
    while True:
        time.sleep(1.0)
        now = time.monotonic()
        if psutil.pid_exists(owner) or conductor_of(server.results) is not None:
            used = now
        elif now - used > _AT_MOST or now - max(used, server.asked) > _LOOKED_AT:
            server.shutdown()
            return


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    results = Path()
    asked = 0.0
    """When a page asked for the last time."""

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]):
        super().__init__(address, handler)
        self._watch: object = None
        self._lock = threading.Lock()

    def page(self, run: int | None, nonce: str) -> str:
        """Return the page; what reads and draws it is imported when the first one is asked for."""
        from harness.live.watch import Watch
        from harness.report.render import live_page

        with self._lock:
            if self._watch is None:
                self._watch = Watch(self.results)
        assert isinstance(self._watch, Watch)
        return live_page(self._watch.view(run), nonce)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a browser that went away."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10  # seconds for a request to be sent
    server_version, sys_version = "harness", ""

    def do_GET(self) -> None:
        """Answer with the page, or say why not."""
        if not self._is_to_us():
            self._answer(HTTPStatus.FORBIDDEN, "this page answers only to the names of loopback\n")
            return
        asked = urlsplit(self.path)
        if asked.path == _PING:
            self._answer(HTTPStatus.OK, json.dumps(_mark(self.server.results)), "application/json")
            return
        run = parse_qs(asked.query).get("run", [""])[0]
        if asked.path != "/" or (run and not (run.isascii() and run.isdigit() and len(run) < 12)):
            self._answer(HTTPStatus.NOT_FOUND, "there is no such page\n")
            return
        self.server.asked = time.monotonic()
        nonce = secrets.token_urlsafe(16)
        try:
            page = self.server.page(int(run) if run else None, nonce)
        except Exception as error:  # it is about the page alone; the next look may be fine
            text = f"the page cannot be drawn ({why(error)})\n"
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, text)
            return
        policy = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
            "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )
        self._answer(HTTPStatus.OK, page, "text/html", policy)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: the terminal belongs to the run."""

    def _is_to_us(self) -> bool:
        """Whether a request names loopback, so that no web site can read it by a name of its own.

        Any port will do, for there may be a tunnel.
        """
        host = self.headers.get("Host", "").rpartition(":")
        name, origin = host[0] or host[2], self.headers.get("Origin")
        return name in _NAMES and (origin is None or urlsplit(origin).hostname in _NAMES)

    def _answer(
        self,
        status: HTTPStatus,
        text: str,
        kind: str = "text/plain",
        policy: str = "",
    ) -> None:
        body = text.encode(errors="replace")
        self.send_response(status)
        headers = {
            "Content-Type": f"{kind}; charset=utf-8",
            "Content-Length": str(len(body)),
            "Content-Security-Policy": policy or "default-src 'none'",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "no-store",
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
