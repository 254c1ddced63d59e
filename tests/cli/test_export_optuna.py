"""Searches of published results in a storage of Optuna."""

import shutil

import optuna
import pytest

from harness import api
from harness.cli.app import run


@pytest.fixture
def results(tmp_path):
    (tmp_path / "results").mkdir()
    shutil.copytree(
        "results/published",
        tmp_path / "results/published",
        ignore=lambda _, names: [n for n in names if not n.startswith("dropout.quick")],
    )
    return tmp_path / "results"  # fmt: skip


def test_every_candidate_is_there_with_its_value(results, tmp_path, capsys):
    storage = f"sqlite:///{tmp_path}/optuna.db"
    call = ["export-optuna", "dropout", "--storage", storage, "--results", str(results)]
    assert run(call) == 0
    [judged] = api.judge(["dropout"], results=results)
    searched = judged.trials[judged.trials["phase"] == "search"]
    names = optuna.get_all_study_names(storage)
    assert sorted(names) == sorted(f"dropout/quick/{arm}" for arm in set(searched["arm"]))
    for name in names:
        study = optuna.load_study(study_name=name, storage=storage)
        own = searched[searched["arm"] == name.rpartition("/")[2]]
        assert len(study.trials) == own["candidate"].nunique()
        assert study.best_value == pytest.approx(own[study.user_attrs["metric"]].max())
        assert set(study.trials[0].params) == {
            column.removeprefix("parameter.") for column in own.filter(like="parameter.").columns
        }
    assert run(call) == 0
    assert "is there already" in capsys.readouterr().out
    assert run([*call[:2], "--storage", "sqlite:////nowhere/x.db", "--results", str(results)]) == 2
    assert "the storage cannot be used" in capsys.readouterr().err
