"""Study files: what they may say, how they are read, and what is wrong with them.

A name is imported when it is asked for: the kinds of errors are wanted by every command, the models
of a study file, which are slow to build, only by those that read one.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from harness.errors import InputError, Problem

if TYPE_CHECKING:
    from harness.study.contrasts import Comparison, compared
    from harness.study.design import Arm, place_of, select, value_at, with_settings
    from harness.study.inherit import files_of
    from harness.study.load import LoadedStudy, Source, load_profiles, load_study, study_from_dict
    from harness.study.model import Study
    from harness.study.search_space import (
        arm_spaces,
        candidate_workload,
        most_epochs,
        settings_for,
    )
    from harness.study.stages import build_stages, used_stages

__all__ = [
    "Arm",
    "Comparison",
    "InputError",
    "LoadedStudy",
    "Problem",
    "Source",
    "Study",
    "build_stages",
    "arm_spaces",
    "candidate_workload",
    "compared",
    "files_of",
    "load_profiles",
    "load_study",
    "most_epochs",
    "place_of",
    "select",
    "settings_for",
    "study_from_dict",
    "value_at",
    "used_stages",
    "with_settings",
]

_NAMES = {
    "contrasts": ("Comparison", "compared"),
    "design": ("Arm", "place_of", "select", "value_at", "with_settings"),
    "inherit": ("files_of",),
    "load": ("LoadedStudy", "Source", "load_profiles", "load_study", "study_from_dict"),
    "model": ("Study",),
    "search_space": (
        "arm_spaces", "candidate_workload", "most_epochs",
        "settings_for",
    ),
    "stages": ("build_stages", "used_stages"),
}  # fmt: skip
_HOMES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
