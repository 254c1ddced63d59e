"""Whatever is changed after a look at the evidence stays marked, under whatever name."""

import gzip
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from harness.cli.app import run
from harness.run.results import open_results
from harness.run.study_run import RunOptions, run_study
from harness.stats.anytime import confidence_sequence
from harness.study import load_study

pytestmark = pytest.mark.usefixtures("unreported")

STUDY = """\
study: {study}
question: Does the activation matter?
workload:
  data: {{name: digits, limit: 300}}
  model: {{name: mlp, depth: 1, width: 8, activation: relu}}
  optimizer: {{name: adam, lr: 1e-2}}
  epochs: 1
  batch_size: 64
factors:
  activation: {{path: model.activation, levels: [{levels}]}}
seeds: {seeds}
claims:
{claims}
"""
BETTER = """\
  - {{id: {id}, says: ReLU is better, metric: test.accuracy, contrast: {{activation: [{pair}]}},
     greater_by: {margin}}}
"""


def claim(id="better", pair="relu, tanh", margin=0.01):  # noqa: A002  (as in a study file)
    return BETTER.format(id=id, pair=pair, margin=margin)


FIRST, OTHER = claim(pair="tanh, relu"), claim("other", "tanh, sigmoid")


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """A results folder in which the evidence was looked at once, with two claims."""
    folder = tmp_path_factory.mktemp("seen")
    look(folder, FIRST + OTHER)
    return folder


def look(folder, claims, study="one", seeds=7, levels="relu, tanh, sigmoid", first_seed=0):
    """Run a study and return its verdicts and what the check of its claims says."""
    file = folder / "study.yaml"
    text = STUDY.format(claims=claims, study=study, seeds=seeds, levels=levels)
    file.write_text(text + (f"first_seed: {first_seed}\n" if first_seed else ""))
    options = RunOptions(folder / "results", folder / "reports", in_process=True)
    run_study(load_study(file), options)
    [result] = [r for r in open_results(folder / "results").judged() if r.study == study]
    [check] = [check for check in result.checks if check.id == "claims-changed"]
    return {verdict.id: verdict for verdict in result.verdicts}, " ".join(check.says)


