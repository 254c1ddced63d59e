"""The answer to a claim as a picture, as Markdown and in a terminal."""

import io
from dataclasses import replace

import pytest
from PIL import Image

from harness.cli.app import run
from harness.figures.common_axis import CommonAxis, on_one_axis
from harness.report.answer_card import AnswerCard, strip_of_letters
from harness.report.answers import answers


@pytest.fixture
def row(finished):
    return replace(
        finished.verdicts[0], effect=0.3, ci_low=0.2, ci_high=0.4, claimed=((0.1, float("inf")),),
        neutral=0.0, verdict="supported", refutation="",
    )  # fmt: skip


@pytest.fixture
def card(finished):
    (answer, *_) = answers(finished.evidence, finished.verdicts)
    return AnswerCard(answer, finished.evidence.plan.study.question)


def test_the_picture_has_the_size_that_other_sites_show_and_the_same_bytes(card):
    png = card.png()
    assert Image.open(io.BytesIO(png)).size == (1200, 630)
    assert card.png() == png


def test_markdown_can_be_pasted_and_holds_no_tags(card):
    text = card.markdown("card.png")
    assert all(line.startswith(">") for line in text.splitlines())
    assert "<script" not in text
    assert card.answer.sentence.split(" is ")[0] in text
    assert "](card.png)" in text
    assert "](" not in card.markdown()


def test_a_terminal_shows_the_effect_beside_the_claimed_bound(card, row):
    lines = card.lines()
    assert card.answer.row.says in lines[0]
    assert any("interval" in line for line in lines)
    drawn = strip_of_letters(row)  # from one half-width above the bound to three
    assert len(drawn) == 41
    assert drawn[20] == "┆"
    assert (drawn.index("━"), drawn.rindex("━"), drawn.index("●")) == (25, 35, 30)
    assert drawn[:20] == "·" * 20
    far = replace(row, effect=9.0, ci_low=8.9, ci_high=9.1)
    assert strip_of_letters(far).endswith("●▸")
    assert strip_of_letters(replace(row, effect=None, ci_low=None, ci_high=None)) == ""


def test_all_claims_stand_on_one_axis(finished, row):
    placed = on_one_axis(row)
    assert (placed.effect, placed.ci_low, placed.ci_high) == pytest.approx((2.0, 1.0, 3.0))
    other = replace(row, id="other", effect=300.0, ci_low=200.0, ci_high=400.0,
                    claimed=((100.0, float("inf")),))  # fmt: skip
    far = replace(row, id="far", effect=-9.0, ci_low=-9.1, ci_high=-8.9, verdict="refuted")
    none = replace(row, id="none", effect=None, ci_low=None, ci_high=None)
    picture = CommonAxis().draw(finished.evidence, [row, other, far, none])
    numbers = [(d["claim"], d["half_widths_from_bound"]) for d in picture.data]
    assert numbers[0][1] == pytest.approx(numbers[1][1]) == pytest.approx(2.0)
    axes = picture.panels[0].axes[0]
    heads = [line for line in axes.lines if line.get_marker() == "<"]
    assert [line.get_xdata()[0] for line in heads] == [axes.get_xlim()[0]]
    assert "not shown: 1 claim" in picture.caption
    assert CommonAxis().draw(finished.evidence, [row]) is None


def test_the_command_shows_one_claim_and_writes_its_picture(finished, tmp_path, capsys):
    there = ["--results", str(finished.results)]
    file = tmp_path / "card.png"
    ask = ["claims", "odd-words", "--claim", "relu-beats-softmax", *there]
    assert run([*ask, "--png", str(file)]) == 0
    shown = capsys.readouterr().out
    assert shown.count("relu-beats-softmax") == 2  # in both profiles
    assert "relu-loses" not in shown
    assert Image.open(file).size == (1200, 630)
    assert run([*ask, "--markdown"]) == 0
    assert capsys.readouterr().out.startswith("> **")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--claim", "relu-beats-softmx"], "relu-beats-softmax"),
        (["--png", "card.png"], "--png goes with --claim"),
        (["--claim", "relu-loses", "--png", "no/such/card.png"], "cannot be written"),
    ],
)
def test_bad_input_is_told(finished, tmp_path, monkeypatch, capsys, asked, said):
    monkeypatch.chdir(tmp_path)
    assert run(["claims", "odd-words", *asked, "--results", str(finished.results)]) != 0
    assert said in capsys.readouterr().err
