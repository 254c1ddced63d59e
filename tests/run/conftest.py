"""Whole runs: their reports are drawn, and how their pictures look is tested elsewhere."""

import pytest
from sharing import one_word


@pytest.fixture(autouse=True)
def coarse_pictures(monkeypatch):
    """Draw pictures of few dots, which takes a quarter of the time."""
    monkeypatch.setattr("harness.figures._style.PNG_DPI", 30)


@pytest.fixture
def unwritten(monkeypatch):
    """Reports of one word, from now on in this test."""
    monkeypatch.setattr("harness.report.build_page", one_word)
