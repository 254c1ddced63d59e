"""The page that follows one trial names files and things that exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "one-trial.md").read_text()


def names_in(file):
    tree = ast.parse(file.read_text())
    kinds = ast.FunctionDef | ast.ClassDef
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def test_the_stops_exist():
    stops = re.findall(r"`((?:harness|studies)/[\w/.-]+)`", PAGE)
    assert len(stops) > 15
    for stop in stops:
        assert (ROOT / stop).exists(), stop
    assert len(re.findall(r"^\d+\. ", PAGE, re.M)) == 15


def test_the_names_exist_in_their_files():
    named = re.findall(r"`(harness/[\w/]+\.py)`,\s+`(\w+)`", PAGE)
    assert len(named) >= 15
    for file, name in named:
        assert name in names_in(ROOT / file), (file, name)
