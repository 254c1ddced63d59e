"""What every data set must promise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import TypeAdapter

from harness.components import Data
from harness.trial import Phase
from harness.workloads import Dataset, count_duplicates, data_root, fingerprint, load, split

Case = dict[str, Any] | str
"""Data as a study file names them."""


class DataConformance:
    """Inherit from it, and list what is to be tested:

    class TestData(DataConformance):
        harness_cases = ["digits", {"name": "acme.data:birds", "settings": {"size": 32}}]
    """

    harness_cases: ClassVar[Sequence[Case]] = ()
    root: ClassVar[Path | None] = None  # of data files; else $HARNESS_DATA, or a cache
    may_repeat: ClassVar[Sequence[str]] = ()  # names of data whose examples occur twice

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
                assert part.inputs.dtype == np.float32
                assert np.isfinite(part.inputs).all()
            if form.kind == "numbers":
                assert part.targets.shape == (len(part), form.outputs)
                assert part.targets.dtype == np.float32
                assert np.isfinite(part.targets).all()
            else:
                steps = form.shape if form.kind == "sequence" else ()
                assert part.targets.shape == (len(part), *steps)
                assert part.targets.dtype == np.int64
                assert 0 <= part.targets.min() <= part.targets.max() < form.outputs

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
        if config["name"] not in self.may_repeat:
            assert count_duplicates(dataset) == 0

    def loaded(self, case: Case) -> Dataset:
        """Return the data set of a case, read once for all tests."""
        return _load(json.dumps(resolved(case)), self._root())

    def _root(self) -> Path:
        return self.root if self.root is not None else data_root()


def resolved(case: Case) -> dict[str, Any]:
    """Fill in the defaults, as a study file does."""
    data = TypeAdapter(Data).validate_json(json.dumps(case))
    return dict(data.model_dump(mode="json"))


@cache
def _load(config: str, root: Path) -> Dataset:
    return load(json.loads(config), root)
