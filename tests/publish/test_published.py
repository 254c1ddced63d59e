"""Published records: a real run, its files, and everything recomputed from them alone."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tracemalloc
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
from sharing import lean

from harness.cli.app import run
from harness.publish import PublishedError, publishable, read_file, write_file
from harness.publish.curves import to_columns, to_points
from harness.run.study_run import RunOptions, run_study
from harness.store import open_store
from harness.study import load_study
from harness.trial import Phase

pytestmark = pytest.mark.usefixtures("unmirrored")
ROOT = Path(__file__).parents[2]
TINY = """\
study: small
question: Does the activation matter?
workload:
  data: digits
  model: {name: mlp, depth: 1, width: 8, activation: relu}
  optimizer: {name: adam, lr: 1e-2}
  epochs: 2
  batch_size: 128
factors:
  activation: {path: model.activation, levels: [sigmoid, relu]}
search:
  space: {optimizer.lr: {log: [1e-3, 1e-1]}}
  candidates: 2
seeds: 6
probes: [gradient_norms]
claims:
  - id: relu-beats-sigmoid
    says: ReLU beats sigmoid
    source: [a book]
    metric: test.accuracy
    contrast: {activation: [relu, sigmoid]}
    greater_by: 0.01
    discussion: {default: It is so., other: It is not so.}
  - id: alike
    says: Both are alike
    metric: test.accuracy
    contrast: {activation: [relu, sigmoid]}
    within: 0.5
profiles:
  other: {seeds: 7}
"""
LOOK = """
import sys
from harness.cli.app import run
status = run(sys.argv[1:])
print([m for m in ("torch", "ray", "mlflow", "optuna") if m in sys.modules], file=sys.stderr)
sys.exit(status)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A finished study with its published file."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "studies").mkdir()
    (folder / "studies" / "small.yaml").write_text(TINY)
    options = RunOptions(folder / "results", folder / "reports", in_process=True)
    with lean():
        run_study(load_study(folder / "studies" / "small.yaml"), options)
    with chdir(folder):
        assert run(["publish"]) == 0
    return folder


