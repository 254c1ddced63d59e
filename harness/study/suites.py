"""Suites: lists of data under a name, which stand for the levels of a factor.

A suite is a YAML file: its name, a line about it, and data by label. An entry is data as a workload
names it, or settings of a workload (`data`, `model`, `epochs`, ...) with perhaps a `target`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import InputError, nearest
from harness.formatting import listed
from harness.study.document import Document, Path_, read_yaml

FOLDER = Path(__file__).parent.parent / "suites"
_KEYS = ("suite", "about", "data")
_FACTOR = ("suite", "without")


def bundled_suites() -> dict[str, Path]:
    """Return the files of the bundled suites by name."""
    return {file.stem: file for file in sorted(FOLDER.glob("*.yaml"))}


def about(name: str) -> str:
    """Return what a bundled suite says of itself."""
    return str(read_yaml(bundled_suites()[name]).data.get("about", ""))


def expand_suites(document: Document) -> None:
    """Write out the levels of factors that name a suite, in place, and the probes of its targets.

    Raises:
        InputError: if there is no such suite, it has not the form of one, or the factor also has
            levels of its own.
    """
    factors = document.data.get("factors")
    if not isinstance(factors, dict):
        return  # which is told when the whole study is checked
    for name, factor in list(factors.items()):
        if isinstance(factor, dict) and "suite" in factor:
            factors[name] = {"levels": dict(_levels(document, name, factor))}


def _levels(
    document: Document, name: str, factor: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    place: Path_ = ("factors", name)
    for key in set(factor) - set(_FACTOR):
        message = f"a factor with a `suite` has {listed(_FACTOR)} alone"
        raise InputError([document.problem((*place, key), message)])
    suite = _read(document, (*place, "suite"), factor["suite"])
    left_out = factor.get("without", [])
    for label in left_out if isinstance(left_out, list) else [left_out]:
        if label not in suite.data["data"]:
            known = list(suite.data["data"])
            message = f"the suite has no '{label}' (it has: {', '.join(known)})"
            problem = document.problem((*place, "without"), message + nearest(str(label), known))
            raise InputError([problem])
    for label, entry in suite.data["data"].items():
        if isinstance(left_out, list) and label not in left_out:
            yield label, _settings(document, suite, name, label, entry)


def _read(document: Document, place: Path_, named: Any) -> Document:
    """Read a suite: a bundled one by its name, or the path of a file beside the study."""
    known = bundled_suites()
    file = known.get(str(named), Path(document.file).parent / str(named))
    if str(named) not in known and file.suffix not in (".yaml", ".yml"):
        message = f"'{named}' is neither a bundled suite ({', '.join(known)}) nor a .yaml file"
        raise InputError([document.problem(place, message + nearest(str(named), known))])
    if not file.is_file():
        raise InputError([document.problem(place, f"there is no file '{file}'")])
    suite = read_yaml(file)
    for key in set(suite.data) - set(_KEYS):
        raise InputError([suite.problem((key,), f"a suite has {listed(_KEYS)}", at_key=True)])
    if not isinstance(suite.data.get("data"), dict) or not suite.data["data"]:
        raise InputError([suite.problem(("data",), "a suite needs `data`: {label: data}")])
    return suite


def _settings(
    document: Document, suite: Document, factor: str, label: str, entry: Any
) -> dict[str, Any]:
    """Return what a level of a suite sets; its target becomes a probe of the study."""
    if isinstance(entry, str) or (isinstance(entry, dict) and "name" in entry):
        return {"data": entry}
    if not isinstance(entry, dict) or "data" not in entry:
        message = "needs `data`, or is data: a name, or a mapping with `name`"
        raise InputError([suite.problem(("data", label), message)])
    settings = dict(entry)
    target = settings.pop("target", None)
    if target is not None:
        if not isinstance(target, dict) or len(target) != 1:
            message = "is one metric and its value: {validation.accuracy: 0.9}"
            raise InputError([suite.problem(("data", label, "target"), message)])
        ((metric, value),) = target.items()
        probes = document.data.setdefault("probes", [])
        if isinstance(probes, list):
            on = {"name": "steps_to_target", "metric": metric, "target": value}
            probes.append({**on, "on": {factor: label}})
    return settings
