"""Every data set keeps the promises that all of them make; those in files, where these are."""

import pytest
from pydantic import ValidationError

from harness.testing.data import DataConformance, optional, registered, resolved
from harness.workloads import fingerprint


class TestData(DataConformance):
    harness_cases = (*registered(), *optional())


def test_the_fingerprint_knows_every_setting_that_decides(tmp_path):
    changes = [
        ("digits", {"limit": 50}), ("digits", {"classes": [1, 2]}), ("docstrings", {"length": 5}),
        ("docstrings", {"test_limit": 9}), ("characters", {"length": 9}), ("recall", {"lag": 9}),
        ("characters", {"limit": 9}), ("recall", {"symbols": 4}), ("adding", {"length": 9}),
        ("function", {"target": "ripple"}), ("function", {"folds": 9}), ("series", {"season": 3}),
        ("series", {"source": "nile"}), ("series", {"window": 30}), ("table", {"source": "wine"}),
        ("series", {"validation_fraction": 0.3}), ("table", {"limit": 60}),
        ("digits", {"label_noise": 0.1}), ("digits", {"normalize": False}),
        ("digits", {"oversample": True}), ("digits", {"leak": {"statistics": True}}),
        ("digits", {"imbalance": {"classes": [1], "keep": 0.9}}),
        ("pairs", {"target": "sort"}), ("pairs", {"length": 9}), ("pairs", {"symbols": 11}),
    ]  # fmt: skip
    for name, change in changes:
        before, after = (fingerprint(resolved({"name": name, **more}), tmp_path)
                         for more in ({}, change))  # fmt: skip
        assert before != after, (name, change)
    same = ("digits", {"validation_fraction": 0.4})
    assert fingerprint(resolved(same[0]), tmp_path) == fingerprint(
        resolved({"name": same[0], **same[1]}), tmp_path
    )


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"name": "digits", "limit": 15}, "less than two examples of each of the 10"),
        ({"name": "digits", "classes": [1, 1]}, "stands here twice"),
        ({"name": "digits", "classes": [1, 12]}, "less than or equal to 9"),
        ({"name": "mnist", "classes": [3]}, "at least 2"),
        ({"name": "recall", "lag": 2}, "only 512 different sequences"),
        ({"name": "pairs", "length": 3}, "only 1000 different sources"),
        ({"name": "recall", "examples": 30, "symbols": 20}, "twice the number of `symbols`"),
        ({"name": "series", "source": "co2", "window": 20}, "shorter than a season"),
        ({"name": "table", "source": "wine", "limit": 5}, "less than two rows"),
        (
            {"name": "adding", "label_noise": 0.1},
            "`label_noise` needs targets of kind class; those",
        ),
        ({"name": "digits", "label_noise": 1.0}, "less than 1"),
        ({"name": "docstrings", "normalize": False}, "`normalize` changes nothing"),
        (
            {"name": "docstrings", "leak": {"target": 0.5}},
            "`leak` with `target` is for numbers, not for",
        ),
        ({"name": "digits", "imbalance": {"classes": [10], "keep": 0.5}}, "there are 0 to 9"),
        (
            {"name": "digits", "classes": [3, 5], "imbalance": {"classes": [0, 1], "keep": 0.5}},
            "names all classes",
        ),
        (
            {"name": "digits", "normalize": False, "leak": {"statistics": True}},
            "exclude each other",
        ),
    ],
)
def test_what_cannot_be_is_refused(config, message):
    with pytest.raises(ValidationError, match=message):
        resolved(config)
