"""What a study file may ask of training, and how mistakes in it are told."""

import pytest

from harness.plan import Winner, make_plan
from harness.study import InputError, load_study

HEAD = "study: u\nquestion: q\nsimple_baseline: none\nseeds: 5\n"
BASE = "workload: {data: digits, model: mlp, %s}\n"
TARGET = "name: epochs_to_target, target: 0.9"


def read(tmp_path, workload="", rest=""):
    file = tmp_path / "u.yaml"
    file.write_text(HEAD + BASE % workload + rest)
    return load_study(file)


MISTAKES = [
    ("optimizer: {name: torch.optim.Adadelt, lr: 1.0}", "", "did you mean 'Adadelta'"),
    ("optimizer: {name: torch.optim.LBFGS, lr: 1.0}", "", "it needs a closure"),
    ("optimizer: {name: torch.optim.Rprop, lr: 1.0, settings: {eta: 1}}", "", "mean 'etas'"),
    ("optimizer: {name: torch.optim.Rprop, lr: 1.0, setting: {}}", "", "did you mean 'settings'"),
    ("optimizer: torchoptim.SGD", "", "torch.optim.Class"),
    ("early_stopping: {patience: 0}", "", "greater than or equal to 1"),
    ("early_stopping: {patience: 3, patient: 2}", "", "did you mean 'patience'"),
    ("keep: lats", "", "did you mean 'last'"),
    ("clip: 0.0", "", "greater than 0"),
    ("augmentation: {}", "", "changes nothing"),
    ("augmentation: {shfit: 2}", "", "did you mean 'shift'"),
    ("transfer: {freeze: 1, unfreeze_ever: 2}", "", "did you mean 'unfreeze_every'"),
    ("transfer: {unfreeze_every: 2}", "", "needs frozen groups"),
    ("transfer: {rate_decay: 2.0}", "", "less than or equal to 1"),
    ("", f"probes: [{{{TARGET}, metric: test.accuracy}}]\n", "does not have the form"),
    ("", f"probes: [{{{TARGET}}}, {{{TARGET}}}]\n", "gives the same metrics as probes[0]"),
    ("", "probes: [{name: monte_carlo_dropout, passes: 1}]\n", "greater than or equal to 2"),
]  # fmt: skip


@pytest.mark.parametrize(("workload", "rest", "message"), MISTAKES)
def test_mistakes_are_told_once_and_at_their_place(tmp_path, workload, rest, message):
    with pytest.raises(InputError) as error:
        read(tmp_path, workload, rest)
    (problem,) = error.value.problems
    assert message in str(problem)
    assert problem.line == (6 if rest else 5)


def test_images_alone_are_augmented(tmp_path):
    file = tmp_path / "u.yaml"
    file.write_text(HEAD + "workload: {data: rt_polarity, model: recurrent,"
                    " augmentation: {shift: 1}}\n")  # fmt: skip
    with pytest.raises(InputError, match="rt_polarity has none"):
        load_study(file)


def test_everything_together_is_resolved(tmp_path):
    workload = (
        "optimizer: {name: torch.optim.Adadelta, lr: 1.0, settings: {rho: 0.9}}, clip: 1.0, "
        "keep: last, early_stopping: {patience: 5}, augmentation: {shift: 1, flip: true}, "
        "transfer: {freeze: features, unfreeze_every: 2, rate_decay: 0.5}"
    )
    probes = f"""probes:
  - {{{TARGET}, unreached: 11, label: ninety}}
  - {{{TARGET}, metric: train.loss}}
  - step_time
  - saved_memory
  - monte_carlo_dropout
"""
    loaded = read(tmp_path, workload, probes)
    resolved = loaded.arms[0].workload
    assert resolved["transfer"] == {
        "from": None, "freeze": "features", "unfreeze_every": 2, "rate_decay": 0.5,
    }  # fmt: skip
    assert resolved["optimizer"]["settings"] == {"rho": 0.9}
    assert (resolved["keep"], resolved["clip"]) == ("last", 1.0)
    plan = make_plan(loaded.study, loaded.arms)
    (first, *_) = plan.confirmation_trials(loaded.arms[0], [Winner(None, {})])
    names = [probe["name"] for probe in first.trial.probes]
    assert names == [
        "epochs_to_target", "epochs_to_target", "step_time", "saved_memory", "monte_carlo_dropout",
    ]  # fmt: skip
    assert "reference" not in first.trial.probes[2]


def test_a_search_may_go_over_the_settings_of_pytorchs_optimizers(tmp_path):
    optimizer = "optimizer: {name: torch.optim.Adadelta, lr: 1.0, settings: {rho: 0.9}}"
    search = (
        "search: {candidates: 2, space: {optimizer.lr: {log: [0.1, 1.0]},"
        " optimizer.settings.rho: {uniform: [0.5, 0.9]}}}\n"
    )
    loaded = read(tmp_path, optimizer, search)
    assert loaded.study.search is not None


def test_a_preset_is_what_it_stands_for(tmp_path):
    file = tmp_path / "u.yaml"

    def resolved(model):
        file.write_text(HEAD + f"workload: {{data: digits, model: {{name: mlp, {model}}}}}\n")
        return load_study(file).arms[0].workload["model"]

    written_out = resolved("widths: [512, 256], dropout: [0.2, 0.0]")
    assert resolved("preset: handbook") == written_out
    assert resolved("preset: handbook, dropout: 0.5") == {**written_out, "dropout": 0.5}
    with pytest.raises(InputError, match="did you mean 'handbook'"):
        resolved("preset: handbok")
