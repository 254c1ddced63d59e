"""Which class is taken for which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from harness.exhibit import as_details
from harness.train.inside.examples import as_array, at_rest, outputs_of, test_split
from harness.train.loop import Fitted

MOST_CLASSES = 100


def probe_confusion(fitted: Fitted, probe: Mapping[str, Any]) -> None:
    """Give the counts of true (rows) and predicted classes (columns) on the test split.

    Nothing is given of more than 100 classes.
    """
    classes = fitted.material.form.outputs
    if classes > MOST_CLASSES:
        return
    test = test_split(fitted, probe)
    predicted = outputs_of(at_rest(fitted.network), test.inputs).argmax(dim=-1)
    counts = torch.bincount(test.targets * classes + predicted, minlength=classes**2)
    parts = {"counts": as_array(counts.view(classes, classes))}
    fitted.outcome.details |= as_details(probe["name"], parts)
