"""What every data set must promise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import TypeAdapter

from harness.data import data_of
from harness.data_spec import IGNORED
from harness.registry import DATA, DATA_OPTIONS
from harness.study.workload import DataSetting
from harness.trial import Phase
from harness.workloads import (
    Dataset,
    count_duplicates,
    data_root,
    fingerprint,
    load,
    split,
    summary,
)

Case = dict[str, Any] | str
"""Data as a study file names them."""


class DataConformance:
    """Inherit from it, and list what is to be tested:

    class TestData(DataConformance):
        harness_cases = [
            *registered("birds"), {"name": "acme.data:birds", "settings": {"size": 32}},
        ]
    """

    harness_cases: ClassVar[Sequence[Case]] = ()
    root: ClassVar[Path | None] = None  # of data files; else $HARNESS_DATA, or a cache
    may_repeat: ClassVar[Sequence[str]] = ()  # functions whose examples occur twice

    def test_inputs_and_targets_have_the_form_that_is_declared(self, case: Case) -> None:
        """Every input and every target is what networks and losses are told to expect."""
        dataset = self.loaded(case)
        form = dataset.form
        for part in (dataset.examples, dataset.test):
            assert part is not None
            assert part.inputs.shape == (len(part), *form.shape)
            if form.vocabulary is not None:
                assert part.inputs.dtype == np.int64
                assert 0 <= part.inputs.min() <= part.inputs.max() < form.vocabulary
            else:
                assert part.inputs.dtype in (np.float32, np.uint8)
                assert np.isfinite(part.inputs).all()
            if form.kind == "numbers":
                assert part.targets.shape == (len(part), form.outputs)
                assert part.targets.dtype == np.float32
                assert np.isfinite(part.targets).all()
            else:
                steps = form.shape[:1] if form.kind == "sequence" else ()
                assert part.targets.shape == (len(part), *steps)
                assert part.targets.dtype == np.int64
                counted = part.targets[part.targets != IGNORED]
                assert 0 <= counted.min() <= counted.max() < form.outputs

    def test_what_is_known_beforehand_is_so(self, case: Case) -> None:
        """A plan checks networks by the form and forecasts its time by the sizes."""
        config, dataset = resolved(case), self.loaded(case)
        if ":" in config["name"]:
            return  # what a function returns is known when it does
        known = summary(config)
        assert dataset.form == known.form
        assert len(dataset.examples) == pytest.approx(known.examples, rel=0.05)
        assert len(dataset.test) == pytest.approx(known.test, rel=0.05)

    def test_loading_again_gives_the_same_bytes(self, case: Case) -> None:
        """Data never change between trials, and their fingerprint says which they are."""
        config, dataset = resolved(case), self.loaded(case)
        again = load(config, self._root())
        assert again.fingerprint == dataset.fingerprint == fingerprint(config, self._root())
        for part in ("examples", "test"):
            one, other = getattr(dataset, part), getattr(again, part)
            assert np.array_equal(one.inputs, other.inputs)
            assert np.array_equal(one.targets, other.targets)

    def test_splits_are_disjoint_and_the_search_sees_no_test_split(self, case: Case) -> None:
        """Nothing of the test split is met before a verdict."""
        config, dataset = resolved(case), self.loaded(case)
        train, validation = split(
            dataset.examples.targets, config["validation_fraction"], 3, dataset.handling
        )
        assert not set(train) & set(validation)
        assert min(len(train), len(validation)) > 0
        assert len(dataset.examples) - len(train) - len(validation) == dataset.handling.gap
        assert dataset.for_phase(Phase.SEARCH).test is None
        assert dataset.for_phase(Phase.CONFIRMATION).test is dataset.test
        if dataset.form.kind == "class":
            assert set(dataset.examples.targets[train]) == set(range(dataset.form.outputs))
        if config["name"] not in self.may_repeat and not data_of(config).may_repeat():
            assert count_duplicates(dataset) == 0

    def loaded(self, case: Case) -> Dataset:
        """Return the data set of a case, read once for all tests; skip where its files are not."""
        config, root = resolved(case), self._root()
        if fingerprint(config, root) is None:
            pytest.skip(f"the files of {config['name']} are not under '{root}'")
        return _load(json.dumps(config), root)

    def _root(self) -> Path:
        return self.root if self.root is not None else data_root()


def registered(*names: str) -> list[Case]:
    """Return the cases of data sets that are classes, other packages' too; of all unless named."""
    known = [name for name in names or DATA.names() if not _is_function(name)]
    classes = {name: DATA.find(name) for name in known}
    return [{"name": name, **case} for name, kind in classes.items() for case in kind.cases]


def optional() -> list[Case]:
    """Return data with each option of data."""
    return [dict(case) for name in DATA_OPTIONS.own() for case in DATA_OPTIONS.find(name).cases]


def _is_function(name: str) -> bool:
    plugin = DATA.plugin(name)
    return plugin is not None and not plugin.is_class


def resolved(case: Case) -> dict[str, Any]:
    """Fill in the defaults, as a study file does."""
    data = TypeAdapter(DataSetting).validate_json(json.dumps(case))
    return dict(data.model_dump(mode="json"))


@cache
def _load(config: str, root: Path) -> Dataset:
    return load(json.loads(config), root)