@pytest.fixture
def again(seen, tmp_path, monkeypatch):
    shutil.copytree(seen, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return lambda *changes, **others: look(tmp_path / "copy", *changes, **others)


def test_nothing_is_said_of_claims_that_are_worded_anew(again):
    verdicts, says = again((FIRST + OTHER).replace("is better", "helps"))
    assert not any(verdict.exploratory for verdict in verdicts.values())
    assert says == "No claim was changed after its evidence had been seen."


def test_a_claim_that_is_written_after_its_evidence_is_exploratory(again):
    verdicts, says = again(FIRST + OTHER + claim("late", "relu, sigmoid"))
    assert verdicts["late"].exploratory.startswith("It was written after its evidence")
    assert not verdicts["better"].exploratory
    assert "Exploratory: late. It was written" in says


def test_another_margin_is_exploratory_and_back_again_is_told(again):
    verdicts, _ = again(FIRST.replace("0.01", "0.005") + OTHER)
    assert verdicts["better"].exploratory.startswith("It was changed after its evidence")
    verdicts, says = again(FIRST + OTHER)
    assert not verdicts["better"].exploratory
    assert "better was changed after its evidence had been seen, and changed back again" in says


def test_a_claim_that_is_changed_and_asked_of_new_seeds_is_no_younger_than_its_evidence(again):
    changed = FIRST.replace("0.01", "0.005") + OTHER
    verdicts, says = again(changed, first_seed=10000)
    assert not any(verdict.flag for verdict in verdicts.values())
    assert says == "No claim was changed after its evidence had been seen."
    verdicts, _ = again(FIRST + OTHER, first_seed=10000)  # back again, on seeds that were seen
    assert verdicts["better"].flag


def test_a_new_name_hides_nothing(again):
    verdicts, says = again(FIRST.replace("better,", "fresh,") + OTHER)
    assert not verdicts["fresh"].exploratory
    assert "The claim fresh was called better when its evidence was first seen." in says
    verdicts, says = again(claim("newer", "relu, sigmoid"), study="two")
    assert verdicts["newer"].exploratory
    assert "The same trials were judged before in the study one." in says


def test_a_claim_that_is_dropped_still_counts(again):
    before, _ = again(FIRST + OTHER)
    verdicts, says = again(FIRST)
    assert "1 claim was judged on this evidence and is no longer declared: other." in says
    alone = verdicts["better"]
    assert alone.p_value == before["better"].p_value
    assert alone.p_corrected == min(1.0, 2 * alone.p_value)


def test_seeds_that_are_added_after_a_look_are_told(again):
    _, says = again(FIRST + OTHER, seeds=9)
    assert "were judged with 7 seeds before, and with 9 now" in says


def test_a_claim_about_an_arm_that_nobody_has_seen_is_a_test(again):
    verdicts, _ = again(
        FIRST + OTHER + claim("new-arm", "relu, gelu"), levels="relu, tanh, sigmoid, gelu"
    )
    assert not verdicts["new-arm"].exploratory


def test_a_study_that_shares_an_arm_is_another_study(again):
    pair = claim("other-pair", "relu, gelu")
    verdicts, says = again(pair, study="two", levels="relu, gelu", seeds=9)
    assert not verdicts["other-pair"].exploratory
    one = verdicts["other-pair"]
    assert one.p_corrected == min(1.0, 2 * one.p_value)  # as of the only claim of a study
    assert says == "The same trials were judged before in the study one."
    worded_anew = pair.replace("is better", "helps")
    verdicts, _ = again(worded_anew, study="two", levels="relu, gelu", seeds=9)
    assert not verdicts["other-pair"].exploratory


def test_a_study_of_arms_that_another_one_has_shown_tests_nothing(again):
    verdicts, _ = again(claim("late", "relu, sigmoid"), study="two", levels="relu, sigmoid")
    why = verdicts["late"].exploratory
    assert why.startswith("All its evidence had been seen before, in the study one (")


@pytest.fixture
def clone(seen, tmp_path, monkeypatch):
    """A folder that has the published file of the first look, and no records of its own."""
    monkeypatch.chdir(seen)
    assert run(["publish", "one"]) == 0
    shutil.copytree(seen / "results" / "published", tmp_path / "clone" / "results" / "published")
    monkeypatch.chdir(tmp_path / "clone")
    return lambda *changes, **others: look(tmp_path / "clone", *changes, **others)


def test_what_was_published_has_been_seen(clone):
    late = claim("late", "relu, sigmoid")
    verdicts, says = clone(FIRST + late)
    assert verdicts["late"].exploratory.startswith("It was written after its evidence")
    assert not verdicts["better"].exploratory
    assert "1 claim was judged on this evidence and is no longer declared: other." in says
    verdicts, says = clone(FIRST + late, study="two")
    assert verdicts["late"].exploratory
    assert "The same trials were judged before in the study one." in says


def test_a_published_file_tells_a_stranger_of_the_looks_before(again, tmp_path, monkeypatch):
    again(FIRST + OTHER + claim("late", "relu, sigmoid"))
    assert run(["publish", "one"]) == 0
    file = Path("results/published/one.default.json.gz")
    stranger = tmp_path / "stranger" / "results" / "published"
    shutil.copytree(file.parent, stranger)
    monkeypatch.chdir(tmp_path / "stranger")
    [result] = open_results(Path("results")).judged()
    assert [v.id for v in result.verdicts if v.exploratory] == ["late"]
    document = json.loads(gzip.decompress((stranger / file.name).read_bytes()))
    del document["looks"], document["digest"]
    (stranger / file.name).write_bytes(gzip.compress(json.dumps(document).encode()))
    [result] = open_results(Path("results")).judged()
    [check] = [check for check in result.checks if check.id == "claims-changed"]
    assert not any(verdict.exploratory for verdict in result.verdicts)
    assert check.outcome == "not checked"
    assert "did not write down what had been looked at before" in " ".join(check.says)


LEVEL = """\
  - {{id: {id}, says: It reaches it, metric: test.accuracy, of: {{activation: {arm}}},
     {hypothesis}}}
"""
KNOWN = LEVEL.format(id="known", arm="relu", hypothesis="above: 0.05")
ANY = """\
  - {id: any, says: They differ, metric: test.accuracy, contrast: {activation: [relu, tanh]},
     differs_by: 0.0}
"""


def values_of(folder, arm):
    """Return the accuracies of an arm by seed."""
    [result] = [r for r in open_results(folder / "results").judged() if r.study == "one"]
    return result.evidence.values_by_arm("test.accuracy")[arm]


@pytest.fixture(scope="module")
def peeked(tmp_path_factory):
    """A look at 7 seeds that decides one claim and leaves two open, and one at 9 seeds after it."""
    folder = tmp_path_factory.mktemp("peeked")
    claims = KNOWN + open_claim(folder) + ANY
    return folder, claims, look(folder, claims, seeds=7), look(folder, claims, seeds=9)


def open_claim(folder):
    """Return a claim that 7 seeds leave open: that the mean is above itself."""
    look(folder, KNOWN, seeds=7)
    mean = float(values_of(folder, "relu").mean())
    shutil.rmtree(folder / "results")
    return LEVEL.format(id="open", arm="relu", hypothesis=f"above: {mean:.6f}")


def test_what_the_first_look_decided_stands_when_seeds_are_added(peeked):
    _, _, (first, _), (later, says) = peeked
    assert first["known"].verdict == "supported"
    assert (later["known"].verdict, later["known"].seeds) == ("supported", 7)
    assert later["known"].effect == first["known"].effect
    assert "before seeds were added" in later["known"].reason
    assert "were judged with 7 seeds before, and with 9 now" in says


def test_claims_whose_whole_error_rate_is_spent_are_exploratory(peeked):
    _, _, (first, _), (later, _) = peeked
    assert first["open"].verdict == "inconclusive"
    assert later["open"].seeds == 9
    why = later["open"].exploratory
    assert why.startswith("Its whole error rate was spent at the look at 7 seeds")


def test_the_only_claim_of_a_study_is_judged_by_intervals_that_hold_at_every_number(tmp_path):
    claims = open_claim(tmp_path)
    first, _ = look(tmp_path, claims, seeds=7)
    assert first["open"].verdict == "inconclusive"
    later, _ = look(tmp_path, claims, seeds=9)
    found = later["open"]
    assert (found.verdict, found.seeds, found.exploratory) == ("inconclusive", 9, "")
    low, high = confidence_sequence(values_of(tmp_path, "relu"), 0.05 / 2)
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high))
    assert found.p_corrected == 1.0
    assert "seeds that were added after a look" in found.reason
    assert found.seeds_needed is None or found.seeds_needed > 9


