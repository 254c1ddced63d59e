"""Tracking URIs: where they point, and how to keep their secrets."""

from __future__ import annotations

import difflib
import os
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from harness.extras import need

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
SERVERS = ("http", "https")
SECRET_VARIABLES = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
SHORTEST_SECRET = 3
"""Characters; hiding every occurrence of less would make a message unreadable."""

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+")
_HIDDEN = "***"


def redact(text: str) -> str:
    """Return a URI, or any text that contains URIs, without passwords, user names and queries."""
    return _URI.sub(lambda match: _redact_one(match.group()), text)


def conceal(text: str, tracking_uri: str) -> str:
    """Return a text without addresses' secrets, nor those of this one wherever they are quoted.

    A server may repeat what it was sent: a password, a token, or the header that carried them.
    """
    parts = urlsplit(tracking_uri)
    values = [parts.password or "", unquote(parts.password or "")]
    values += [value for _, value in parse_qsl(parts.query)]
    values += [os.environ.get(name, "") for name in SECRET_VARIABLES]
    user = unquote(parts.username or "") or os.environ.get("MLFLOW_TRACKING_USERNAME", "")
    values += [b64encode(f"{user}:{value}".encode()).decode() for value in values if value]
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= SHORTEST_SECRET:
            text = text.replace(value, _HIDDEN)
    return redact(text)


def _redact_one(uri: str) -> str:
    scheme, _, rest = uri.partition("://")
    rest, hash_mark, _ = rest.partition("#")
    rest, question_mark, query = rest.partition("?")
    # A password may hold a raw slash or at sign: all up to the last @ is taken for credentials.
    credentials, at, place = rest.rpartition("@")
    shown = f"{scheme}://" + (f"{_HIDDEN}@{place}" if at and credentials else rest)
    if question_mark:
        names = [pair.partition("=")[0] for pair in query.split("&")]
        shown += "?" + "&".join(f"{name}={_HIDDEN}" for name in names)
    return shown + (f"#{_HIDDEN}" if hash_mark else "")


def resolve_uri(tracking_uri: str | None, results: Path | str) -> str:
    """Return the address of the tracking store: the given one, or `mlflow.db` under results.

    Raises:
        ValueError: when MLflow could not use the address; the message holds no secret.
    """
    if not tracking_uri:
        return f"sqlite:///{Path(results).resolve() / 'mlflow.db'}"
    scheme, separator, rest = tracking_uri.partition("://")
    base = scheme.partition("+")[0].lower()
    if not separator or base not in DATABASES + SERVERS:
        raise ValueError(_unknown_scheme(tracking_uri, base if separator else ""))
    if base == "sqlite":
        path = rest.removeprefix("/")
        if not rest.startswith("/") or not path:
            raise ValueError("a SQLite tracking URI is written sqlite:///path/to/mlflow.db")
        return f"{scheme}:///{Path(path).resolve()}"
    try:
        parts = urlsplit(tracking_uri)
        parts.port  # noqa: B018  (parsed on access)
    except ValueError:
        raise ValueError(f"not an address: {redact(tracking_uri)}") from None
    if scheme == "postgresql+psycopg":
        need("psycopg", "a tracking URI of PostgreSQL")
    if not parts.hostname and base in SERVERS:
        raise ValueError(f"a tracking URI needs a host: {redact(tracking_uri)}")
    return tracking_uri


def _unknown_scheme(tracking_uri: str, base: str) -> str:
    known = ", ".join(f"{scheme}://" for scheme in SERVERS + DATABASES)
    near = difflib.get_close_matches(base, DATABASES + SERVERS, 1)
    hint = f" (did you mean {near[0]}://?)" if near else ""
    return f"a tracking URI starts with one of {known}{hint}; got {redact(tracking_uri)!r}"


@dataclass(frozen=True)
class Address:
    """Where to connect, with the secrets of an HTTP address moved to environment variables."""

    uri: str
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


def without_credentials(tracking_uri: str) -> Address:
    """Move user, password and token of an HTTP address to MLflow's environment variables.

    So they appear in no URL that MLflow or an HTTP library would print in an error.
    """
    parts = urlsplit(tracking_uri)
    if parts.scheme not in SERVERS:
        return Address(tracking_uri)
    environment = {}
    if parts.username:
        environment["MLFLOW_TRACKING_USERNAME"] = unquote(parts.username)
        environment["MLFLOW_TRACKING_PASSWORD"] = unquote(parts.password or "")
    queries = dict(parse_qsl(parts.query))
    token = queries.pop("token", "") or queries.pop("access_token", "")
    if token:
        environment["MLFLOW_TRACKING_TOKEN"] = token
    netloc = parts.netloc.rpartition("@")[2]
    query = urlencode(queries)
    return Address(
        urlunsplit((parts.scheme, netloc, parts.path.rstrip("/"), query, "")), environment
    )


def sqlite_path(tracking_uri: str) -> Path | None:
    """Return the file of a SQLite address, or None for any other address."""
    if not tracking_uri.startswith("sqlite"):
        return None
    return Path(tracking_uri.partition(":///")[2])


def artifact_root_for(tracking_uri: str, results: Path | str) -> Path | None:
    """Return where artifacts lie: None when a server keeps them, else a folder here."""
    if urlsplit(tracking_uri).scheme in SERVERS:
        return None
    database = sqlite_path(tracking_uri)
    return (database.parent if database else Path(results).resolve()) / "mlartifacts"
