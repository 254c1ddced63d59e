"""From the records of a benchmark to its leaderboards: failures, what is missing or unknown."""

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pandas as pd
import pytest
from sharing import lean

from harness import api
from harness.cli.app import run
from harness.cli.forms import forms
from harness.errors import InputError
from harness.figures._benchmark import by_metric
from harness.judge.leaderboards import leaderboards, not_run
from harness.ranking.pairs import signed_rank_p
from harness.registry import DESIGNS
from harness.report import export
from harness.report.method_pages import method_pages
from harness.study.search import Search
from harness.study.timing import Timing

DATA = {
    "iris": {"data": {"name": "table", "source": "iris"}},
    "wine": {"data": {"name": "table", "source": "wine"}},
    "moons": {"data": {"name": "generated_table", "examples": 60, "test": 40}},
    "hastie": {"data": {"name": "generated_table", "source": "hastie", "examples": 60}},
}
STUDY = {
    "study": "bench", "question": "q", "design": "benchmark", "seeds": 3,
    "workload": {"data": {"name": "table", "source": "iris"}, "model": "mlp", "epochs": 1},
    "factors": {
        "model": {"levels": {
            "logistic": {"model": "logistic_regression"},
            "neighbours": {"model": "nearest_neighbours"},
            "few": {"model": {"name": "nearest_neighbours", "neighbours": 60}},
        }},
        "data": {"levels": DATA},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    with lean(), pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        result = api.run(api.load(STUDY), in_process=True)
        _ = result._evidence  # read while its folder is at hand
        return folder, result


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def evidence(done):
    return done[1]._evidence


def changed(evidence, change):
    trials = evidence.trials.copy()
    change(trials)
    return replace(evidence, trials=trials)


def fail(arm, seed=None):
    def change(trials):
        wanted = (trials["arm"] == arm) & (seed is None or trials["seed"] == seed)
        trials.loc[wanted, "state"] = "failed"
        trials.loc[wanted, "test.accuracy"] = np.nan

    return change


def test_scores_are_those_of_the_records(evidence):
    (board,) = leaderboards(evidence)
    assert (board.metric, board.goal, board.alpha) == ("test.accuracy", "maximize", 0.05)
    assert set(board.scores.datasets) == set(DATA)
    for j, dataset in enumerate(board.scores.datasets):
        for i, method in enumerate(board.scores.methods):
            own = evidence.values_by_arm("test.accuracy")[f"{method}-{dataset}"]
            assert sorted(board.scores.runs[j][i]) == pytest.approx(sorted(own))
    pair = board.pairs[0]
    means = board.scores.means
    assert pair.p_value == pytest.approx(signed_rank_p(means[pair.first] - means[pair.second]))
    simple = board.trained.simple
    assert {name for name, _ in simple.values()} == {"logistic_regression"}
    for dataset, (_, score) in simple.items():  # the default of the same model, on the same seeds
        i = board.scores.methods.index("logistic")
        assert score == pytest.approx(means[i, board.scores.datasets.index(dataset)])
    assert board.trained.sizes["wine"] == (133, 13, 3)
    assert set(board.trained.seconds) == set(board.scores.methods)
    assert any("nothing was tuned" in text for text in board.unknown)


def test_a_failure_is_the_worst_of_its_data_set_and_is_told(evidence):
    (board,) = leaderboards(changed(evidence, fail("logistic-wine", 1)))
    j, i = board.scores.datasets.index("wine"), board.scores.methods.index("logistic")
    assert board.scores.runs[j][i].min() == board.scores.runs[j].min()
    note = next(note for note in board.notes if "no score" in note)
    assert note.startswith("1 trial has no score")
    assert "logistic on wine (1)" in note
    assert "as the study declares" in note


def of_study(evidence, **changes):
    study = evidence.plan.study.model_copy(update=changes)
    return replace(evidence, plan=replace(evidence.plan, study=study))


def test_a_data_set_with_failures_is_left_out_where_that_is_declared(evidence):
    design = DESIGNS.read({"name": "benchmark", "failures": "drop-dataset"})
    (board,) = leaderboards(changed(of_study(evidence, design=design), fail("few-iris")))
    assert "iris" not in board.scores.datasets
    assert any("left out is iris" in note for note in board.notes)


def test_what_has_not_been_run_is_no_failure(evidence):
    def stop(trials):
        trials.loc[trials["arm"] == "few-iris", "state"] = "missing"

    stopped = changed(evidence, stop)
    assert not_run(stopped) == 3
    assert leaderboards(stopped) == []


def test_several_leaderboards_share_the_error_rate(evidence):
    design = DESIGNS.read({"name": "benchmark", "metrics": ["test.accuracy", "test.loss"]})
    boards = leaderboards(of_study(evidence, design=design))
    assert [(board.metric, board.goal, board.alpha) for board in boards] == [
        ("test.accuracy", "maximize", 0.025), ("test.loss", "minimize", 0.025),
    ]  # fmt: skip


def test_seeds_that_share_a_search_are_one_run(evidence):
    space = {"model.neighbours": {"integer": [1, 9]}}
    search = Search.model_validate({"space": space, "candidates": 2, "repeats": 2})
    (board,) = leaderboards(of_study(evidence, search=search))
    assert board.scores.seeds == (2, 2, 2, 2)  # of three, the first and the last share one
    own = evidence.values_by_arm("test.accuracy")["logistic-iris"]
    i, j = board.scores.methods.index("logistic"), board.scores.datasets.index("iris")
    assert sorted(board.scores.runs[j][i]) == pytest.approx(sorted([own[::2].mean(), own[1]]))
    assert not any("tuned" in text for text in board.unknown)


def test_seconds_to_a_target_are_its_steps_times_the_time_of_a_step(evidence):
    design = DESIGNS.read({"name": "benchmark", "metrics": ["timing.seconds_to_target"]})
    timing = Timing.model_validate({"blocks": 5})
    trials = evidence.trials.assign(**{"probe.steps_to_target": 40.0})
    blocks = pd.concat(
        trials[(trials["phase"] == "confirmation") & (trials["seed"] == 0)].assign(
            phase="timing", seed=n, **{"timing.step_seconds": 0.1 + n}
        )
        for n in range(5)
    )
    timed = replace(
        of_study(evidence, design=design, timing=timing), trials=pd.concat([trials, blocks])
    )
    (board,) = leaderboards(timed)
    assert board.goal == "minimize"
    assert all((run == -40 * 2.1).all() for run in board.scores.runs)
    assert not_run(replace(timed, trials=trials)) == 12 * 5
    assert leaderboards(replace(timed, trials=trials)) == []


def test_a_study_of_another_design_has_none(done, evidence):
    assert leaderboards(of_study(evidence, design=DESIGNS.read("factorial"))) == []
    with pytest.raises(ValueError, match="has no leaderboard"):
        _ = replace(done[1], leaderboards=()).leaderboard


def test_page_document_python_and_export_say_the_same(done, monkeypatch, tmp_path, capsys):
    folder, result = done
    monkeypatch.chdir(folder)
    table = result.leaderboard
    whole = json.loads(json.dumps(result.to_dict()))
    jsonschema.validate(whole, forms()["run"].json_schema())
    (document,) = whole["leaderboards"]
    assert list(table.index) == [one["method"] for one in document["standings"]]
    assert list(table["mean_rank"]) == [one["mean_rank"] for one in document["standings"]]
    page = (folder / "reports/bench/index.html").read_text()
    assert document["headline"] in page
    assert "Leaderboard over data sets" in page
    assert "Simple baseline" in page
    assert "Mean rank by kind of data set" in page
    assert "Simple baseline, baseline arm and best arm" not in page  # of each data set
    notebook, text = result._repr_html_(), str(result)
    for shown in (notebook, text):
        assert document["headline"] in shown
    assert notebook.count("<tr>") == 1 + len(document["standings"])
    for name in ("critical-differences", "ranks", "profiles", "score-and-cost"):
        assert (folder / f"reports/bench/figures/default/{name}.png").is_file()
    assert "mathdefault" not in page  # an axis of powers of ten that nobody formats
    markdown = (folder / "reports/bench/report.md").read_text()
    assert document["headline"] in markdown
    assert run(["benchmark", "bench"]) == 0
    assert document["headline"] in capsys.readouterr().out
    from harness.run.results import open_results

    judged = open_results(folder / "results").judged({"bench"})
    (target,) = export(judged, tmp_path)
    assert (target / "tables/leaderboard-over-data-sets.tex").is_file()
    assert (target / "tables/scores-by-data-set.tex").is_file()
    assert (target / "figures/critical-differences.pdf").is_file()


def test_each_method_has_a_page_of_its_own_that_the_leaderboard_points_to(done, evidence):
    folder, result = done
    report = folder / "reports" / "bench"
    page = (report / "index.html").read_text()
    for one in result.leaderboards[0]["standings"]:
        file = f"methods/default-{one['method']}.html"
        assert f'href="{file}"' in page
        own = (report / file).read_text()
        assert 'href="../index.html#default-leaderboards"' in own
        assert f"{one['mean_rank']:.2f}"[:3] in own
        for dataset in DATA:
            assert f">{dataset}</th>" in own
    space = {"model.neighbours": {"integer": [1, 9]}}
    search = Search.model_validate({"space": space, "candidates": 2})
    searched = changed(of_study(evidence, search=search), lambda t: t.insert(
        0, "parameter.model.neighbours", t["arm"].map({"few-wine": 7}))
    )  # fmt: skip
    few = next(p for p in method_pages(leaderboards(searched), searched) if p.method == "few")
    cells = {row[0].text: row[-1].text for row in few.blocks[2].rows}
    assert cells["wine"] == "neighbours 7"
    assert cells["iris"] == "nothing was searched"


def test_several_metrics_are_drawn_in_one_picture(evidence):
    design = DESIGNS.read({"name": "benchmark", "metrics": ["test.accuracy", "test.loss"]})
    boards = leaderboards(of_study(evidence, design=design))
    picture = by_metric(boards)
    ranks = {(row["metric"], row["method"]): row["mean rank"] for row in picture.data}
    for board in boards:
        for one in board.standings:
            assert ranks[board.metric, one.method] == one.mean_rank
            assert one.method in picture.alt


def test_the_plan_of_a_benchmark_says_a_line_for_each_method(tmp_path, capsys):
    (tmp_path / "bench.yaml").write_text(json.dumps(STUDY))
    assert run(["plan", "bench.yaml"]) == 0
    said = capsys.readouterr().out
    assert "each on 4 data sets: iris, wine, moons and hastie" in said
    assert "simple baseline of each data set: logistic_regression (4)" in said
    assert said.count("logistic") == 2


def test_the_command_says_what_it_does_not_have(done, monkeypatch, capsys):
    monkeypatch.chdir(done[0])
    assert run(["benchmark", "bench", "--metric", "test.loss"]) == 2
    assert "has leaderboards by test.accuracy" in capsys.readouterr().err
    assert run(["benchmark", "scores.csv", "--goal", "maximize"]) == 2
    assert "--metric is missing" in capsys.readouterr().err


def test_no_data_set_left_is_said(evidence):
    with pytest.raises(InputError, match="no method has a score on iris"):
        leaderboards(changed(evidence, lambda t: [fail(a)(t) for a in
                             ("logistic-iris", "neighbours-iris", "few-iris")]))  # fmt: skip
