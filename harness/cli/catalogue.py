"""What a study file can name, by kind, with a line about each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from harness.models.base import Activation, Initialization
from harness.plugins import GROUPS, Plugin, plugins
from harness.registry import DATA_OPTIONS, FIGURES, KINDS, LAUNCHERS, PANELS, TASKS, first_line
from harness.study.bundled import bundled_studies
from harness.study.document import read_yaml
from harness.study.suites import about, bundled_suites


def catalogue() -> dict[str, dict[str, str]]:
    """Return kind: {name: what it is}; of what a package registers also where it comes from."""
    listed: dict[str, dict[str, str]] = {}
    for things, kind in KINDS.items():
        listed[things] = {n: first_line(thing.__doc__) for n, thing in kind.listed().items()}
    listed["metrics"] = _metrics()
    for things, kind in (
        ("data_options", DATA_OPTIONS),
        ("panels", PANELS),
        ("figures", FIGURES),
        ("launchers", LAUNCHERS),
    ):
        listed[things] = {name: kind.about(name) for name in kind.own()}
    for group in GROUPS:
        for name, found in plugins(group).items():
            if name not in listed[group]:
                listed[group][name] = _registered(found)
    listed["activations"] = dict.fromkeys(get_args(Activation), "")
    listed["initializations"] = dict.fromkeys(get_args(Initialization), "")
    listed["suites"] = {name: about(name) for name in bundled_suites()}
    listed["studies"] = {name: _question(file) for name, file in bundled_studies().items()}
    return listed


def _registered(found: Sequence[Plugin]) -> str:
    """Say what a thing of another package says of itself, and where it comes from."""
    origin = " and ".join(f"{plugin.function}, of {plugin.package}" for plugin in found)
    if len(found) > 1:
        return origin
    said = found[0].about()
    if said is None:
        return f"{origin}, which cannot be imported"
    return f"{said} ({origin})" if said else origin


def _metrics() -> dict[str, str]:
    """Return each metric that a built-in task measures, with the tasks that do."""
    found: dict[str, list[str]] = {}
    for name in TASKS.own():
        for metric in TASKS.find(name).metrics:
            found.setdefault(metric.name, []).append(name)
    return {metric: f"of {', '.join(tasks)}" for metric, tasks in found.items()}


def _question(file: Path) -> str:
    return str(read_yaml(file).data.get("question", ""))
