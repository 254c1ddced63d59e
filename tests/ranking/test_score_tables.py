"""Scores from a file: what is read, what is refused, and what the leaderboard makes of it."""

import json

import jsonschema
import numpy as np
import pytest

from harness.cli.app import run
from harness.cli.forms import forms
from harness.errors import InputError
from harness.ranking.leaderboard import best_on, judge_table
from harness.ranking.table_file import read_scores

LONG = "method,dataset,seed,score\n"


def read(tmp_path, text, metric="accuracy"):
    file = tmp_path / "scores.csv"
    file.write_text(text)
    return read_scores(file, metric)


def benchmark(seeds=5, datasets=12, methods=("a", "b", "c"), step=0.1, seed=0):
    """Lines of scores: each method is better than the one before by `step`."""
    rng = np.random.default_rng(seed)
    lines = []
    for j in range(datasets):
        for i, method in enumerate(methods):
            truth = step * i + 0.3 * step * rng.normal()
            lines += [f"{method},d{j},{s},{truth + 0.01 * rng.normal():.6f}" for s in range(seeds)]
    return LONG + "\n".join(lines) + "\n"


def test_one_score_a_line_and_tables_of_either_kind_say_the_same(tmp_path):
    long = "method,dataset,score\na,x,1\na,y,2\nb,x,3\nb,y,4\n"
    rows = "method,x,y\na,1,2\nb,3,4\n"
    columns = "\ufeffDataset,a,b\nx,1,3\n\ny,2,4\n"
    tables = [read(tmp_path, text) for text in (long, rows, columns)]
    for table in tables:
        assert sorted(table.methods) == ["a", "b"]
        assert table.cells == tables[0].cells


def test_lines_of_another_metric_are_left_out(tmp_path):
    text = "method,dataset,metric,score\n" + "".join(
        f"{m},{d},{k},{v}\n" for m in "ab" for d in "xy" for k, v in (("loss", 9), ("accuracy", 1))
    )
    assert read(tmp_path, text).cells["a", "x"] == {"": 1.0}
    with pytest.raises(InputError, match=r"no scores of the metric 'acuracy'.*'accuracy'"):
        read(tmp_path, text, "acuracy")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("method,dataset,score\na,x,93 %\n", r":2:1: '93 %' is not a number"),
        ("method,x,y\na,1,2\nb,inf,3\n", r":3:1: 'inf' is not finite"),
        ("method,x,y\na,1,2\nb,3\n", r":3:1: expected 3 columns, found 2"),
        ("method,x,x\na,1,2\n", "two columns are called 'x'"),
        ("method,x,\na,1,2\n", "column 3 has no name"),
        ("model,x,y\na,1,2\nb,1,2\n", "first column is called 'model'"),
        ("method,x,Average\na,1,2\nb,1,2\n", r":1:1: 'Average' looks like a summary"),
        ("dataset,a,b\nx,1,2\nMean rank,1,2\n", r":3:1: 'Mean rank' looks like a summary"),
        ("method,seed,x\na,0,2\nb,0,2\n", r"has no 'seed'"),
        ("method,dataset,score\na,x,1\na,x,2\n", "several runs need a column 'seed'"),
        (LONG + "a,x,0,1\na,x,0,2\n", r":3:1: a second score of a on x, seed 0 \(line 2"),
        ("method,dataset,scroe,score\na,x,1,1\n", "no column is called 'scroe'.*'score'"),
        ("method;x;y\na;1;2\n", "found a single one"),
        ("method,x,y\na,1,2\n", "at least two methods and two data sets, found 1 and 2"),
        ("method,x\na,1\nb,2\n", "found 2 and 1"),
        ("", "has no scores"),
        (LONG + "a,,0,1\n", "'dataset' is empty"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, text, says):
    with pytest.raises(InputError, match=says):
        read(tmp_path, text)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv' cannot be read"):
        read_scores(tmp_path / "none.csv", "accuracy")


PAPER = """dataset,C4.5,C4.5+m,C4.5+cf,C4.5+m+cf
adult,0.763,0.768,0.771,0.798
breast cancer,0.599,0.591,0.590,0.569
breast cancer wisconsin,0.954,0.971,0.968,0.967
cmc,0.628,0.661,0.654,0.657
ionosphere,0.882,0.888,0.886,0.898
iris,0.936,0.931,0.916,0.931
liver disorders,0.661,0.668,0.609,0.685
lung cancer,0.583,0.583,0.563,0.625
lymphography,0.775,0.838,0.866,0.875
mushroom,1.000,1.000,1.000,1.000
primary tumor,0.940,0.962,0.965,0.962
rheum,0.619,0.666,0.614,0.669
voting,0.972,0.981,0.9751,0.975
wine,0.957,0.978,0.946,0.970
"""
"""Areas under the curve of table 6 of Demšar (JMLR 2006). Where it ranks two values of voting that
are printed alike, as second and third, the second has one more digit here."""


