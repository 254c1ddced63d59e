"""Study files: what they may say, how they are read, and what is wrong with them."""

from harness.study.design import Arm, cells, point_sides, select, sides, with_settings
from harness.study.errors import InputError, Problem
from harness.study.load import LoadedStudy, load_study, study_from_dict
from harness.study.model import Study
from harness.study.search_space import (
    Space,
    arm_spaces,
    candidate_workload,
    is_asked,
    kind_of,
    most_epochs,
    value_at,
)
from harness.study.stages import build_stages, used_stages

__all__ = [
    "Arm",
    "InputError",
    "LoadedStudy",
    "Problem",
    "Space",
    "Study",
    "build_stages",
    "arm_spaces",
    "candidate_workload",
    "cells",
    "is_asked",
    "kind_of",
    "load_study",
    "most_epochs",
    "point_sides",
    "select",
    "sides",
    "study_from_dict",
    "value_at",
    "used_stages",
    "with_settings",
]
