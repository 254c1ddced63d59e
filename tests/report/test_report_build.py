import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from report_examples import without_trials

from harness.report import ProfileResult, build_page, trials
from harness.report.render import escape_markdown
from harness.report.svg import inline_svg

VOID = {"meta", "link", "br", "path", "use", "rect", "circle", "img", "hr"}

REBUILD = """
import json, sys
from pathlib import Path
from harness.evidence import gather
from harness.judge import judge
from harness.report import ProfileResult, build_page
from harness.store import open_store
store = open_store(Path({results!r}))
found = []
for execution in store.latest_executions():
    evidence = gather(store, execution)
    found.append(ProfileResult(evidence, judge(evidence)))
build_page(found[::-1], Path({folder!r}))
print(json.dumps([m for m in ("torch", "ray", "mlflow", "optuna") if m in sys.modules]))
"""


class Reader(HTMLParser):
    """Collects headings, tags, attributes and visible text, and checks that tags are closed."""

    def __init__(self):
        super().__init__()
        self.stack, self.tags, self.headings, self.text = [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if self.stack and self.stack[-1] not in ("style", "script"):
            self.text.append(data)
        if self.stack and re.fullmatch("h[1-6]", self.stack[-1]):
            self.headings.append((int(self.stack[-1][1]), data))

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.stack == []
    return reader


def test_the_page_needs_nothing_else(built):
    folder, page, _ = built
    reader = read(page)
    assert len(page.encode()) < 600_000
    assert all("src" not in script for script in reader.of("script"))
    assert not reader.of("img")
    assert [link["href"] for link in reader.of("link")] == ["data:,"]
    assert not re.search(r"@import|url\((?!#)", page)
    outside = [a["href"] for a in reader.of("a") if not a["href"].startswith("#")]
    files = [link for link in outside if link.startswith("figures/")]
    claims = [link for link in outside if link.startswith("claims/")]
    assert sorted(outside) == sorted(["../index.html", "report.md", *files, *claims])
    assert len(files) == 4 * 9  # each as SVG, PNG, CSV and JSON
    assert len(claims) == 4
    for file in [*files, *claims]:
        assert (folder / file).is_file()
    assert (folder / "report.md").is_file()


def test_links_and_ids_agree(built):
    _, page, _ = built
    ids = re.findall(r'\sid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    for target in re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', page):
        assert "".join(target) in ids


def test_headings_descend_step_by_step(built):
    levels = [level for level, _ in read(built[1]).headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_tables_and_pictures_have_words(built):
    _, page, _ = built
    reader = read(page)
    assert page.count("<table") == page.count("<caption>")
    assert all("scope" in attributes for attributes in reader.of("th"))
    pictures = reader.of("svg")
    assert len(pictures) > 8
    for attributes in pictures:
        assert attributes.get("aria-label") or attributes.get("aria-hidden") == "true"
    assert page.count("<figure") == page.count("<figcaption>") == 9


def test_study_texts_are_shown_and_harmless(built):
    _, page, markdown = built
    assert "<script>alert" not in page
    assert "<b>depth</b>" not in page
    shown = "".join(read(page).text)
    assert 'ReLU beats <script>alert("x")</script> & softmax | by $x_1$ and *far*' in shown
    assert "Does <b>depth</b> pay, at $5 | a_layer?" in shown
    assert "<script" not in markdown
    assert "<b>depth" not in markdown


def test_every_claim_is_answered(built, finished):
    shown = " ".join("".join(read(built[1]).text).split())
    for verdict in finished.verdicts:
        assert verdict.says in shown
        assert verdict.verdict in shown
        for source in verdict.source:
            assert source in shown
    assert "Of 4 claims," in shown
    assert "claimed > 0.01" in shown


def test_the_numbers_are_those_of_the_records(built, finished):
    rows = finished.evidence.confirmation
    values = rows[rows["arm"] == "simple-baseline"]["test.accuracy"]
    shown = "".join(read(built[1]).text)
    assert f"{values.mean():.3f}" in shown
    effect = next(v for v in finished.verdicts if v.id == "relu-beats-softmax").effect
    assert f"{effect:.2f}"[:4] in shown


def test_no_number_is_made_up(built):
    shown = "".join(read(built[1]).text).replace("the training loss became nan", "")
    for word in ("nan", "NaN", "None", "inf ", "Infinity", "{}", "[]"):
        assert word not in shown


def test_what_did_not_complete_is_named_with_its_reason(built):
    _, page, markdown = built
    shown = " ".join("".join(read(page).text).split())
    assert "the training loss became" in shown
    assert "5 trials diverged" in shown
    assert "trials that ended: 5 diverged" in shown
    assert "the training loss became" in markdown


def test_the_plan_and_how_to_repeat_it_are_there(built, finished):
    shown = " ".join("".join(read(built[1]).text).split())
    execution = finished.evidence.execution
    assert execution.plan_hash in shown
    assert "harness run odd-words.yaml" in shown
    assert next(iter(execution.context["fingerprints"].values())) in shown
    assert "learning rate (optimizer.lr) from 0.001 to 0.1" in shown


def test_trials_can_be_found(built, finished):
    _, page, _ = built
    for trial_id in finished.verdicts[0].trials:
        assert f'href="#default-trial-{trial_id}"' in page
        assert f'id="default-trial-{trial_id}"' in page


def test_markdown_tables_are_whole_and_pictures_exist(built):
    folder, _, markdown = built
    width = 0
    for line in markdown.splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert width in (0, cells) or cells == 0
        width = cells
    pictures = re.findall(r"\]\((figures/[^)]*)\)", markdown)
    assert len(pictures) == 9
    for picture in pictures:
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("text", ["a|b", "<i>", "*x*", "[a](b)", "`c`", "line\nbreak", "@user"])
def test_markdown_is_escaped(text):
    escaped = escape_markdown(text)
    assert "\n" not in escaped
    assert not re.search(r"(?<!\\)[|<>*\[\]`@]", escaped)


def test_profiles_have_a_page_each_and_keep_their_figures(both):
    page = (both / "index.html").read_text()
    assert "The same claims in every profile" in page
    pages = {"more": page, "default": (both / "profile-default.html").read_text()}
    for profile in ("default", "more"):  # the first one trained on more
        assert f'id="{profile}"' in pages[profile]
        assert (both / "figures" / profile / "effects.png").is_file()
    assert len(page.encode()) < 600_000
    read(page)
    ids = re.findall(r'\sid="([^"]*)"', page)
    assert len(ids) == len(set(ids))


def contents(folder):
    return {f.relative_to(folder): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_a_rebuild_gives_the_same_bytes_and_needs_no_training_code(finished, both, tmp_path):
    """In another process, time zone and order; each process orders its sets in its own way."""
    script = REBUILD.format(results=str(finished.results), folder=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == []
    assert contents(tmp_path) == contents(both)
    found = [str(name) for name in contents(both)]
    assert sum(name.endswith(".html") for name in found) == 2 + 4  # profiles, claims
    for kind in (".svg", ".png"):
        pictures = [n for n in found if n.startswith("figures") and n.endswith(kind)]
        assert len(pictures) == 2 * 10


def test_every_figure_lies_there_as_svg_and_png(built):
    folder = built[0] / "figures" / "default"
    assert len(list(folder.glob("*.png"))) == len(list(folder.glob("*.svg"))) == 10
    for file in folder.glob("*.svg"):
        root = ElementTree.fromstring(file.read_text())
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert root[0].text
        assert "var(" not in file.read_text()  # a drawing program knows no page's colours


@pytest.mark.usefixtures("one_figure")
def test_many_trials_get_pages_of_their_own_which_claims_point_to(finished, tmp_path, monkeypatch):
    result = finished.profiles["default"]
    build_page([result], tmp_path)
    assert not (tmp_path / "trials").exists()
    with monkeypatch.context() as patch:
        patch.setattr(trials, "MOST_ON_THE_REPORT", 10)
        patch.setattr(trials, "MOST_ON_A_PAGE", 15)
        patch.setattr("harness.report.panels.verdicts.MOST_LINKS", 5)
        build_page([result], tmp_path)
    page = (tmp_path / "index.html").read_text()
    pages = {file.name: file.read_text() for file in (tmp_path / "trials").iterdir()}
    total = len(result.evidence.confirmation)
    assert len(pages) == -(-total // 15)
    assert sum(text.count("<tr id=") for text in pages.values()) == total
    addresses = re.findall(r'href="trials/([^"#]*)#([^"]*)">([^<]*)</a>, 5', page)
    assert {arm for *_, arm in addresses} >= {"relu-1", "softmax-3", "tanh-1"}
    for file, anchor, arm in addresses:
        row = re.search(rf'<tr id="{anchor}".*?</tr>', pages[file], re.DOTALL).group()
        assert f"<td>{arm}</td>" in row
    for text in pages.values():
        read(text)
    build_page([result], tmp_path)
    assert not (tmp_path / "trials").exists()


@pytest.fixture
def one_figure(drawn_only):
    """Draw the effects alone, where the figures are not what is tested."""
    drawn_only("effects")


@pytest.mark.usefixtures("one_figure")
def test_missing_trials_are_a_deviation(finished, tmp_path):
    evidence = without_trials(finished.evidence, "tanh-3")
    build_page(
        [ProfileResult(evidence, finished.verdicts, [("abc", 1, "the worker died")])], tmp_path
    )
    shown = " ".join("".join(read((tmp_path / "index.html").read_text()).text).split())
    assert "planned trials have no record" in shown
    assert "it has no record: the run ended before it" in shown
    assert "the worker died" in shown
    assert "attempt 1" in shown


def test_nothing_but_missing_trials_is_still_a_report(finished, tmp_path):
    evidence = finished.evidence
    for arm in [arm.name for arm in evidence.plan.all_arms]:
        evidence = without_trials(evidence, arm)
    execution = replace(evidence.execution, status="interrupted", ended=None, wall_seconds=None)
    evidence = replace(evidence, execution=execution)
    blank = [
        replace(
            verdict, verdict="incomplete", effect=None, ci_low=None, ci_high=None, p_value=None,
            p_corrected=None, seeds=0, reason="of 10 trials 10 missing", parts=[],
        )
        for verdict in finished.verdicts
    ]  # fmt: skip
    build_page([ProfileResult(evidence, blank, [])], tmp_path)
    shown = " ".join("".join(read((tmp_path / "index.html").read_text()).text).split())
    assert "All 4 claims are incomplete." in shown
    assert "The execution is interrupted, not finished." in shown
    assert "nan" not in shown.replace("the training loss became nan", "")


@pytest.mark.usefixtures("one_figure")
def test_changed_claims_and_duplicates_and_overrides_are_flagged(finished, tmp_path):
    evidence = finished.evidence
    plan = replace(evidence.plan, overrides={"seeds": 5, "workload.model.activation": "re lu"})
    context = {**evidence.execution.context, "duplicates": {"digits": 3}}
    evidence = replace(evidence, plan=plan, execution=replace(evidence.execution, context=context))
    changed = [replace(finished.verdicts[0], changed_after_evidence=True), *finished.verdicts[1:]]
    build_page([ProfileResult(evidence, changed, [])], tmp_path)
    shown = " ".join("".join(read((tmp_path / "index.html").read_text()).text).split())
    assert "changed after its evidence had been seen" in shown
    assert "3 test inputs of digits also stand, byte for byte" in shown
    assert "--set seeds=5 --set 'workload.model.activation=re lu'" in shown
    assert "changed after its evidence" in (tmp_path / "report.md").read_text()


@pytest.mark.usefixtures("one_figure")
def test_figures_that_are_no_longer_drawn_go(finished, tmp_path):
    stale = tmp_path / "figures" / "default" / "old.png"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"")
    other = tmp_path / "figures" / "other" / "kept.png"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"")
    build_page([finished.profiles["default"]], tmp_path)
    assert not stale.exists()
    assert other.exists()


def test_a_report_is_about_one_study(finished, tmp_path):
    with pytest.raises(ValueError, match="one study"):
        build_page([], tmp_path)


def test_inlined_svg_keeps_its_texts_and_loses_only_digits_of_geometry():
    svg = (
        '<?xml version="1.0"?><!DOCTYPE svg><svg width="1pt" height="2pt" viewBox="0 0 1 2">'
        '<metadata>x</metadata><g id="patch_1"><path id="m1" d="M 1.23456 2.34567"'
        ' style="fill: #22272e"/></g><use href="#m1"/><text>0.78055 #a</text></svg>'
    )
    text = inline_svg(svg, "p-", 'a "label"')
    assert text.startswith("<svg role=")
    assert "0.78055 #a" in text
    assert 'd="M1.2 2.3"' in text
    assert "var(--ink)" in text
    (name,) = re.findall(r'<path id="([^"]+)"', text)
    assert f'href="#{name}"' in text
    assert "patch_1" not in text
    assert "metadata" not in text
    assert "&#34;label&#34;" in text


def test_intervals_are_those_of_the_statistics(finished):
    from harness.report.blocks import mean_cell
    from harness.stats.intervals import t_interval

    values = np.array([0.91, 0.93, 0.92, 0.954])
    low, high = t_interval(values)
    assert mean_cell(values, "").text == f"0.929 [{low:.3f}, {high:.3f}]"
    assert mean_cell(np.array([]), "why").reason == "why"
    assert mean_cell(np.array([0.5]), "").text == "0.5000"
