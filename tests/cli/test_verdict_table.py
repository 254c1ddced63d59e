"""The table of verdicts in a terminal of 80 columns."""

from io import StringIO

from rich.console import Console

from harness.cli.verdict_table import print_verdicts
from harness.judged import Verdict


def test_the_seeds_of_a_claim_are_seen_however_long_its_words_are():
    out = StringIO()
    verdict = Verdict(
        "c", "s", "quick", "A claim, and its scale: 33,930 parameters, " * 5, [], "refuted",
        -0.0303, -0.0423, -0.017, 0.99, 1e-9, 17, [], "", "", "",
        refutation="opposite", interval_over="seeds",
    )  # fmt: skip
    print_verdicts([verdict], Console(file=out, width=80))
    header, first, *_ = out.getvalue().splitlines()
    assert header.split()[-1] == "seeds"
    assert first.split()[-1] == "17"
    assert "< 0.0001" in first
