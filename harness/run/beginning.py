"""An execution begins: what is written down of it before its first trial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.plan import Plan
from harness.provenance import environment
from harness.run.finished import identity, registered_file, shown_path
from harness.run.limits import plain_prices
from harness.store import Store
from harness.study import InputError, LoadedStudy
from harness.workloads import Dataset, count_duplicates


def begin_execution(
    plan: Plan, store: Store, datasets: Sequence[Dataset], loaded: LoadedStudy, *, live: bool
) -> int:
    """Begin an execution in the store, with what it is of.

    One that a live page shows is a look at its evidence from the first trial on (`store.Look`).
    """
    file = shown_path(loaded.file)
    context = {
        "overrides": dict(plan.overrides),
        "fingerprints": dict(plan.fingerprints),
        "environment": environment(),
        "duplicates": {dataset.name: count_duplicates(dataset) for dataset in datasets},
        "file": file,
        "profiles": {name: list(study.looks) for name, study in loaded.profiles.items()},
        "prices": plain_prices(plan.study),
        **({"live": True} if live else {}),
        **_registered_plan(plan),
    }
    names = plan.study.study, plan.profile
    return store.start_execution(*names, plan.hash, plan.declaration, context, identity(plan, file))


def _registered_plan(plan: Plan) -> dict[str, Any]:
    """Return the plan that was registered for a study and profile, if there is one."""
    file = registered_file(plan.study.study, plan.profile)
    if not file.is_file():
        return {}
    from harness.integrity import read_registration  # it imports what judges, which is slow

    kept: dict[str, Any] = {"file": file.as_posix()}
    try:
        kept["document"] = dict(read_registration(file).document)
    except InputError as error:  # which is told with the verdicts, and keeps nobody from running
        kept["trouble"] = error.problems[0].message
    return {"registered": kept}
