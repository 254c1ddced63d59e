"""Named random streams: every source of randomness is derived from a seed and a purpose.

Two arms under the same seed draw the same splits, batch order and initial weights, because each of
these comes from its own stream and none depends on how much another one has drawn.
"""

from __future__ import annotations

import hashlib

SEARCH_SEEDS_START = 1_000_000
"""Search seeds count from here, so that they never meet a confirmation seed."""

PILOT_SEEDS_START = 1_500_000_000
"""Seeds of pilots count from here: no search and no confirmation uses them."""

PRETRAINING_SEED = 2_000_000_000
"""Seed of pretraining trials, which no search and no confirmation uses."""


def stream(seed: int, purpose: str) -> int:
    """Derive the seed of one stream, between 0 and 2**63 - 1.

    The first eight bytes of SHA-256 over purpose and seed, so that neighbouring seeds and
    different purposes give unrelated streams.
    """
    raw = hashlib.sha256(f"{purpose}:{seed}".encode()).digest()[:8]
    return int.from_bytes(raw, "big") >> 1


def confirmation_seeds(count: int) -> list[int]:
    """Return the seeds of the confirmation trials: 0, 1, ..., count - 1."""
    return list(range(count))


def search_seeds(count: int) -> list[int]:
    """Return the seeds of the search trials, disjoint from all confirmation seeds."""
    return list(range(SEARCH_SEEDS_START, SEARCH_SEEDS_START + count))
