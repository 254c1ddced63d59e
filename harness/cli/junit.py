"""Verdicts as a JUnit file, which continuous integration shows beside the results of tests."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from harness.formatting import p_text, plural, with_interval
from harness.judged import Verdict

if TYPE_CHECKING:
    from harness.report import ProfileResult
    from harness.run.outcome import Fault

KINDS = ("supported", "refuted", "inconclusive", "incomplete", "changed", "exploratory")
"""What a claim can be, besides its verdict: `changed` has everything that its flag tells of."""
_ILLEGAL = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def kinds_of(verdict: Verdict) -> set[str]:
    """Return what a claim is: its verdict, whether it was changed or came after its evidence."""
    found = {verdict.verdict}
    if verdict.flag:
        found.add("changed")
    if verdict.exploratory:
        found.add("exploratory")
    return found


def write_junit(
    file: Path,
    judged: Sequence[ProfileResult],
    faults: Sequence[Fault],
    fail_on: Collection[str],
) -> None:
    """Write one test suite for each profile of a study, and one test for each claim.

    A claim of a kind in `fail_on` is a failure; another one that is neither supported nor refuted
    is skipped, for it says nothing. What cannot be judged is an error.

    Raises:
        OSError: if the file cannot be written.
    """
    suites = ElementTree.Element("testsuites", name="harness claims")
    for result in judged:
        name = f"{result.study}.{result.profile}"
        suite = ElementTree.SubElement(suites, "testsuite", name=name)
        for verdict in result.verdicts:
            case = ElementTree.SubElement(
                suite, "testcase", classname=name, name=_plain(f"{verdict.id}: {verdict.says}")
            )
            _outcome(case, verdict, fail_on)
        _count(suite)
    for fault in faults:
        name = f"{fault.study}.{fault.profile}" if fault.profile else fault.study or "results"
        suite = ElementTree.SubElement(suites, "testsuite", name=_plain(name))
        case = ElementTree.SubElement(suite, "testcase", classname=_plain(name), name="is judged")
        ElementTree.SubElement(case, "error", message=_plain(str(fault)), type="fault")
        _count(suite)
    _count(suites)
    ElementTree.indent(suites)
    file.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(suites).write(file, encoding="utf-8", xml_declaration=True)


def _outcome(case: ElementTree.Element, verdict: Verdict, fail_on: Collection[str]) -> None:
    wrong = [kind for kind in KINDS if kind in kinds_of(verdict) & set(fail_on)]
    message = _plain(f"{verdict.words}: {verdict.reason}")
    if verdict.flag:
        message += _plain(f" ({verdict.flag})")
    effect = with_interval(verdict.effect, verdict.ci_low, verdict.ci_high)
    numbers = f"{effect}; claimed {verdict.expected}; p {p_text(verdict.p_corrected)}"
    found = f"{verdict.measures}: {numbers}; {plural(verdict.seeds, verdict.unit)}"
    if wrong:
        failure = ElementTree.SubElement(case, "failure", message=message, type=wrong[0])
        failure.text = _plain(found)
    elif verdict.verdict in ("inconclusive", "incomplete"):
        ElementTree.SubElement(case, "skipped", message=message)
    ElementTree.SubElement(case, "system-out").text = _plain(f"{message}\n{found}")


def _count(element: ElementTree.Element) -> None:
    """Write down how many tests there are below an element, and what came of them."""
    element.set("tests", str(len(element.findall(".//testcase"))))
    for kind, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(kind, str(len(element.findall(f".//{tag}"))))


def _plain(text: str) -> str:
    """Leave out what no XML file may hold."""
    return _ILLEGAL.sub(" ", text)
