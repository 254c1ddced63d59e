"""The conductor: skip what is done, submit the rest, store what comes back, tell."""

from harness.run.conductor import RunOptions, RunResult, run_study
from harness.run.prepare import count_done, prepare

__all__ = ["RunOptions", "RunResult", "count_done", "prepare", "run_study"]
