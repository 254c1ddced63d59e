"""Study files: what they may say, how they are read, and what is wrong with them."""

from harness.study.design import Arm, cells, point_sides, select, sides, with_settings
from harness.study.errors import InputError, Problem
from harness.study.load import LoadedStudy, load_study, study_from_dict
from harness.study.model import Study
from harness.study.stages import build_stages, used_stages

__all__ = [
    "Arm",
    "InputError",
    "LoadedStudy",
    "Problem",
    "Study",
    "build_stages",
    "cells",
    "load_study",
    "point_sides",
    "select",
    "sides",
    "study_from_dict",
    "used_stages",
    "with_settings",
]
