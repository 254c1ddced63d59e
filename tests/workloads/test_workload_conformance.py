"""Every data set that needs no file keeps the promises that all of them make."""

import pytest
from pydantic import TypeAdapter, ValidationError

from harness.components import DATA, Data
from harness.testing.data import DataConformance, resolved
from harness.workloads import fingerprint, summary

FILES = {  # need files; they have tests of their own
    "mnist", "cifar10", "rt_polarity", "image_folder", "image_parquet", "table_file", "texts",
    "arrays", "torchvision", "huggingface",
}  # fmt: skip
CONFIGS = [
    *sorted(set(DATA) - FILES),
    {"name": "digits", "classes": [7, 2, 5], "limit": 20},
    {"name": "docstrings", "limit": 200, "test_limit": 50, "length": 12},
    {"name": "characters", "limit": 50, "test_limit": 9, "length": 20},
    {"name": "recall", "lag": 40, "distractors": 5, "symbols": 3},
    {"name": "adding", "length": 7},
    {"name": "function", "target": "ripple"},
    {"name": "function", "target": "sawtooth", "folds": 5},
    *({"name": "series", "source": source} for source in ("co2", "nile", "elnino")),
    {"name": "series", "horizon": 3, "limit": 100, "window": 12},
    *({"name": "table", "source": source} for source in ("wine", "iris", "diabetes")),
    {"name": "table", "source": "wine", "limit": 31},
]


class TestData(DataConformance):
    harness_cases = CONFIGS
    may_repeat = ("characters", "docstrings")  # where texts repeat themselves

    def test_sizes_and_form_are_those_declared(self, case):
        config, dataset = resolved(case), self.loaded(case)
        known, form = summary(config), dataset.form
        assert form == known.form
        assert len(dataset.test) == known.test
        # what a version of Python bundles is estimated
        slack = 0.05 * known.examples if config["name"] in self.may_repeat else 0
        assert len(dataset.examples) == pytest.approx(known.examples, abs=slack)
        assert TypeAdapter(Data).validate_python(config).kind == form.kind


def test_the_fingerprint_knows_every_setting_that_decides(tmp_path):
    changes = [
        ("digits", {"limit": 50}), ("digits", {"classes": [1, 2]}), ("docstrings", {"length": 5}),
        ("docstrings", {"test_limit": 9}), ("characters", {"length": 9}), ("recall", {"lag": 9}),
        ("characters", {"limit": 9}), ("recall", {"symbols": 4}), ("adding", {"length": 9}),
        ("function", {"target": "ripple"}), ("function", {"folds": 9}), ("series", {"season": 3}),
        ("series", {"source": "nile"}), ("series", {"window": 30}), ("table", {"source": "wine"}),
        ("series", {"validation_fraction": 0.3}), ("table", {"limit": 60}),
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
        ({"name": "recall", "examples": 30, "symbols": 20}, "twice the number of `symbols`"),
        ({"name": "series", "source": "co2", "window": 20}, "shorter than a season"),
        ({"name": "table", "source": "wine", "limit": 5}, "less than two rows"),
    ],
)
def test_what_cannot_be_is_refused(config, message):
    with pytest.raises(ValidationError, match=message):
        resolved(config)
