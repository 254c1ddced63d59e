"""Gaps of tables: where they are, what fills them, and the columns that say where they were."""

import numpy as np
import pytest
from pydantic import ValidationError

from harness.data._gaps import Gaps, fills
from harness.testing.data import resolved
from harness.workloads import DataMissingError, fingerprint, load


def table(root, **settings):
    config = resolved({"name": "table", "source": "breast_cancer", **settings})
    return load(config, root), fingerprint(config, root)


@pytest.mark.parametrize("which", ["random", "large"])
@pytest.mark.parametrize("fill", ["mean", "median"])
def test_gaps_are_filled_by_what_is_known_outside_the_test_split(tmp_path, which, fill):
    whole, bare = table(tmp_path)
    holed, other = table(
        tmp_path, gaps={"share": 0.3, "which": which, "fill": fill, "indicators": True}
    )
    assert bare != other  # a part of the data's identity
    columns = whole.form.shape[0]
    assert holed.form.shape == (2 * columns,)
    missing = {p: getattr(holed, p).inputs[:, columns:] == 1 for p in ("examples", "test")}
    known = np.where(missing["examples"], np.nan, whole.examples.inputs.astype(np.float64))
    filling = (np.nanmean if fill == "mean" else np.nanmedian)(known, axis=0)
    for part in ("examples", "test"):
        before, after = (getattr(one, part).inputs for one in (whole, holed))
        assert missing[part].mean() == pytest.approx(0.3, abs=0.03)
        expected = np.where(missing[part], filling, before)
        assert after[:, :columns] == pytest.approx(expected, rel=1e-5, abs=1e-7)
    if which == "large":
        middle = np.median(whole.examples.inputs, axis=0)
        assert (whole.test.inputs > middle)[missing["test"]].all()
    plain, _ = table(tmp_path, gaps={"share": 0.3, "which": which, "fill": fill})
    assert np.array_equal(plain.test.inputs, holed.test.inputs[:, :columns])


def test_a_smaller_share_is_a_part_of_a_larger_one_whatever_the_limit(tmp_path):
    def missing(share, **more):
        gaps = {"share": share, "which": "large", "indicators": True}
        return table(tmp_path, gaps=gaps, **more)[0].test.inputs[:, 30:]

    assert not (missing(0.1) > missing(0.4)).any()
    assert np.array_equal(missing(0.4), missing(0.4, limit=100))  # the same test examples


def test_test_rows_fill_nothing():
    values = np.array([[1.0], [2.0], [6.0], [1e9]])
    gaps = np.array([[False], [False], [False], [True]])
    rest = np.array([0, 1, 2])
    changed = np.where(gaps, 0.0, values)
    for by, expected in (("mean", 3.0), ("median", 2.0)):
        assert fills(values, gaps, rest, by) == fills(changed, gaps, rest, by) == [expected]
    assert fills(values, ~gaps, rest, "mean") is None


def test_what_cannot_be_is_said():
    with pytest.raises(ValidationError, match=r"at most 0\.5"):
        Gaps(share=0.6, which="large")
    with pytest.raises(ValidationError, match="exclude each other"):
        resolved({"name": "table", "source": "affairs", "one_hot": True, "gaps": {"share": 0.1}})
    with pytest.raises(ValidationError, match="no column of wine holds names of kinds"):
        resolved({"name": "table", "source": "wine", "one_hot": True})
    with pytest.raises(ValidationError, match="`indicators` needs `missing"):
        resolved({"name": "table_file", "path": "a.csv", "target": "y", "indicators": True})


def test_kinds_become_columns_behind_the_others(tmp_path):
    codes, _ = table(tmp_path, source="affairs")
    columns, _ = table(tmp_path, source="affairs", one_hot=True)
    for part in ("examples", "test"):
        before, after = (getattr(one, part).inputs for one in (codes, columns))
        assert np.array_equal(before[:, :6], after[:, :6])
        for place, first in ((6, 6), (7, 12)):
            assert (after[:, first : first + 6].sum(axis=1) == 1).all()
            assert np.array_equal(after[:, first : first + 6].argmax(axis=1) + 1, before[:, place])


def rows_of(tmp_path, **settings):
    lines = ["number,kind,full,target,split"]
    for i in range(40):
        number, kind = ("" if i % 4 == 1 else str(i * i)), ("" if i % 4 == 2 else "ab"[i % 2])
        lines.append(f"{number},{kind},{i},{i % 2},{'test' if i >= 30 else 'train'}")
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    config = {"name": "table_file", "path": "rows.csv", "target": "target", "missing": "median"}
    return load(resolved({**config, "split_column": "split", **settings}), tmp_path)


def test_gaps_of_a_file_are_flagged_beside_their_columns(tmp_path):
    plain, flagged = rows_of(tmp_path), rows_of(tmp_path, indicators=True)
    assert plain.form.shape == (4,)  # number, kinds a and b, full
    assert flagged.form.shape == (6,)
    inputs = flagged.test.inputs
    rows = np.arange(30, 40)
    assert np.array_equal(inputs[:, 1] == 1, rows % 4 == 1)
    assert np.array_equal(inputs[:, 4] == 1, rows % 4 == 2)
    middle = np.median([i * i for i in range(30) if i % 4 != 1])
    assert (inputs[rows % 4 == 1, 0] == middle).all()
    mean = np.mean([i * i for i in range(30) if i % 4 != 1])
    filled = rows_of(tmp_path, missing="impute").test.inputs[rows % 4 == 1, 0]
    assert filled == pytest.approx(np.full(len(filled), mean), rel=1e-6)


def test_a_file_of_whose_column_nothing_is_known_is_refused(tmp_path):
    text = "a,b,y,split\n" + "\n".join(f",{i},{i % 2},train" for i in range(20))
    (tmp_path / "rows.csv").write_text(text + "\n1,1,0,test\n2,2,1,test")
    config = {"name": "table_file", "path": "rows.csv", "target": "y", "split_column": "split"}
    with pytest.raises(DataMissingError, match="nothing is known of the column 'a'"):
        load(resolved({**config, "missing": "median"}), tmp_path)
