"""Which candidates to try next, which to stop, which won: pure functions of the history."""

from harness.search.export import export_search
from harness.search.history import History, Tried, best, wanted
from harness.search.importance import importances
from harness.search.pruning import bracket_of, rungs, stop_rules
from harness.search.sampling import next_round

__all__ = [
    "History",
    "Tried",
    "best",
    "bracket_of",
    "export_search",
    "importances",
    "next_round",
    "rungs",
    "stop_rules",
    "wanted",
]
