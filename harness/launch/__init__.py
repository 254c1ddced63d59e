"""Where a study can be sent: one module for each place, which writes the file for it."""

from harness.launch.base import Job, Launcher, job_of, launcher

__all__ = ["Job", "Launcher", "job_of", "launcher"]
