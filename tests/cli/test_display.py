"""The progress display: what a person sees at 80 columns, and what a log gets."""

import io
from collections import Counter

import pytest
from rich.console import Console

from harness.cli.display import MOST_TROUBLES, Display
from harness.cli.tally import Tally, pace
from harness.judged import Verdict
from harness.plan import Assignment
from harness.run.observer import Closing, Opening
from harness.run.prepare import prepare
from harness.study import load_study
from harness.trial import Phase, Record, State, Trial
from harness.workloads import data_root


@pytest.fixture
def plan(tiny):
    return prepare(load_study(tiny), data_root())


def assignment(arm, seed, phase=Phase.CONFIRMATION):
    return Assignment(Trial({"model": arm}, seed, phase, "data", "code"), arm, phase, None, {})


def told(display, plan, *, records=(), closing=None):
    opening = Opening(plan, 1, plan.trial_counts())
    display.opened(opening)
    for item, state, value in records:
        display.started(item)
        metrics = {} if value is None else {"validation.accuracy": value}
        record = Record(item.trial, state, "Traceback\nValueError: [boom]", metrics)
        display.finished(record, [item], False)
    if closing is not None:
        display.closed(closing)


def terminal(columns=80):
    return Console(file=io.StringIO(), width=columns, force_terminal=True, color_system=None)


SOME = [
    (assignment("relu", 0, Phase.SEARCH), State.COMPLETE, 0.9),
    (assignment("relu", 1), State.COMPLETE, 0.7),
    (assignment("tanh", 0, Phase.SEARCH), State.COMPLETE, 0.75),
    (assignment("sigmoid", 0, Phase.SEARCH), State.DIVERGED, None),
    (assignment("sigmoid", 1, Phase.SEARCH), State.FAILED, None),
]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_picture_has_phases_pace_leader_and_troubles(plan, tmp_path, columns):
    console = terminal(columns)
    display = Display(tmp_path, console=console)
    told(display, plan, records=SOME)
    shown = Console(file=io.StringIO(), width=columns)
    shown.print(display._picture())
    display.closed(Closing("interrupted", Counter(reused=0), 1.0, (), None))
    lines = shown.file.getvalue().splitlines()
    assert max(map(len, lines)) <= columns
    text = "\n".join(lines)
    assert "search" in text
    assert "4/12" in text
    assert "1/25" in text
    assert "best so far: relu" in text
    assert "1 diverged, 1 failed" in text


def test_a_log_gets_whole_lines_and_no_control_codes(plan, tmp_path, monkeypatch):
    monkeypatch.setattr("harness.cli.display.SECONDS_BETWEEN_LINES", -1.0)
    console = Console(file=io.StringIO(), width=40)
    told(Display(tmp_path, console=console), plan, records=SOME)
    text = console.file.getvalue()
    assert "\x1b" not in text
    assert "failed sigmoid, seed 1: ValueError: [boom]" in text
    last = text.splitlines()[-1]
    assert "search 4/12" in last
    assert "best so far: relu, validation accuracy 0.800" in last
    assert "1 diverged, 1 failed" in last


def test_many_failures_do_not_fill_the_screen(plan, tmp_path):
    console = Console(file=io.StringIO(), width=80)
    broken = [(assignment("relu", n), State.FAILED, None) for n in range(50)]
    told(Display(tmp_path, console=console), plan, records=broken)
    assert console.file.getvalue().count("boom") == MOST_TROUBLES


def test_a_run_ends_with_verdicts_and_where_to_look_next(plan, tmp_path):
    verdict = Verdict(
        "a", "tiny", "default", "ReLU beats sigmoid", [], "supported",
        0.25, 0.125, 0.5, 0.01, 0.02, 5, [], "paired difference", "> 0.05", "",
    )  # fmt: skip
    report = tmp_path / ("a-long-name-" * 8) / "tiny"
    closing = Closing("finished", Counter(complete=5, reused=0), 61.0, [verdict], report)
    console = terminal()
    told(Display(tmp_path, console=console), plan, records=SOME, closing=closing)
    text = console.file.getvalue()
    assert "5 trials ran, 0 were reused; 1 min 01 s" in text
    assert "1 claim: 1 supported" in text
    assert f"report: {report / 'index.html'}" in text, "a path on one line can be copied"
    assert f"ui --results {tmp_path}" in text
    assert f"trial {SOME[-1][0].trial.id}" in text


def test_the_time_left_follows_the_work_and_not_the_reused(plan):
    now = [0.0]
    tally = Tally(plan, plan.trial_counts(), clock=lambda: now[0])
    total = sum(plan.trial_counts().values())
    items = [assignment("relu", n, Phase.SEARCH) for n in range(total)]
    for item in items[:10]:
        tally.finish(Record(item.trial, State.COMPLETE), [item], True)
    assert tally.seconds_left() is None
    before = tally._left
    for item in items[10:20]:
        tally.start(item)
        now[0] += 1.0
        tally.finish(Record(item.trial, State.COMPLETE), [item], False)
    assert tally.per_second() == pytest.approx(1.0)
    done = before - tally._left
    assert tally.seconds_left() == pytest.approx(10.0 * tally._left / done)


@pytest.mark.parametrize(
    ("per_second", "said"),
    [(12.345, "12.3 trials/s"), (0.5, "30 trials/min"), (0.001, "3.6 trials/h")],
)
def test_a_pace_is_told_in_the_unit_that_fits(per_second, said):
    assert pace(per_second) == said
