"""What a stage learns from must not be what an arm is tested on, wherever either was read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from harness.data import data_of
from harness.plan import Plan, data_key
from harness.study import InputError, LoadedStudy, Problem, build_stages, used_stages
from harness.workloads import Dataset, count_duplicates, count_shared

SHARED = 0.05
"""Part of the test inputs that is no accident, beyond what stands twice in the data themselves."""


def check_leaks(
    plan: Plan, datasets: Mapping[str, Dataset], loaded: LoadedStudy, root: Path
) -> None:
    """Refuse stages that learn from inputs that an arm is tested on, such as a copy of its file.

    Inputs are compared byte for byte. Those that a rule makes are not: there may be few of them,
    and what they are asked for may be another thing.

    Args:
        plan: of the study.
        datasets: of its arms and stages, by their key.
        loaded: the study, to say where a mistake stands.
        root: of the data files.

    Raises:
        InputError: naming the arm, the stage, and how many inputs they share.
    """

    @cache
    def shared(own: str, others: str) -> int:
        known = count_duplicates(datasets[own])
        return count_shared(datasets[own].test, datasets[others].examples) - known

    stages = build_stages(plan.study)
    for arm in plan.all_arms if stages else ():
        own = data_key(arm.workload)
        for name in used_stages(plan.study, [arm], stages):
            stage = stages[name]
            others = data_key(stage)
            if own == others or not all(_is_read(one, root) for one in (arm.workload, stage)):
                continue
            count, tested = shared(own, others), len(datasets[own].test.inputs)
            if count > SHARED * tested:
                message = (
                    f"learns from {count:,} of the {tested:,} inputs that the arm '{arm.name}' is"
                    " tested on, though both name other data: give both the same data, which are"
                    " divided alike then, or take these inputs out of the stage's"
                )
                path = f"{plan.study.block_of(name)}.{name}.data"
                raise InputError([Problem(message, loaded.file, path=path)])


def _is_read(workload: Mapping[str, Any], root: Path) -> bool:
    """Whether examples are of files or a library, and not made by a rule."""
    data = data_of(workload["data"])
    return data.by_content or bool(data.files(root))
