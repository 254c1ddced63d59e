"""The last hidden layer: how well it keeps classes apart, and what it looks like on a map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.exhibit import as_details
from harness.seeding import stream
from harness.train.given import last_hidden
from harness.train.inside.examples import (
    as_array,
    at_rest,
    evenly,
    is_shown,
    outputs_of,
    test_split,
)
from harness.train.loop import Fitted

Features = NDArray[np.float64]

MEASURED, DRAWN = 2_000, 400
"""At most so many examples of the test split are measured, and drawn."""
NEIGHBOURS = 10


def probe_embedding(fitted: Fitted, probe: Mapping[str, Any]) -> None:
    """Give neighbour purity and silhouette of every seed, and the map of those that are shown.

    Nothing is given of a network without a linear layer or convolution.
    """
    test, network = test_split(fitted, probe), at_rest(fitted.network)
    index = evenly(len(test), MEASURED).to(test.targets.device)
    hidden = last_hidden(network, test.inputs[index])
    if hidden is None:
        return
    features, classes = as_array(hidden.double()), as_array(test.targets[index])
    metrics = fitted.outcome.metrics
    metrics["probe.neighbour_purity"] = neighbour_purity(features, classes)
    if 1 < len(np.unique(classes)) < len(classes):
        from sklearn.metrics import silhouette_score

        metrics["probe.silhouette"] = float(silhouette_score(features, classes))
    if is_shown(fitted, probe):
        predicted = as_array(outputs_of(network, test.inputs[index]).argmax(dim=-1))
        drawn = evenly(len(classes), DRAWN).numpy()
        places, trust = tsne(features[drawn], probe["perplexity"], fitted.trial.seed)
        parts = {
            "places": np.round(places, 2),
            "classes": classes[drawn],
            "predicted": predicted[drawn],
            "measures": np.array([metrics["probe.neighbour_purity"], trust]),
        }
        fitted.outcome.details |= as_details(probe["name"], parts)


def neighbour_purity(features: Features, classes: NDArray[np.int64]) -> float:
    """Return the mean share of the ten nearest neighbours that are of a point's own class.

    Also known as neighbourhood hit (Paulovich and Minghim 2008). Distances are Euclidean.

    Args:
        features: of shape (n, features), n at least 2.
        classes: of shape (n,).
    """
    from sklearn.neighbors import NearestNeighbors

    count = min(NEIGHBOURS, len(classes) - 1)
    search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(features)
    places = search.kneighbors(return_distance=False)  # a point is no neighbour of its own
    return float((classes[places] == classes[:, None]).mean())


def tsne(features: Features, perplexity: float, seed: int) -> tuple[Features, float]:
    """Return a map (n, 2) of points by t-SNE, and how far neighbours on it are neighbours indeed.

    It starts from principal components (Kobak and Berens 2019). The second number is the
    trustworthiness of Venna and Kaski (2001), 0 to 1. On one thread, so that the same numbers give
    the same map.
    """
    from sklearn.manifold import TSNE, trustworthiness
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        places = TSNE(
            perplexity=min(perplexity, (len(features) - 1) / 3),
            init="pca" if min(features.shape) >= 2 else "random",
            random_state=stream(seed, "embedding") % 2**32,
        ).fit_transform(features)
        count = min(NEIGHBOURS, max(1, len(features) // 2 - 1))
        trust = float(trustworthiness(features, places, n_neighbors=count))
    return places.astype(np.float64), trust
