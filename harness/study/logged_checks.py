"""What a study of runs that other code logged can say, and what it cannot."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import Problem, nearest
from harness.study.claims import CompositeClaim
from harness.study.design import Arm
from harness.study.document import Document, Path_
from harness.study.model import Study
from harness.trial import trained_elsewhere

_OF_NO_USE = {
    "search": "these runs are trained already; leave out `search`",
    "pretraining": "these runs are trained already; leave out `pretraining`",
    "probes": "nobody can look into networks that were trained elsewhere; leave out `probes`",
}


def check_logged(study: Study, arms: Sequence[Arm], document: Document) -> list[Problem]:
    """Find what is asked of logged runs that only trainings of the harness can give."""
    logged = [arm for arm in arms if trained_elsewhere(arm.workload)]
    if not logged:
        return []
    problems = [
        document.problem((part,), message)
        for part, message in _OF_NO_USE.items()
        if getattr(study, part)
    ]
    if len(logged) < len(arms):
        other = next(arm.name for arm in arms if arm not in logged)
        message = (
            f"arm {other} would be trained here and {logged[0].name} was trained elsewhere; they "
            "cannot be compared in one study"
        )
        problems.append(document.problem(("factors",), message))
    if len(study.looks) > 1:
        message = "these runs are there already, so that seeds cannot come in instalments; say how"
        problems.append(document.problem(("seeds",), f"{message} many seeds they have"))
    return problems + _unknown_metrics(study, logged, document)


def _unknown_metrics(study: Study, logged: Sequence[Arm], document: Document) -> list[Problem]:
    """Find claims about metrics that the runs are not said to have."""
    known = [*logged[0].workload["training"]["metrics"], "cost.seconds"]
    known += [
        f"gap.{name}"
        for name in ("accuracy", "loss")
        if {f"train.{name}", f"validation.{name}"} <= set(known)
    ]
    problems = []
    for i, claim in enumerate(study.claims):
        for j, test in enumerate(claim.tests):
            if test.metric not in known:
                below: Path_ = ("all_of", j) if isinstance(claim, CompositeClaim) else ()
                message = (
                    f"training.metrics does not say what '{test.metric}' is called in the runs "
                    f"(there are: {', '.join(known)}){nearest(test.metric, known)}"
                )
                problems.append(document.problem(("claims", i, *below, "metric"), message))
    return problems
