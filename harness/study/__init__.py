"""Study files: what they may say, how they are read, and what is wrong with them."""

from harness.study.design import Arm, cells, point_sides, select, sides, with_settings
from harness.study.errors import InputError, Problem
from harness.study.load import LoadedStudy, load_study, study_from_dict
from harness.study.model import Study

__all__ = [
    "Arm",
    "InputError",
    "LoadedStudy",
    "Problem",
    "Study",
    "cells",
    "load_study",
    "point_sides",
    "select",
    "sides",
    "study_from_dict",
    "with_settings",
]
