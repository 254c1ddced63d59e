"""What probes found in a report, and model cards."""

import math
from dataclasses import replace

import pytest
import yaml
from artifact_examples import NAMES, with_artifacts

from harness.report import build_page
from harness.report.card import card_of, write_card
from harness.report.panels.inside import written
from harness.study import InputError


@pytest.fixture(scope="module")
def result(finished):
    plain = finished.profiles["default"]
    return replace(plain, evidence=with_artifacts(plain.evidence))


def test_pictures_and_texts_have_a_section_of_their_own(result, built, tmp_path, drawn_only):
    drawn_only("inside")
    folder = build_page([result], tmp_path / "report")
    page, text = ((folder / name).read_text() for name in ("index.html", "report.md"))
    assert 'id="default-inside"' in page
    assert 'href="#default-inside"' in page
    assert "### Inside the networks" in text
    for name in NAMES:
        assert f"figures/default/{name}.png" in text
        assert (folder / "figures" / "default" / f"{name}.png").is_file()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "Once &lt;/blockquote&gt;" in page
    assert "\n# no heading\n```\n" in text  # inside the block of code, which nothing ended before
    assert " a ``` time" not in text
    _, plain_page, plain_text = built
    assert "inside-gradient-norms.png" in plain_text  # which its study asks for
    assert not [name for name in NAMES if name in plain_page + plain_text]
    assert "Temperature" not in plain_page + plain_text


def test_texts_stand_beside_the_perplexity_of_their_network(result):
    samples = written(result.evidence)
    rows = result.evidence.confirmation
    first = rows[(rows["arm"] == result.evidence.plan.arms[0].name) & (rows["seed"] == 0)].iloc[0]
    assert len(samples) == 4
    assert samples[0].temperature == "0.50"
    assert samples[0].heading.startswith(f"{first['arm']}, seed 0: perplexity ")
    told = samples[0].heading.partition("perplexity ")[2].split(" ")
    assert float(told[0]) == pytest.approx(math.exp(first["train.loss"]), rel=0.01)
    assert float(told[6]) == pytest.approx(math.exp(first["test.loss"]), rel=0.01)


SECTIONS = [
    "Model details",
    "Intended use",
    "Factors",
    "Metrics",
    "Evaluation data",
    "Training data",
    "Quantitative analyses",
    "Ethical considerations",
    "Caveats and recommendations",
    "How to reproduce it",
]


def test_a_card_says_what_records_know(result, tmp_path):
    card = card_of(result)
    file = write_card(card, tmp_path / "cards")
    text = file.read_text()
    _, front, body = text.split("---\n", 2)
    metadata = yaml.safe_load(front)
    (index,) = metadata["model-index"]
    assert index["name"] == f"odd-words-default-{card.arm}"
    (measured,) = index["results"]
    rows = result.evidence.confirmation
    values = rows[rows["arm"] == card.arm]["test.accuracy"]
    assert measured["metrics"][0]["value"] == pytest.approx(values.mean(), abs=1e-6)
    assert measured["dataset"]["split"] == "test"
    assert [line[3:] for line in body.splitlines() if line.startswith("## ")] == SECTIONS
    assert "of all arms the one with the best mean validation accuracy" in body
    assert f"{values.mean():.2f}"[:3] in body
    for verdict in result.verdicts:
        assert f"**{verdict.verdict}**" in body
    assert all(id_ in body for id_ in rows[rows["arm"] == card.arm]["trial_id"])
    assert "optimizer.lr = " in body
    assert text == write_card(card, tmp_path / "cards").read_text()


def test_hostile_words_are_harmless_in_a_card(result, tmp_path):
    file = write_card(card_of(result), tmp_path)
    page = file.with_suffix(".html").read_text()
    assert "<script" not in file.read_text()
    assert "<script" not in page
    assert "<b>depth</b>" not in page
    assert "<h2>Quantitative analyses</h2>" in page
    assert page.count("<table>") >= 1


def test_any_arm_has_a_card_with_recall_by_class_where_it_was_kept(result):
    arms = [arm.name for arm in result.evidence.plan.arms]
    assert card_of(result, arms[0]).by_class is not None
    assert card_of(result, arms[-2]).by_class is None
    recall = {row[0].text: row[1].text for row in card_of(result, arms[0]).by_class.rows}
    assert recall["1"] == "1.000"
    assert recall["3"].startswith("0.7")


def test_a_card_needs_an_arm_that_has_completed(result):
    with pytest.raises(InputError, match="no confirmation trial of arm hot has completed"):
        card_of(result, "hot")
    with pytest.raises(InputError, match=r"has no arm 'hott'; did you mean 'hot'\?"):
        card_of(result, "hott")
