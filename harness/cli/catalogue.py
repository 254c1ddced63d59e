"""What a study file can name, by kind, with a line about each."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from harness.models.base import Activation, Initialization
from harness.plugins import GROUPS, plugins
from harness.registry import FIGURES, KINDS, PANELS, TASKS, Kind
from harness.study.bundled import bundled_studies
from harness.study.document import read_yaml


def catalogue() -> dict[str, dict[str, str]]:
    """Return kind: {name: what it is}."""
    listed: dict[str, dict[str, str]] = {}
    for things, kind in KINDS.items():
        listed[things] = {n: _first_line(thing.__doc__) for n, thing in kind.listed().items()}
    listed["metrics"] = _metrics()
    listed["panels"], listed["figures"] = _of_reports(PANELS), _of_reports(FIGURES)
    for plugin_kind in GROUPS:
        for name, found in plugins(plugin_kind).items():
            origin = " and ".join(f"{plugin.function}, of {plugin.package}" for plugin in found)
            listed.setdefault(plugin_kind, {}).setdefault(name, origin)
    listed["activations"] = dict.fromkeys(get_args(Activation), "")
    listed["initializations"] = dict.fromkeys(get_args(Initialization), "")
    listed["studies"] = {name: _question(file) for name, file in bundled_studies().items()}
    return listed


def _of_reports(kind: Kind) -> dict[str, str]:
    """Return panels or figures, and what each says of itself; those of others with their origin."""
    found = {name: kind.about(name) for name in kind.own()}
    for name in kind.names()[len(found) :]:
        plugin = kind.plugin(name)
        if plugin is not None and plugin.is_class:
            origin = f"{plugin.function}, of {plugin.package}"
            try:
                found[name] = f"{kind.about(name)} ({origin})"
            except (ImportError, AttributeError):
                found[name] = f"{origin}, which cannot be imported"
    return found


def _metrics() -> dict[str, str]:
    """Return each metric that a built-in task measures, with the tasks that do."""
    found: dict[str, list[str]] = {}
    for name in TASKS.own():
        for metric in TASKS.find(name).metrics:
            found.setdefault(metric.name, []).append(name)
    return {metric: f"of {', '.join(tasks)}" for metric, tasks in found.items()}


def _question(file: Path) -> str:
    return str(read_yaml(file).data.get("question", ""))


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]
