from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tracking_examples import Server, with_database

from harness.track.mirror import CLIENT_ENVIRONMENT

os.environ.update(CLIENT_ENVIRONMENT)


@pytest.fixture
def results(tmp_path: Path, template: Path) -> Path:
    return with_database(tmp_path / "results", template)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Server]:
    """One server for all tests that do not kill it; each uses a study of its own."""
    server = Server(with_database(tmp_path_factory.mktemp("server") / "results", template))
    yield server.start()
    server.stop()