def test_the_table_of_a_paper_gives_its_ranks_and_its_tests(tmp_path):
    board = judge_table(read(tmp_path, PAPER, "AUC"), "AUC", "maximize")
    assert {one.method: round(one.mean_rank, 3) for one in board.standings} == {
        "C4.5": 3.143, "C4.5+m": 2.0, "C4.5+cf": 2.893, "C4.5+m+cf": 1.964,
    }  # fmt: skip
    assert board.difference == pytest.approx(1.25, abs=5e-3)
    # the paper does without the correction for ties: four that are equal, three pairs that are
    lost = ((4**3 - 4) + 3 * (2**3 - 2)) / (14 * (4**3 - 4))
    chi = board.friedman.chi_square * (1 - lost)
    assert chi == pytest.approx(9.28, abs=5e-3)
    assert 13 * chi / (14 * 3 - chi) == pytest.approx(3.69, abs=5e-3)
    assert board.friedman.p_value < 0.05
    assert any("without seeds" in text for text in board.unknown)


GAPS = "dataset,a,b,c\nx,1,2,3\ny,1,-,3\nz,1,2,4\n"


def test_missing_scores_are_refused_or_mean_what_the_reader_says(tmp_path):
    table = read(tmp_path, GAPS)
    with pytest.raises(InputError, match=r"lacks 1 of the scores: b on y\. Say"):
        judge_table(table, "accuracy", "maximize")
    dropped = judge_table(table, "accuracy", "maximize", "drop-dataset")
    assert dropped.scores.datasets == ("x", "z")
    assert "without y" in dropped.notes[0]
    worst = judge_table(table, "accuracy", "maximize", "worst")
    assert {s.method: s.mean_rank for s in worst.standings} == pytest.approx(
        {"c": 1.0, "b": (2 + 2.5 + 2) / 3, "a": (3 + 2.5 + 3) / 3}
    )
    turned = judge_table(table, "cost", "minimize", "worst")  # the worst is the largest here
    assert {s.method: s.mean_rank for s in turned.standings}["b"] == pytest.approx(6.5 / 3)
    with pytest.raises(InputError, match="1 data set would be left"):
        judge_table(read(tmp_path, GAPS.replace("z,1", "z,")), "m", "maximize", "drop-dataset")


def test_a_seed_that_failed_is_a_missing_score_and_one_that_nobody_ran_is_not(tmp_path):
    lines = [f"{m},{d},{s},{i}.{s}" for i, m in enumerate("ab") for d in "xy" for s in range(3)]
    lines.remove("a,x,2,0.2")
    with pytest.raises(InputError, match="a on x, seed 2"):
        judge_table(read(tmp_path, LONG + "\n".join(lines)), "m", "maximize")
    lines.remove("b,x,2,1.2")
    assert judge_table(read(tmp_path, LONG + "\n".join(lines)), "m", "maximize").scores.seeds == (
        2,
        3,
    )


def test_clear_differences_settle_places_and_equal_methods_do_not(tmp_path):
    clear = judge_table(read(tmp_path, benchmark()), "accuracy", "maximize")
    assert [(s.method, s.place_low, s.place_high) for s in clear.standings] == [
        ("c", 1, 1), ("b", 2, 2), ("a", 3, 3),
    ]  # fmt: skip
    assert clear.headline.startswith("c is first, and that is settled. 3 of 3 pairs")
    turned = judge_table(read(tmp_path, benchmark()), "cost", "minimize")
    assert [s.method for s in turned.standings] == ["a", "b", "c"]
    equal = judge_table(read(tmp_path, benchmark(step=0.0)), "accuracy", "maximize")
    assert not any(s.settled for s in equal.standings)
    assert equal.headline.startswith("No place is settled")


def test_few_data_sets_settle_nothing_and_it_is_said(tmp_path):
    few = judge_table(read(tmp_path, benchmark(datasets=5)), "accuracy", "maximize")
    assert not any(pair.better for pair in few.pairs)
    assert "takes at least 7" in few.unknown[0]


