"""Data that are not ours: by path, by the name of a library's data set, from a user's function."""

from harness.workloads.own.sources import OWN, own_function

__all__ = ["OWN", "own_function"]
