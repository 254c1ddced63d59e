"""Metrics of how the examples of a split are ordered by their scores: no sum over batches is one.

Both ask whether examples of a class get higher scores for it than others do, whatever threshold is
chosen later. Of two classes the second is the positive one; of more, each is set against the rest,
and what is reported is the mean over classes (macro), each class counting alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Literal

from harness.lazy import torch
from harness.metrics import Metric

if TYPE_CHECKING:
    from torch import Tensor

Ranked = Literal["area_under_roc", "area_under_precision_recall"]

_SHARE = (0.0, 1.0)
RANKED: dict[Ranked, Metric] = {
    "area_under_roc": Metric(
        "area_under_roc", "maximize", "", "chance that an example of a class gets a higher score "
        "for it than another example; mean over classes, or of two classes the second's", _SHARE,
    ),
    "area_under_precision_recall": Metric(
        "area_under_precision_recall", "maximize", "", "average precision: mean precision over the "
        "thresholds, by rise in recall; mean over classes, or of two classes the second's", _SHARE,
    ),
}  # fmt: skip


def ranked_metrics(
    names: Collection[Ranked], outputs: Tensor, targets: Tensor
) -> dict[str, Tensor]:
    """Return metrics of a whole split, each (members,), in double precision.

    The score of a class is the log odds of its probability, whose order is that of the probability,
    and which does not run into ties near 0 and 1. Equal scores count half under the ROC curve, and
    are one threshold of the precision-recall curve, which is not interpolated (Davis and Goadrich,
    ICML 2006). A class that no example has, or every one, has no such area and is left out of the
    mean; NaN where none is left, or an output is not finite.

    Args:
        names: of the metrics.
        outputs: shape (members, examples, classes).
        targets: shape (members, examples).
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    scores: Mapping[str, Callable[..., Any]] = {
        "area_under_roc": roc_auc_score,
        "area_under_precision_recall": average_precision_score,
    }
    found = {
        name: [_mean(scores[name], *one) for one in zip(outputs, targets, strict=True)]
        for name in names
    }
    return {name: torch.tensor(values, dtype=torch.float64) for name, values in found.items()}


def _mean(score: Callable[..., Any], outputs: Tensor, targets: Tensor) -> float:
    """Return the mean over classes of a score of outputs (examples, classes)."""
    if not bool(outputs.isfinite().all()):
        return math.nan
    classes = outputs.shape[-1]
    values = []
    for label in [1] if classes == 2 else range(classes):
        of_class = (targets == label).cpu().numpy()
        if 0 < of_class.sum() < len(of_class):
            values.append(float(score(of_class, _log_odds(outputs, label).cpu().numpy())))
    return sum(values) / len(values) if values else math.nan


def _log_odds(outputs: Tensor, label: int) -> Tensor:
    """Return the log odds of a class, (examples,)."""
    exact = outputs.double()
    others = torch.cat([exact[:, :label], exact[:, label + 1 :]], dim=1)
    # so that the rounding of double precision does not part examples of equal scores
    return (exact[:, label] - others.logsumexp(dim=1)).round(decimals=9)