def test_a_table_without_seeds_says_what_it_cannot_know(tmp_path):
    board = judge_table(read(tmp_path, benchmark(seeds=1)), "accuracy", "maximize")
    assert any("without seeds" in text for text in board.unknown)
    assert board.standings[0].middle.low is None
    assert {mark for marks in board.marks for mark in marks} == {""}


def test_what_is_probably_not_meant_is_noted(tmp_path):
    table = read(tmp_path, "dataset,a,b\nx,1,2\ny,1,2\nz,3,1\n")
    notes = judge_table(table, "test error", "maximize").notes
    assert notes[0] == "is test error really better where it is maximal?"
    assert notes[1].startswith("y has the same scores as x")


def test_the_best_of_a_data_set_is_marked_only_beyond_noise():
    rng = np.random.default_rng(2)
    noise = 0.01 * rng.normal(size=(3, 8))
    far = np.array([[0.0], [0.5], [1.0]]) + noise
    assert best_on(far) == ("", "", "best")
    near = np.array([[0.0], [0.9995], [1.0]]) + noise
    assert best_on(near) == ("", "among the best", "among the best")
    silent = near.copy()
    silent[1] = 0.999  # its spread is unknown, not zero
    assert best_on(silent)[1:] == ("among the best", "among the best")
    assert best_on(np.ones((2, 5))) == ("", "")
    assert best_on(far[:, :1]) == ("", "", "")


def test_of_equal_methods_the_best_of_a_data_set_is_seldom_marked():
    rng = np.random.default_rng(0)
    found = [any(mark != "among the best" for mark in best_on(rng.normal(size=(5, 5))))
             for _ in range(400)]  # fmt: skip
    assert np.mean(found) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_the_command_writes_pages_that_say_the_same_as_its_document(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scores.csv").write_text(benchmark())
    call = ["benchmark", "scores.csv", "--metric", "accuracy", "--goal", "maximize"]
    assert run([*call, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, forms()["benchmark"].json_schema())
    assert [s["places"] for s in document["standings"]] == [[1, 1], [2, 2], [3, 3]]
    assert [s["letters"] for s in document["standings"]] == ["a", "b", "c"]
    assert document["means"]["d0"]["c"] > document["means"]["d0"]["a"]
    page = (tmp_path / "reports" / "benchmark.html").read_bytes()
    text = (tmp_path / "reports" / "benchmark.md").read_text()
    assert document["headline"] in text
    assert "★" in text
    assert b"c is first, and that is settled" in page
    assert page.count(b"<svg") == 3
    assert (tmp_path / "reports/figures/benchmark/critical-differences.png").exists()
    ranks = json.loads((tmp_path / "reports/figures/benchmark/ranks.json").read_text())["rows"]
    assert [row["mean rank"] for row in ranks] == [s["mean_rank"] for s in document["standings"]]
    methods = tmp_path / "reports" / "benchmark-methods"
    assert sorted(file.stem for file in methods.iterdir()) == ["a", "b", "c"]
    own = (methods / "c.html").read_text()
    assert 'href="../benchmark.html"' in own
    assert own.count("c − ") == 2  # seen from itself, whichever stands first elsewhere
    assert "12 / 0 / 0" in own
    assert run(call) == 0
    assert "  place 1        c, mean rank 1." in capsys.readouterr().out
    assert (tmp_path / "reports" / "benchmark.html").read_bytes() == page


def test_the_command_refuses_what_it_does_not_know(tmp_path, capsys):
    (tmp_path / "s.csv").write_text(GAPS)
    call = ["benchmark", str(tmp_path / "s.csv"), "--metric", "m", "--goal"]
    assert run([*call, "up"]) == 2
    assert "maximize" in capsys.readouterr().err
    assert run([*call, "maximize", "--alpha", "0.7"]) == 2
    assert run([*call, "maximize"]) == 2
    assert "--missing worst" in capsys.readouterr().err


def test_names_of_methods_are_shown_as_texts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.csv").write_text(benchmark(methods=("<b>a</b>", "$x$ | y", "c")))
    assert run(["benchmark", "s.csv", "--metric", "m", "--goal", "maximize"]) == 0
    assert "<b>a</b>" not in (tmp_path / "reports" / "benchmark.html").read_text()
    assert "<b>a</b>" not in next((tmp_path / "reports/benchmark-methods").glob("*a*")).read_text()
    assert "$x$ | y" not in (tmp_path / "reports" / "benchmark.md").read_text()
