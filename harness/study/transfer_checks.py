"""What is wrong with networks that begin where others ended: other tokens, untuned adapters."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from harness.data import data_of
from harness.errors import Problem
from harness.formatting import listed
from harness.study.arm_checks import tests_of
from harness.study.contrasts import compared
from harness.study.design import Arm
from harness.study.document import Document, Path_
from harness.study.model import Study
from harness.study.search_space import arm_spaces, is_set_by
from harness.trial import sources_of

RATE = "optimizer.lr"


def check_transfer(
    study: Study,
    arms: Sequence[Arm],
    stages: Mapping[str, Mapping[str, Any]],
    document: Document,
) -> list[Problem]:
    """Find stages whose tokens are others, and adapters that are compared at one learning rate."""
    problems = list(dict.fromkeys(_other_tokens(study, arms, stages, document)))
    return problems + list(_one_rate(study, arms, document))


def _other_tokens(
    study: Study,
    arms: Sequence[Arm],
    stages: Mapping[str, Mapping[str, Any]],
    document: Document,
) -> Iterator[Problem]:
    users: list[tuple[Mapping[str, Any], Path_]] = [
        (arm.workload, ("arms", arm.name) if arm.named else ("workload", "data")) for arm in arms
    ]
    users += [(one, (study.block_of(name), name)) for name, one in stages.items()]
    for workload, where in users:
        for name in sources_of(workload).values() if not workload.get("training") else ():
            stage = stages.get(name)
            if stage is None or stage.get("training"):
                continue
            own, others = _tokens(workload["data"]), _tokens(stage["data"])
            if None not in (own, others) and own != others:
                yield document.problem(
                    where,
                    "the token ids of these data mean other tokens than those of the stage"
                    f" '{name}', so that its weights would be of no use: name the same `tokenizer`"
                    " in both (or `vocabulary: bytes` of characters), or take equal data",
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
    spaces = arm_spaces(study.search, arms) if study.search else {}
    for where, test in tests_of(study):
        if test.metric.startswith("cost."):
            continue
        looked_at = [arm for side in compared(test, study, arms).sides for arm in side]
        kinds = {(arm.workload["model"].get("adapter") or {}).get("name") for arm in looked_at}
        untuned = [
            arm.name
            for arm in looked_at
            if arm.workload["training"] is None
            and RATE not in spaces.get(arm.name, {})
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
