"""Commands that hold a study to its word, on a small study that is run for real."""

import gzip
import json
import shutil
import sqlite3
from contextlib import chdir, closing, redirect_stdout
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
from sharing import lean

from harness.cli.app import run
from harness.publish.write import with_digest
from harness.run.results import open_results
from harness.study.document import read_yaml

pytestmark = pytest.mark.usefixtures("unmirrored", "undrawn")

STUDY = """\
study: guarded
question: Does the activation matter?
workload:
  data: {name: digits, limit: 300}
  model: {name: mlp, depth: 1, width: 8, activation: relu}
  optimizer: {name: adam, lr: 1e-2}
  epochs: 2
  batch_size: 64
factors:
  activation: {path: model.activation, levels: [relu, tanh]}
simple_baseline: none
seeds: 6
claims:
  - {id: learns, says: It learns & it's <fine>, metric: test.accuracy, of: {activation: relu},
     above: 0.05}
  - {id: perfect, says: It is perfect, metric: test.accuracy, of: {activation: relu}, above: 0.999}
  - {id: alike, says: It is all the same, metric: test.accuracy, within: 0.9,
     contrast: {activation: [relu, tanh]}}
profiles:
  long: {workload.epochs: 3}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder in which the study was registered, run and published."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "studies").mkdir()
    (folder / "studies" / "guarded.yaml").write_text(STUDY)
    with chdir(folder), redirect_stdout(StringIO()), lean():
        assert run(["register", "studies/guarded.yaml"]) == 0
        assert run(["run", "studies/guarded.yaml", "--in-process", "--json"]) == 0
        assert run(["publish"]) == 0
    return folder


@pytest.fixture
def here(home, tmp_path, monkeypatch):
    """Work in a copy of that folder."""
    shutil.copytree(home, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture
def said(capsys):
    """Return a function that runs a command: its exit status, what it prints, what it says."""

    def call(*arguments):
        capsys.readouterr()
        status = run(list(arguments))
        out, err = capsys.readouterr()
        return status, out, err

    return call


def test_claims_fail_on_the_kinds_that_are_named(here, said):
    assert said("claims")[0] == 0
    status, out, err = said("claims", "guarded", "--fail-on", "refuted,incomplete,changed")
    assert status == 1
    assert "It is perfect" in out
    assert err == "harness: guarded (default): the claim perfect is refuted\n"
    assert said("claims", "--fail-on", "incomplete,changed")[0] == 0
    file = Path("studies/guarded.yaml")
    file.write_text(file.read_text().replace("0.05", "0.04"))
    status, _, err = said("claims", "--fail-on", "changed")
    assert (status, err) == (1, "harness: guarded (default): the claim learns is changed\n")


def test_claims_as_tests_of_junit(here, said):
    assert said("claims", "--fail-on", "refuted", "--junit", "out/claims.xml")[0] == 1
    root = ElementTree.parse("out/claims.xml").getroot()
    assert (root.tag, root.attrib["tests"], root.attrib["failures"]) == ("testsuites", "3", "1")
    [suite] = root
    assert suite.attrib["name"] == "guarded.default"
    cases = {case.attrib["name"]: case for case in suite}
    learns, perfect, _ = cases.values()
    assert learns.attrib["name"] == "learns: It learns & it's <fine>"
    assert [child.tag for child in learns] == ["system-out"]
    failure = perfect.find("failure")
    assert failure.attrib["type"] == "refuted"
    assert failure.attrib["message"].startswith("refuted: ")


def test_a_published_file_that_is_damaged_is_an_error_in_junit(here, said):
    shutil.rmtree("reports")
    Path("results/harness.db").unlink()
    Path("results/published/guarded.default.json.gz").write_bytes(b"nothing")
    status, _, err = said("claims", "guarded", "--junit", "claims.xml")
    assert status == 2
    assert "cannot be unpacked" in err
    root = ElementTree.parse("claims.xml").getroot()
    assert (root.attrib["errors"], root.attrib["tests"]) == ("1", "1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fail-on", "refutd"], "--fail-on: 'refutd' is not one of supported, refuted"),
        (["--fail-on", ""], "--fail-on: '' is not one of"),
        (["guardd"], "there are no results of a study 'guardd'; did you mean 'guarded'?"),
        (["--junit", "studies"], "--junit: 'studies' cannot be written: Is a directory"),
    ],
)
def test_claims_refuses_wrong_input(here, said, arguments, message):
    status, _, err = said("claims", *arguments)
    assert status == 2
    assert message in err


@pytest.fixture
def registered(capsys):
    """Return a function: what the report says of the registered plan."""

    def found():
        capsys.readouterr()
        [result] = open_results(Path("results")).judged()
        [check] = [check for check in result.checks if check.id == "registered"]
        return check.outcome, " ".join(check.says)

    return found


def change(old, new, file="studies/guarded.yaml"):
    text = Path(file).read_text()
    assert old in text
    Path(file).write_text(text.replace(old, new))


def test_a_run_that_kept_to_its_registered_plan(here, registered):
    plan = read_yaml(Path("registered/guarded.default.yaml")).data
    assert [plan["study"], plan["profile"], plan["alpha"], plan["looks"]] == [
        "guarded", "default", 0.05, [6],
    ]  # fmt: skip
    assert plan["data"][0]["fingerprint"]
    assert [claim["id"] for claim in plan["plan"]["claims"]] == ["learns", "perfect", "alike"]
    outcome, says = registered()
    assert outcome == "fine"
    assert says.startswith(f"The run kept to the plan that was registered on {plan['registered']}")


def test_each_difference_from_the_registered_plan_is_named(here, registered):
    for old, new in (
        ("seeds: 6", "seeds: 7\nalpha: 0.1"),
        ("above: 0.999", "above: 0.998"),
        ("id: alike", "id: like"),
        ("lr: 1e-2", "lr: 2e-2"),
        ("limit: 300", "limit: 320"),
        ("It is perfect", "It is not"),
    ):
        change(old, new)
    assert run(["run", "studies/guarded.yaml", "--in-process", "--json"]) == 0
    outcome, found = registered()
    assert outcome == "noted"
    for says in (
        "seeds: 6 was registered, 7 was run.",
        "alpha: 0.05 was registered, 0.1 was run.",
        "claim perfect, above: 0.999 was registered, 0.998 was",
        "The claim alike was registered and is not declared.",
        "The claim like was not registered.",
        "workload.optimizer.lr: 0.01 was registered, 0.02 was run.",
        "workload.data.limit: 300 was registered, 320 was run.",
        "claim perfect, says: It is perfect was registered, It is",
    ):
        assert says in found


def test_overrides_and_a_registered_plan_that_was_edited_are_told(here, registered):
    change("alpha: 0.05", "alpha: 0.06", "registered/guarded.default.yaml")
    command = ["run", "studies/guarded.yaml", "--in-process", "--json"]
    assert run([*command, "--set", "seeds=7", "--set", "workload.epochs=1"]) == 0
    _, says = registered()
    assert "It was edited after it had been written." in says
    assert "workload.epochs: 2 was registered, 1 was run." in says
    Path("registered/guarded.default.yaml").write_text("nothing: [")
    assert run([*command, "--set", "workload.epochs=3"]) == 0
    _, says = registered()
    assert "registered/guarded.default.yaml could not be read: is not valid YAML" in says


def test_a_plan_that_is_registered_after_its_evidence_is_told(here, said, registered):
    file = Path("registered/guarded.default.yaml")
    status, _, err = said("register", "studies/guarded.yaml")
    assert status == 2
    assert f"'{file}' is there already" in err
    file.unlink()
    status, out, _ = said("register", "studies/guarded.yaml")
    assert status == 0
    assert "12 confirmation trials have a record already" in out
    change("0.999", "0.9999")
    assert run(["run", "studies/guarded.yaml", "--in-process", "--json"]) == 0
    assert "When it was registered, 12 confirmation trials had a record." in registered()[1]


def test_another_profile_and_place_and_wrong_input(here, said):
    long = ["--profile", "long", "--out", "x/y.yaml"]
    assert said("register", "studies/guarded.yaml", *long)[0] == 0
    plan = read_yaml(Path("x/y.yaml")).data
    assert (plan["profile"], plan["plan"]["workload"]["epochs"]) == ("long", 3)
    for arguments, message in (
        (["--profile", "lon"], "has no profile 'lon' (it has: long); did you mean 'long'?"),
        (["--out", "studies"], "'studies' is there already"),
        (["--out", "studies/guarded.yaml/x"], "cannot be written"),
    ):
        status, _, err = said("register", "studies/guarded.yaml", *arguments)
        assert status == 2
        assert message in err


def test_what_holds_is_verified_and_trained_again(here, said):
    status, out, err = said("verify", "guarded", "--replay", "2")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[-1] == "nothing differs"
    assert sum("trained again, equal bit for bit" in line for line in lines) == 2
    assert "holds the same records and gives the same verdicts" in out
    for page in ("guarded/index.html", "guarded/report.md", "published/guarded/report.md"):
        assert f"reports/{page} is as it was written, and of these records" in out
    status, out, _ = said("verify", "--registered", "registered/guarded.default.yaml", "--json")
    assert status == 0
    assert '"differs": 0' in out
    assert "the run kept to the plan registered/guarded.default.yaml" in out


def test_a_page_that_was_edited_is_found(here, said):
    change("Refuted", "Supported", "reports/guarded/report.md")
    assert "guarded: reports/guarded/report.md was edited" in said("verify", "guarded")[1]
    assert said("report")[0] == 0
    assert said("verify", "guarded")[0] == 0
    change("refuted", "supported", "reports/published/guarded/report.md")
    change("Refuted", "Supported", "reports/guarded/index.html")
    status, out, _ = said("verify", "guarded")
    assert status == 1
    assert "differs  guarded: reports/published/guarded/report.md was edited" in out
    assert "differs  guarded: reports/guarded/index.html is not as it was written" in out
    assert out.splitlines()[-1] == "2 differ"


def rewritten(change_document):
    """Change what a published file holds, with a digest that fits."""
    file = Path("results/published/guarded.default.json.gz")
    document = json.loads(gzip.decompress(file.read_bytes()))
    del document["digest"]
    change_document(document)
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    file.write_bytes(gzip.compress(with_digest(text).encode()))


def improve(document):
    for record in document["records"].values():
        if "test.accuracy" in record["metrics"]:
            record["metrics"]["test.accuracy"] = 0.9995


def test_numbers_that_were_made_up_are_found(here, said):
    rewritten(improve)
    status, out, _ = said("verify")
    assert status == 1
    assert "its published file holds other records than these" in out
    assert "published/guarded/report.md was made from other records than these" in out
    Path("results/harness.db").unlink()
    shutil.rmtree("reports")
    assert said("verify")[0] == 0  # nothing is here to compare the file with
    status, out, _ = said("verify", "--replay", "1")
    assert status == 1
    assert "trained again, differs: test.accuracy 0.9995 recorded" in out


def test_another_environment_may_differ_in_its_last_digits(here, said):
    Path("results/harness.db").unlink()

    def elsewhere(document):
        for shared in document["shared"]:
            if isinstance(shared, dict) and "torch" in shared:
                shared["torch"] = "1.0"
        for record in document["records"].values():
            record["metrics"]["test.loss"] *= 1.0000001

    rewritten(elsewhere)
    shutil.rmtree("reports")
    status, out, _ = said("verify", "--replay", "1")
    assert status == 0
    assert "within 3 standard deviations of its arm's seeds" in out
    assert "torch 1.0 then" in out
    rewritten(improve)
    assert said("verify", "--replay", "1")[0] == 1


def test_a_database_that_was_edited_is_found(here, said):
    with closing(sqlite3.connect("results/harness.db")) as connection, connection:
        connection.execute(
            "UPDATE records SET record = replace(record, ?, ?)",
            ('"test.accuracy":0.', '"test.accuracy":0.9'),
        )
    status, out, _ = said("verify", "guarded")
    assert status == 1
    assert "is not as it was written" in out


def test_code_of_its_own_in_a_published_file_is_not_run(here, said):
    Path("results/harness.db").unlink()
    shutil.rmtree("reports")

    def outside(document):
        for shared in document["shared"]:
            if isinstance(shared, dict) and "model" in shared:
                shared["model"] = {"name": "evil:network"}

    Path("evil.py").write_text("open('ran', 'w')\n")
    rewritten(outside)
    status, _, err = said("verify", "--replay", "1")
    assert status == 2
    assert "nothing that a published file names is run" in err
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["guardd"], "there are no results of a study 'guardd'; did you mean 'guarded'?"),
        (["--replay", "0"], "--replay"),
        (["--registered", "no.yaml"], "no.yaml: cannot be read: No such file or directory"),
        (
            ["--registered", "studies/guarded.yaml"],
            "studies/guarded.yaml: format: is no",
        ),
        (["--results", "nowhere"], "there are no results in 'nowhere' yet"),
    ],
)
def test_verify_refuses_wrong_input(here, said, arguments, message):
    status, _, err = said("verify", *arguments)
    assert status == 2
    assert message in err
