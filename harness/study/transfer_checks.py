"""What is wrong with networks that begin where others ended: tokens, test splits, adapters."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from harness.data import data_of
from harness.errors import Problem
from harness.formatting import level_text, listed
from harness.study.arm_checks import tests_of
from harness.study.contrasts import compared
from harness.study.design import Arm
from harness.study.document import Document, Path_
from harness.study.likeness_checks import RATE
from harness.study.model import Study
from harness.study.search_space import is_set_by, tuned_spaces
from harness.trial import sources_of

_FROM = ("path", "id")
"""Settings that name data of one's own."""
_DIVIDES = ("test_fraction", "split_column", "group_column", "target", "targets", "label")
"""Settings that decide which of their examples are in the test split."""


def check_transfer(
    study: Study,
    arms: Sequence[Arm],
    stages: Mapping[str, Mapping[str, Any]],
    document: Document,
) -> list[Problem]:
    """Find stages whose tokens are others, and adapters that are compared at one learning rate."""
    problems = list(dict.fromkeys(_other_tokens(study, arms, stages, document)))
    problems += dict.fromkeys(_other_division(study, arms, stages, document))
    return problems + list(_one_rate(study, arms, document))


def _other_tokens(
    study: Study,
    arms: Sequence[Arm],
    stages: Mapping[str, Mapping[str, Any]],
    document: Document,
) -> Iterator[Problem]:
    for workload, name, where in _users(study, arms, stages):
        own, others = _tokens(workload["data"]), _tokens(stages[name]["data"])
        if None not in (own, others) and own != others:
            yield document.problem(
                where,
                "the token ids of these data mean other tokens than those of the stage"
                f" '{name}', so that its weights would be of no use: name the same `tokenizer`"
                " in both (or `vocabulary: bytes` of characters), or take equal data",
            )


def _users(
    study: Study, arms: Sequence[Arm], stages: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[Mapping[str, Any], str, Path_]]:
    """Yield each workload that takes something of a stage, the stage, and where it stands."""
    users: list[tuple[Mapping[str, Any], Path_]] = [
        (arm.workload, ("arms", arm.name) if arm.named else ("workload", "data")) for arm in arms
    ]
    users += [(one, (study.block_of(name), name)) for name, one in stages.items()]
    for workload, where in users:
        for name in sources_of(workload).values() if not workload.get("training") else ():
            if name in stages and not stages[name].get("training"):
                yield workload, name, where


def _other_division(
    study: Study,
    arms: Sequence[Arm],
    stages: Mapping[str, Mapping[str, Any]],
    document: Document,
) -> Iterator[Problem]:
    """Yield a problem where a stage learns from examples that an arm is tested on.

    Data of one's own are divided by their settings; two divisions of one file overlap.
    """
    for workload, name, where in _users(study, arms, stages):
        own, others = workload["data"], stages[name]["data"]
        marked = own.get("split_column") and own["split_column"] == others.get("split_column")
        if marked or not any(own.get(key) and own[key] == others.get(key) for key in _FROM):
            continue
        key = next((key for key in _DIVIDES if own.get(key) != others.get(key)), None)
        if key is not None:
            yield document.problem(
                where,
                f"the stage '{name}' reads the same data and divides them in another way"
                f" (`data.{key}`: {level_text(others.get(key))}, and {level_text(own.get(key))}"
                " here), so that it learns from examples that are tested on here: give both the"
                f" same `data.{key}`, or mark the test split in the data",
            )


def _tokens(data: Mapping[str, Any]) -> str | None:
    return _tokens_of(json.dumps(data, sort_keys=True))


@lru_cache(maxsize=4096)
def _tokens_of(text: str) -> str | None:
    meaning = data_of(json.loads(text)).token_meaning
    return None if meaning is None else json.dumps(meaning, sort_keys=True, default=str)


def _one_rate(study: Study, arms: Sequence[Arm], document: Document) -> Iterator[Problem]:
    """Yield a problem for each claim over different adapters whose arms have no rate of their own.

    What suits all weights is too little for an adapter, by a factor of about ten (Schulman 2025,
    "LoRA without regret"): at a rate that all share, a claim would be about the rate.
    """
    if all(arm.workload["model"].get("adapter") is None for arm in arms):
        return
    spaces = tuned_spaces(study.search, arms)
    for where, test in tests_of(study):
        if test.metric.startswith("cost."):
            continue
        looked_at = [arm for side in compared(test, study, arms).sides for arm in side]
        kinds = {(arm.workload["model"].get("adapter") or {}).get("name") for arm in looked_at}
        untuned = [
            arm.name
            for arm in looked_at
            if arm.workload["training"] is None
            and RATE not in spaces[arm.name]
            and not is_set_by(arm, RATE)
        ]
        if len(kinds) > 1 and untuned:
            yield document.problem(
                where,
                "compares trainings with different adapters, or with and without one, at one"
                f" learning rate, which cannot suit both ({listed(list(dict.fromkeys(untuned)))}):"
                f" search `{RATE}` for each arm, such as `search.space: {{{RATE}: {{log: [1.0e-5,"
                " 1.0e-1]}}`",
            )
