"""Whole runs: their reports are drawn, and how their pictures look is tested elsewhere."""

import pytest


@pytest.fixture(autouse=True)
def coarse_pictures(monkeypatch):
    """Draw pictures of few dots, which takes a quarter of the time."""
    monkeypatch.setattr("harness.figures._style.PNG_DPI", 30)
