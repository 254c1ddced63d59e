"""A plan that was frozen before its run, and how far the run kept to it.

Preregistration (Nosek et al., The preregistration revolution, PNAS 115, 2018): what is written
down, and dated by someone else (a commit, a tag, an archive), before any result is known, cannot
have been chosen by the results.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import InputError, Problem
from harness.formatting import plural, why
from harness.plan import Plan, data_key
from harness.provenance import environment
from harness.study import Study, study_from_dict
from harness.study.document import read_yaml, write_yaml
from harness.trial import digest

FORMAT = "harness registered plan"
_HEAD = """\
# The plan of a study, frozen by `harness register` before its run. Commit, tag or upload it now:
# the date of that is what shows others that it came first. Its digest tells of any change.
"""
_NOT_PLANNED = {
    "profiles", "resources", "faults", "checkpoints", "prices", "claims", "seeds", "alpha",
}  # fmt: skip
_WORDING = ("source", "discussion")
_MOST = 60  # characters of a value in a sentence


@dataclass(frozen=True)
class Registration:
    """A registered plan.

    Attributes:
        document: what the file holds, as plain data.
        file: where it lies, as a report may show it.
    """

    document: Mapping[str, Any]
    file: str

    @property
    def registered(self) -> str:
        """When it was written, by the clock of the machine that wrote it."""
        return str(self.document.get("registered", ""))

    @property
    def is_whole(self) -> bool:
        """Whether it is as it was written."""
        fields = {key: value for key, value in self.document.items() if key != "digest"}
        return bool(self.document.get("digest") == digest(fields))


def freeze(plan: Plan, seen: int = 0) -> str:
    """Return a plan as the text of a file.

    Args:
        plan: with the fingerprints of the data that is at hand.
        seen: how many of its confirmation trials have been recorded already.
    """
    study, versions = plan.study, environment()
    data = {data_key(arm.workload): arm.workload["data"] for arm in plan.all_arms}
    fields = {
        "format": FORMAT,
        "study": study.study,
        "profile": plan.profile,
        "registered": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "harness": f"{versions.get('harness', '')} ({versions['code']})",
        "plan_hash": plan.hash,
        "recorded_before": seen,
        "alpha": study.alpha,
        "looks": list(study.looks),
        "data": [
            {**settings, "fingerprint": plan.fingerprints.get(key)}
            for key, settings in data.items()
        ],
        "arms": [arm.name for arm in plan.arms],
        "plan": plan.declaration,
    }
    return _HEAD + write_yaml({**fields, "digest": digest(fields)})


def read_registration(file: Path) -> Registration:
    """Read a registered plan.

    Raises:
        InputError: if it cannot be read, or is none.
    """
    document = read_yaml(file).data
    if document.get("format") != FORMAT:
        message = f"is no registered plan; `harness register` writes one (`format: {FORMAT}`)"
        raise InputError([Problem(message, str(file), path="format")])
    return Registration(document, file.as_posix())


def deviations(registration: Registration, plan: Plan) -> list[str]:
    """Name each difference between a registered plan and the plan that was run, in sentences."""
    document = registration.document
    found = [] if registration.is_whole else ["It was edited after it had been written."]
    try:
        then, _ = study_from_dict(document["plan"])
    except Exception as error:  # whatever it holds, it is about this file alone
        return [*found, f"What it declares cannot be read ({why(error)})."]
    now = plan.study
    found += _named("study", document.get("study"), now.study)
    found += _named("profile", document.get("profile"), plan.profile)
    found += _named("alpha", then.alpha, now.alpha)
    found += _named("seeds", _seeds(then), _seeds(now))
    found += _claims(then, now)
    found += _rest(then, now)
    found += _data(document, plan)
    if not found and document.get("plan_hash") != plan.hash:
        found.append(f"The hash of the plan was {document.get('plan_hash')} and is {plan.hash}.")
    return found


def _named(what: str, then: Any, now: Any) -> list[str]:
    return [] if then == now else [f"{what}: {_shown(then)} was registered, {_shown(now)} was run."]


def _shown(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"


def _seeds(study: Study) -> Any:
    looks = list(study.looks)
    return looks[0] if len(looks) == 1 else f"looks at {', '.join(map(str, looks))}"


def _claims(then: Study, now: Study) -> Iterator[str]:
    registered, run = ({c.id: _claim(c) for c in study.claims} for study in (then, now))
    for claim in registered:
        if claim not in run:
            yield f"The claim {claim} was registered and is not declared."
            continue
        for path, before, after in _differences(registered[claim], run[claim]):
            yield from _named(f"claim {claim}, {path}", before, after)
    for claim in run:
        if claim not in registered:
            yield f"The claim {claim} was not registered."


def _claim(claim: Any) -> dict[str, Any]:
    fields: dict[str, Any] = claim.model_dump(mode="json", exclude_defaults=True)
    return {key: value for key, value in fields.items() if key not in ("id", *_WORDING)}


def _rest(then: Study, now: Study) -> Iterator[str]:
    """Name what differs in workload, factors, arms, search, probes and all else."""
    before, after = (s.model_dump(mode="json", exclude=_NOT_PLANNED) for s in (then, now))
    for path, was, is_ in _differences(before, after):
        if path not in ("study", "question"):
            yield from _named(path, was, is_)


def _data(document: Mapping[str, Any], plan: Plan) -> Iterator[str]:
    """Name data that were others; what was not at hand when the plan was registered is passed."""
    now = {
        digest(arm.workload["data"]): plan.fingerprints.get(data_key(arm.workload))
        for arm in plan.all_arms
    }
    for entry in document.get("data") or ():
        if not isinstance(entry, Mapping):
            continue
        settings = {key: value for key, value in entry.items() if key != "fingerprint"}
        mark, used = entry.get("fingerprint"), now.get(digest(settings))
        if mark is not None and used is not None and mark != used:
            yield (
                f"The data {settings.get('name')} are others: their fingerprint was {mark}, and"
                f" {used} when they were used."
            )


def _differences(then: Any, now: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the paths at which two pieces of plain data differ, with both values."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*then, *now]):
            inner = f"{path}.{key}" if path else str(key)
            yield from _differences(then.get(key), now.get(key), inner)
    elif then != now:
        yield path, then, now


def told_of(context: Mapping[str, Any], plan: Plan, first_look: float | None) -> list[str] | None:
    """Say how far a run kept to the plan that was registered when it began.

    Args:
        context: of the execution, which keeps the registered plan.
        plan: that was run.
        first_look: when any of its confirmation trials were looked at first, before this execution
            or in it, in seconds since 1970; None if that is not known.

    Returns:
        The deviations in sentences, none if it kept to all; None without a registered plan.
    """
    kept = context.get("registered")
    if not isinstance(kept, Mapping):
        return None
    if kept.get("trouble"):
        return [f"The registered plan {kept.get('file')} could not be read: {kept['trouble']}."]
    document = kept.get("document")
    registration = Registration(document if isinstance(document, Mapping) else {}, "")
    found = deviations(registration, plan)
    seen = registration.document.get("recorded_before")
    if isinstance(seen, int) and seen > 0:
        found.append(f"When it was registered, {plural(seen, 'confirmation trial')} had a record.")
    elif first_look is not None and _moment(registration.registered) > first_look:
        found.append("It was registered after its evidence had first been seen.")
    return found


def _moment(text: str) -> float:
    """Return a date as seconds since 1970; one that cannot be read is later than all others."""
    try:
        parsed = datetime.strptime(text, "%Y-%m-%d %H:%M:%S UTC")
    except ValueError:
        return float("inf")
    return parsed.replace(tzinfo=UTC).timestamp()