def test_fewer_seeds_than_at_the_first_look_are_told(peeked, tmp_path, monkeypatch):
    folder, claims, (first, _), _ = peeked
    shutil.copytree(folder, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    verdicts, _ = look(tmp_path / "copy", claims, seeds=6)
    assert verdicts["known"].exploratory.startswith("Its evidence was first seen with 7 seeds")
    back, _ = look(tmp_path / "copy", claims, seeds=7)
    assert back["open"].ci_low == first["open"].ci_low
    assert not back["open"].exploratory


def test_a_profile_that_was_declared_beforehand_adds_no_seeds(tmp_path, monkeypatch):
    def run_profile(text, profile=None):
        file = tmp_path / "study.yaml"
        file.write_text(
            STUDY.format(claims=KNOWN, study="one", seeds=5, levels="relu, tanh") + text
        )
        options = RunOptions(tmp_path / "results", tmp_path / "reports", in_process=True)
        run_study(load_study(file, profile), options)
        results = open_results(tmp_path / "results").judged()
        return {r.profile: r.verdicts[0] for r in results}

    monkeypatch.chdir(tmp_path)
    run_profile("profiles: {more: {seeds: 6}}\n")
    found = run_profile("profiles: {more: {seeds: 6}, later: {seeds: 7}}\n", "more")
    assert found["more"].seeds == 6
    found = run_profile("profiles: {more: {seeds: 6}, later: {seeds: 7}}\n", "later")
    assert found["later"].seeds == 5
    assert "before seeds were added" in found["later"].reason


GRID = """\
  - {id: grid, says: ReLU is better, metric: test.accuracy, contrast: {activation: [relu, tanh]},
     greater_by: 0.0}
"""


def test_a_claim_over_fewer_or_more_arms_is_another_claim(again, tmp_path):
    def depths(levels):
        wide = f"relu, tanh]}}\n  depth: {{path: model.depth, levels: [{levels}"
        return again(GRID, study="grid", levels=wide)

    depths("1, 2, 3")
    verdicts, says = depths("1, 3")
    assert verdicts["grid"].exploratory.startswith("It compared other arms when its evidence was")
    assert "Exploratory: grid. It compared other arms" in says
    verdicts, _ = depths("1, 2, 3, 4")
    assert verdicts["grid"].exploratory.startswith("It compared other arms")
    verdicts, _ = depths("1, 2, 3")
    assert not verdicts["grid"].exploratory


def test_alpha_metric_and_overrides_are_told(again, tmp_path):
    def changed(text):
        return again(text)[0]["better"].exploratory

    assert changed(FIRST.replace("test.accuracy", "test.loss") + OTHER)
    file = tmp_path / "copy" / "study.yaml"
    options = RunOptions(Path("results"), Path("reports"), in_process=True)
    again(FIRST + OTHER)
    for override in ("alpha=0.2", "claims.0.greater_by=0.001"):
        run_study(load_study(file, overrides=[override]), options)
        [result] = open_results(Path("results")).judged()
        assert result.verdicts[0].exploratory.startswith("It was changed after its evidence")
        assert any("Settings were overridden" in " ".join(c.says) for c in result.checks)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("DELETE FROM executions WHERE id = 1", "the execution that trained them is no longer"),
        ("UPDATE executions SET declaration = replace(declaration, '0.01', '0.02') WHERE id = 1",
         "What was declared at an earlier look at these trials cannot be read"),
    ],
)  # fmt: skip
def test_a_look_that_was_taken_out_of_the_database_is_missed(again, query, says):
    again(FIRST.replace("0.01", "0.02") + OTHER)
    with closing(sqlite3.connect("results/harness.db")) as connection, connection:
        connection.execute(query)
        if query.startswith("DELETE"):
            connection.execute("DELETE FROM assignments WHERE execution = 1")
    [result] = open_results(Path("results")).judged()
    [check] = [check for check in result.checks if check.id == "claims-changed"]
    assert check.outcome == "noted"
    assert says in " ".join(check.says)


def test_arms_are_named_by_the_order_of_factors_as_it_was_declared(tmp_path):
    wide = "factors:\n  width: {path: model.width, levels: [8, 16]}\n"  # after it in the alphabet
    pair = claim(pair="tanh, relu").replace("]}", "], at: {width: 16}}")
    for study in ("one", "two"):
        file = tmp_path / "study.yaml"
        text = STUDY.format(claims=pair, study=study, seeds=7, levels="relu, tanh")
        file.write_text(text.replace("factors:\n", wide))
        options = RunOptions(tmp_path / "results", tmp_path / "reports", in_process=True)
        run_study(load_study(file), options)
    results = open_results(tmp_path / "results").judged()
    assert [verdict.exploratory for result in results for verdict in result.verdicts] == ["", ""]
    assert {arm.name for arm in results[0].evidence.plan.arms} >= {"16-relu", "16-tanh"}
