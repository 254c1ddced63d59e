"""A model of characters that counts what followed the last few of them.

Interpolated Kneser-Ney smoothing (Kneser and Ney 1995; Chen and Goodman 1999, section 2.7): what a
context has not shown is taken from the context that is one character shorter, where a character
counts once for every different character that it followed. The discount of each order is
n1 / (n1 + 2 n2), with n1 and n2 the number of entries that were counted once and twice (Ney et al.
1994).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Ids = NDArray[np.int64]
_KEY_BITS = 62
_CHUNK = 1 << 22  # probabilities that are computed at once


@dataclass(frozen=True)
class _Order:
    """What followed each context of one length.

    Attributes:
        contexts: their keys, rising.
        shares: discounted relative frequencies, shape (contexts, vocabulary).
        rest: what the discount left for shorter contexts, shape (contexts,).
    """

    contexts: Ids
    shares: csr_matrix
    rest: NDArray[np.float64]


class KneserNey:
    """Probabilities of the next character given those before it."""

    def __init__(self, order: int, vocabulary: int):
        """Make a model of `order` characters, of which the last is predicted.

        A smaller order is taken where so large a vocabulary would overflow the keys.
        """
        self.vocabulary = vocabulary
        self.order = max(1, min(order, int(_KEY_BITS / math.log2(vocabulary))))
        self._orders: list[_Order] = []

    @property
    def entries(self) -> int:
        """The number of frequencies that the model holds."""
        return sum(order.shares.nnz for order in self._orders)

    def fit(self, windows: Ids) -> KneserNey:
        """Count characters of shape (windows, characters); windows are texts of their own."""
        self._orders = []
        grams, counts = np.unique(_keys(windows, self.order, self.vocabulary), return_counts=True)
        for length in range(self.order, 0, -1):
            self._orders.insert(0, self._counted(grams, counts))
            # of shorter ones, a different first character counts once
            suffixes = grams % self.vocabulary ** (length - 1)
            grams, counts = np.unique(suffixes, return_counts=True)
        return self

    def _counted(self, grams: Ids, counts: Ids) -> _Order:
        once, twice = (counts == 1).sum(), (counts == 2).sum()
        discount = once / (once + 2 * twice) if once else 0.5
        contexts, rows = np.unique(grams // self.vocabulary, return_inverse=True)
        totals = np.bincount(rows, counts)
        shares = (counts - discount) / totals[rows]
        shape = (len(contexts), self.vocabulary)
        table = csr_matrix((shares, (rows, grams % self.vocabulary)), shape=shape)
        return _Order(contexts, table, discount * np.bincount(rows) / totals)

    def scores(self, inputs: Ids, targets: Ids) -> tuple[NDArray[np.float64], Ids]:
        """Return each target's log-likelihood (nats), and the likeliest character.

        Only the characters of the same window are known, up to the position before the target.

        Args:
            inputs: shape (windows, steps).
            targets: what follows each of them, shape (windows, steps).
        """
        likelihood = np.empty(targets.shape)
        best = np.empty(targets.shape, dtype=np.int64)
        for step in range(min(self.order - 2, inputs.shape[1])):  # contexts cut off by the start
            columns = slice(step, step + 1)
            found = self._scored(_keys(inputs[:, : step + 1], step + 1, self.vocabulary),
                                 targets[:, columns], step + 1)  # fmt: skip
            likelihood[:, columns], best[:, columns] = found
        known = max(self.order - 1, 0)
        first = max(known - 1, 0)
        if first < inputs.shape[1]:
            keys = _keys(inputs, known, self.vocabulary) if known else np.zeros_like(inputs)
            likelihood[:, first:], best[:, first:] = self._scored(keys, targets[:, first:], known)
        return likelihood, best

    def _scored(self, keys: Ids, targets: Ids, length: int) -> tuple[NDArray[np.float64], Ids]:
        contexts, places = np.unique(keys.ravel(), return_inverse=True)
        likelihood, best = np.empty(targets.size), np.empty(targets.size, dtype=np.int64)
        order = np.argsort(places, kind="stable")
        size = max(1, _CHUNK // self.vocabulary)
        bounds = np.searchsorted(places[order], np.arange(0, len(contexts) + size, size))
        for part, (begin, end) in enumerate(pairwise(bounds)):
            table = self._probabilities(contexts[part * size : (part + 1) * size], length)
            index = order[begin:end]
            rows = places[index] - part * size
            likelihood[index] = np.log(table[rows, targets.ravel()[index]])
            best[index] = table.argmax(axis=1)[rows]
        return likelihood.reshape(targets.shape), best.reshape(targets.shape)

    def _probabilities(self, contexts: Ids, length: int) -> NDArray[np.float64]:
        """Return probabilities (contexts, vocabulary) after contexts of one length."""
        table = np.full((len(contexts), self.vocabulary), 1 / self.vocabulary)
        for known, order in enumerate(self._orders[: length + 1]):
            keys = contexts % self.vocabulary**known
            places = np.searchsorted(order.contexts, keys).clip(max=len(order.contexts) - 1)
            seen = order.contexts[places] == keys
            places = places[seen]
            table[seen] *= order.rest[places, None]
            table[seen] += order.shares[places].toarray()
        return table


def _keys(windows: Ids, length: int, vocabulary: int) -> Ids:
    """Return a number for each run of so many characters, shape (windows, runs)."""
    runs = windows.shape[1] - length + 1
    keys = np.zeros((len(windows), max(runs, 0)), dtype=np.int64)
    for offset in range(length):
        keys = keys * vocabulary + windows[:, offset : offset + keys.shape[1]]
    return keys