@pytest.fixture
def clone(home, tmp_path, monkeypatch):
    """Work in what a fresh clone has: the study file and the published file, and no store."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "small.yaml").write_text(TINY)
    shutil.copytree(home / "results" / "published", tmp_path / "results" / "published")
    return tmp_path


def published(folder: Path) -> Path:
    return folder / "results" / "published" / "small.default.json.gz"


@pytest.fixture
def claims(capsys):
    """Return a function: the claims of the working directory, by id."""

    def found():
        capsys.readouterr()
        assert run(["claims", "--json"]) == 0
        return {claim["id"]: claim for claim in json.loads(capsys.readouterr().out)}

    return found


@pytest.fixture
def page(undrawn):
    """Return a function: the report of the working directory, without its pictures."""

    def built():
        assert run(["report"]) == 0
        return Path("reports/small/index.html").read_text()

    return built


def edited(file: Path, change):
    """Write the file again with its content changed."""
    document = json.loads(gzip.decompress(file.read_bytes()))
    del document["digest"]  # as in a file of an older version; else it would tell at once
    change(document)
    file.write_bytes(gzip.compress(json.dumps(document).encode()))


def test_the_file_holds_the_records_exactly(home):
    store = open_store(home / "results")
    (execution,) = publishable(store)
    file = read_file(published(home))
    assert file.execution == execution
    mine, theirs = list(store.assigned_records(execution.id)), list(file.items)
    assert len(theirs) == len(mine) > 20
    for one, other in zip(mine, theirs, strict=True):
        assert (one.trial_id, one.arm, one.parameters) == (
            other.trial_id, other.arm, other.parameters,
        )  # fmt: skip
        assert one.record.trial == other.record.trial
        assert one.record.metrics == other.record.metrics
        assert one.record.cost == other.record.cost
        if one.phase is Phase.CONFIRMATION:
            assert one.record == other.record
        else:
            assert other.record.curve == ()
    assert list(file.judged) == store.judged("small", "default")


def test_a_small_page_is_kept_with_the_file_and_is_the_same_on_a_clone(home, clone, capsys):
    pages = home / "reports" / "published"
    found = {f.relative_to(pages).as_posix() for f in pages.rglob("*") if f.is_file()}
    assert found == {
        "index.md", "syllabus.md", "verdicts.json", "small/report.md",
        "small/figures/default/effects.svg", "small/figures/default/arms.svg",
        "small/figures/default/at-a-glance.svg",
        "small/figures/default/inside-gradient-norms.svg",
    }  # fmt: skip
    text, board = ((pages / name).read_text() for name in ("small/report.md", "index.md"))
    assert "ReLU beats sigmoid" in text
    assert "ReLU beats sigmoid" in board
    for folder, links in ((pages / "small", text), (pages, board)):
        for link in re.findall(r"\]\(([^)]*)\)", links):
            assert (folder / link).is_file(), link
    assert run(["publish"]) == 0  # of a clone, which makes the pages alone
    assert "small/report.md" in capsys.readouterr().out
    for file in found:
        assert (clone / "reports" / "published" / file).read_bytes() == (pages / file).read_bytes()
    assert run(["publish", "smal"]) == 2
    assert "did you mean 'small'?" in capsys.readouterr().err


def test_the_file_is_small_and_always_the_same(home, tmp_path):
    store = open_store(home / "results")
    (execution,) = publishable(store)
    again = write_file(store, execution, tmp_path)
    assert again.read_bytes() == published(home).read_bytes()
    trials = [one.trial_id for one in store.assigned_records(execution.id)]
    kept = [numbers for one in store.outcomes(trials).values() for numbers in one.values()]
    losses = sum(len(numbers) for numbers in kept if numbers.dtype.kind == "f")
    assert again.stat().st_size < 500 * len(trials) + 2 * losses  # two bytes for one


def test_a_clone_recomputes_every_verdict_and_trains_nothing(home, clone, claims, monkeypatch):
    found = claims()
    assert found["alike"]["verdict"] != "incomplete"
    assert set(found["alike"]["integrity"]) == {"learnt"}  # one epoch is less than the simple model
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", LOOK, "report"],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr.strip() == "[]"
    text = Path("reports/small/index.html").read_text()
    assert "Published records: run on" in text
    assert "It is so." in text
    assert "It is not so." not in text
    assert "ReLU beats sigmoid" in Path("reports/index.html").read_text()
    assert "small" in Path("reports/index.md").read_text()
    assert [p.name for p in Path("results").iterdir()] == ["published"]
    monkeypatch.chdir(home)
    here = claims()
    assert {claim.pop("published") for claim in found.values()} == {True}
    assert {claim.pop("published") for claim in here.values()} == {False}  # its own come first
    assert found == here


@pytest.mark.usefixtures("clone")
def test_a_claim_that_is_edited_afterwards_is_told(claims, page):
    Path("studies/small.yaml").write_text(TINY.replace("within: 0.5", "within: 0.6"))
    found = claims()
    assert found["alike"]["changed_after_evidence"]
    assert found["alike"]["expected"] == "within ±0.5"
    assert not found["relu-beats-sigmoid"]["changed_after_evidence"]
    assert set(found["alike"]["integrity"]) == {"learnt", "study-file", "claims-changed"}
    text = page()
    assert "The study file has changed since" in text
    assert "The claim alike was changed after its evidence had been seen." in text


@pytest.mark.usefixtures("clone")
def test_words_and_discussions_may_be_written_afterwards(claims, page):
    text = TINY.replace("It is so.", "It has to be so.").replace("says: Both", "says: All")
    Path("studies/small.yaml").write_text(text)
    assert not any(claim["changed_after_evidence"] for claim in claims().values())
    assert "It has to be so." in page()


@pytest.mark.usefixtures("clone")
def test_without_its_study_file_the_declaration_speaks(page):
    Path("studies/small.yaml").unlink()
    text = page()
    assert "The study file is not at hand." in text
    assert "It is so." in text
    Path("studies/small.yaml").write_text("study: small\nquestion: [")
    assert "cannot be read as it was then" in page()


def test_a_claim_that_was_judged_differently_where_it_was_published_stays_marked(clone, claims):
    def change(document):
        for row in document["judged"]:
            row[1] = "0" * 16 if row[0] == "alike" else row[1]

    edited(published(clone), change)
    found = claims()
    assert found["alike"]["changed_after_evidence"]
    assert not found["relu-beats-sigmoid"]["changed_after_evidence"]


@pytest.mark.usefixtures("page")
def test_a_run_takes_no_record_from_a_file_and_shows_both_profiles(clone):
    edited(published(clone), _set("execution", "profile", "other"))
    published(clone).rename(published(clone).with_name("small.other.json.gz"))
    options = RunOptions(Path("results"), Path("reports"), in_process=True)
    result = run_study(load_study(Path("studies/small.yaml")), options)
    assert result.counts["reused"] == 0
    assert result.counts["complete"] > 20
    pages = "".join(page.read_text() for page in sorted(Path("reports/small").glob("*.html")))
    assert 'id="default"' in pages
    assert 'id="other"' in pages
    assert pages.count("Published records: run on") == 1


def test_unfinished_and_overridden_runs_are_not_published(home, tmp_path, capsys):
    store = open_store(home / "results")
    (execution,) = publishable(store)
    other = open_store(tmp_path)
    for status, context in (("interrupted", {}), ("finished", {"overrides": {"seeds": 5}})):
        number = other.start_execution(
            "small", "default", execution.plan_hash, execution.declaration,
            {**execution.context, **context},
        )  # fmt: skip
        other.end_execution(number, status, 1.0)
    assert publishable(other) == []
    assert run(["publish", "--results", str(tmp_path)]) == 2
    assert "no run has finished" in capsys.readouterr().err
    assert run(["publish", "smal", "--results", str(home / "results")]) == 2
    assert "did you mean 'small'" in capsys.readouterr().err


def _set(*path_and_value):
    *path, last, value = path_and_value

    def change(document):
        for part in path:
            document = document[part]
        document[last] = value

    return change


def _first_record(name, value):
    def change(document):
        next(iter(document["records"].values()))[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("format", "other"), "format is 'other'"),
        (_set("version", 99), "newer version of harness"),
        (_set("execution", "study", "../evil"), "'../evil' is no name"),
        (_set("execution", "study", "another"), "is of the study 'small'"),
        (_set("execution", "profile", "another"), "does not fit the file's name"),
        (_set("execution", "started", "soon"), "execution.started is no number"),
        (_set("execution", "declaration", "seeds", "many"), "execution.declaration"),
        (_set("execution", "plan_hash", "<b>"), "plan_hash is no hash"),
        (_set("execution", {}), "execution.id is missing"),
        (_set("records", []), "records is no mapping"),
        (_set("shared", []), "points to no mapping"),
        (_set("judged", [["a", 1, 2.0]]), "judged[0]"),
        (_set("assignments", 0, [1]), "assignments[0]"),
        (_first_record("metrics", {"test.accuracy": "high"}), "metrics holds something else"),
        (_first_record("state", "splendid"), "splendid"),
        (_first_record("surprise", 1), "surprise"),
        (_first_record("curve", {"epoch": [1], "train.loss": [1, 2]}), "differ in length"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_its_place(clone, capsys, change, message):
    edited(published(clone), change)
    assert run(["claims", "--results", str(clone / "results")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "small.default.json.gz" in error
    assert "Traceback" not in error


def test_damaged_and_oversized_files_are_refused(clone, monkeypatch):
    file = published(clone)
    whole = file.read_bytes()
    for content in (b"", b"no archive", whole[:-20], gzip.compress(b"{"), gzip.compress(b"[]")):
        file.write_bytes(content)
        with pytest.raises(PublishedError, match=r"small\.default"):
            read_file(file)
    file.write_bytes(gzip.compress(b"[" * 100_000))
    with pytest.raises(PublishedError, match="no JSON"):
        read_file(file)
    monkeypatch.setattr("harness.publish.unpack.LARGEST_TEXT", 1000)
    file.write_bytes(whole)
    with pytest.raises(PublishedError, match="unpacks to more"):
        read_file(file)
    monkeypatch.setattr("harness.publish.unpack.LARGEST_FILE", 1000)
    with pytest.raises(PublishedError, match="is larger than"):
        read_file(file)


@pytest.mark.parametrize(
    ("part", "message"),
    [(b" " * 2**20, "unpacks to more than"), (b"[]," * 2**18, r"holds more than [\d,]+ values")],
    ids=["one long text", "many small values"],
)
def test_a_small_file_that_unpacks_to_much_is_refused_before_it_is_unpacked(clone, part, message):
    """Only as much of it is unpacked as a file of its size may hold, and nothing is parsed."""
    file = published(clone)
    file.write_bytes(gzip.compress(part * 300))
    assert file.stat().st_size < 400_000
    tracemalloc.start()
    try:
        with pytest.raises(PublishedError, match=message):
            read_file(file)
        assert tracemalloc.get_traced_memory()[1] < 50 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "change",
    [
        lambda text: re.sub(
            r'("test.accuracy":0\.)(\d)', lambda m: m[1] + _other(m[2]), text, count=1
        ),
        lambda text: text.replace('"greater_by":0.01', '"greater_by":0.91', 1),
        lambda text: text.replace('"sigmoid","confirmation"', '"relu","confirmation"', 1),
        lambda text: json.dumps(json.loads(text) | {"judged": []}),
    ],
    ids=["a metric", "a margin", "an arm", "written anew"],
)
def test_a_file_that_was_edited_is_noticed(clone, capsys, change):
    file = published(clone)
    text = gzip.decompress(file.read_bytes()).decode()
    assert change(text) != text
    file.write_bytes(gzip.compress(change(text).encode()))
    assert run(["claims", "--results", str(clone / "results")]) == 2
    assert f"{file.name}' was changed after it was written" in capsys.readouterr().err


def _other(digit):
    return str((int(digit) + 5) % 10)


def test_every_flipped_byte_of_a_file_is_noticed(clone):
    file = published(clone)
    whole = file.read_bytes()
    harmless = range(3, 10)  # flags and moment in gzip's header
    for place in [0, *range(10, len(whole), 997), len(whole) - 8, len(whole) - 1]:
        assert place not in harmless
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(PublishedError, match=r"small\.default\.json\.gz"):
            read_file(file)


def test_a_file_without_a_digest_is_read(clone):
    before = read_file(published(clone))
    edited(published(clone), lambda document: None)
    assert read_file(published(clone)) == before


def test_a_run_that_would_end_with_a_bad_file_does_not_begin(clone, capsys):
    published(clone).write_bytes(b"x")
    assert run(["run", "studies/small.yaml", "--in-process", "--json"]) == 2
    assert "cannot be unpacked" in capsys.readouterr().err
    assert open_store(Path("results")).executions() == []


def test_curves_come_back_bit_for_bit():
    generator = np.random.default_rng(0)
    singles = [float(x) for x in generator.normal(size=50).astype(np.float32)]
    doubles = [float(x) for x in generator.normal(size=50)]
    curve = tuple(
        {"epoch": i, "train.loss": singles[i], "validation.accuracy": doubles[i]} for i in range(50)
    )
    ragged = ({"epoch": 1, "a": 0.5}, {"epoch": 2}, {"epoch": 3, "a": 1e300})
    for points in (curve, ragged, ()):
        assert to_points(json.loads(json.dumps(to_columns(points)))) == points
    short = json.dumps(to_columns(curve)["train.loss"])
    assert len(short) < 0.7 * len(json.dumps(singles))


def test_a_discussion_of_an_unknown_profile_is_a_mistake(clone, capsys):
    file = clone / "studies" / "small.yaml"
    file.write_text(TINY.replace("other: It is", "othre: It is"))
    assert run(["validate", str(file)]) == 2
    assert "did you mean 'other'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "kept"),
    [
        ("reports/index.html", False),
        ("reports/activations/index.html", False),
        ("reports/activations/figures/quick/arms.png", False),
        ("results/harness.db", False),
        ("reports/published/index.md", True),
        ("reports/published/activations/report.md", True),
        ("results/published/activations.quick.json.gz", True),
    ],
)
def test_git_keeps_what_is_published_and_nothing_that_a_run_writes(file, kept):
    if not (ROOT / ".git").exists():
        pytest.skip("no repository")
    said = subprocess.run(["git", "check-ignore", "--no-index", "-q", file], cwd=ROOT, check=False)
    assert said.returncode == (1 if kept else 0)
    assert (ROOT / file).is_file() or not kept
