"""Which candidates to try next, which to stop, which won: pure functions of the history."""

from harness.samplers.base import History, Tried, best, wanted
from harness.search.export import export_search
from harness.search.importance import importances
from harness.search.rounds import bracket_of, next_round, random_until, rungs, stop_rules

__all__ = [
    "History",
    "Tried",
    "best",
    "bracket_of",
    "export_search",
    "importances",
    "next_round",
    "random_until",
    "rungs",
    "stop_rules",
    "wanted",
]
