"""Whatever study is accepted, every part of its report can be drawn.

Random designs with synthetic records. `HARNESS_DESIGNS=500` tries more of them than a usual run.
"""

import os
import random
import re
import warnings

import pytest

from harness.evidence import gather
from harness.figures import Picture
from harness.judge import judge
from harness.judged import Verdict
from harness.plan import SIMPLE_BASELINE, Winner, make_plan
from harness.report import ProfileResult, arranged, build_page, build_scoreboard, export
from harness.store import AssignedRecord, Execution
from harness.study import InputError, load_study
from harness.trial import Phase, Record, State

DESIGNS = int(os.environ.get("HARNESS_DESIGNS", "10"))
NASTY = [
    "a-b", "a/b", "../up", "$x_1$", "$", "_", "100%", "{}", "<b>&amp;", "ß", "学习", "αβ", "été",
    "a|b", "`code`", "\\frac{1}{2}", "  space  ", "x" * 120, '"quoted"', "it's", "#", "a,b", "=1+1",
    "true", "null", "1e5", "🙂", "two\nlines", "-", "~", "*bold*", "[link](x)", "nan",
]  # fmt: skip
SCALARS = [None, True, False, 0, 1, -3, 10**12, 0.5, 1.0, 1e-12, 1e300, -0.1, *NASTY]
DESIGN_NAMES = [
    "factorial",
    "factorial",
    "one-at-a-time",
    "one-at-a-time",
    "leave-one-out",
    "half-fraction",
    "explicit",
]
SCALES = [1.0, 1.0, 1.0, 0.0, 1e-12, 1e-300, 1e9, 1e150, 1e300]
"""Of a metric's values; 0 makes it constant."""


@pytest.fixture(autouse=True)
def _quick(monkeypatch, tmp_path):
    (tmp_path / "synthetic.py").write_text("def train(config, report):\n    report({})\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("harness.figures._style.PNG_DPI", 30)  # nothing that is tested needs more


@pytest.mark.parametrize("number", range(DESIGNS))
def test_every_part_of_every_design_is_drawn(number, tmp_path, monkeypatch):
    if number % 5:  # the same panels as in the SVG
        monkeypatch.setattr(Picture, "png", lambda picture: b"")
    check(number, tmp_path)


def check(number, tmp_path):
    """Draw everything of a design, and see that nothing is left out and all names are safe."""
    results = [result_of(number, name) for name in ("default", "more")[: 1 + (number % 5 == 1)]]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # as matplotlib's, of a text without a glyph
        folder = build_page(results, tmp_path / "report")
        build_scoreboard(arranged(results), tmp_path / "board")
        if number % 5 == 0:  # to embed fonts in a PDF takes longer than all else
            export(results[:1], tmp_path / "export")
    assert [result.left_out for result in results] == [{}] * len(results)
    page = (folder / "index.html").read_text()
    ids = re.findall(r'\sid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert not [id_ for id_ in ids if not re.fullmatch(r"[\w.:+-]+", id_)]
    for verdict in results[0].verdicts:
        assert verdict.verdict in page
    names = [file.name for file in tmp_path.rglob("*") if file.is_file()]
    assert all(re.fullmatch(r"[A-Za-z0-9_.+-]+", name) for name in names)
    assert "could not be drawn" not in page + (folder / "report.md").read_text()


# --- designs and their records ------------------------------------------------------------------
def result_of(number: int, profile: str) -> ProfileResult:
    """Return a design with records, judged."""
    dice = random.Random(f"{number}")
    loaded = None
    while loaded is None:
        try:
            loaded = load_study(_study(dice))
        except InputError:  # refused, as it should be; another one
            continue
    plan = make_plan(loaded.study, loaded.arms, profile=profile)
    dice = random.Random(f"{number} {profile}")
    items = _records(plan, dice)
    moments = {"started": 1e9, "ended": dice.choice([None, 1e9 + 60])}
    execution = Execution(
        1, plan.study.study, profile, plan.hash, plan.declaration,
        {"file": "", "environment": {"code": "abc"}, "duplicates": {}}, **moments,
        status="finished", wall_seconds=60.0,
    )  # fmt: skip
    lost = [(items[0].trial_id, 1, "worker: <gone> $x$")] if dice.random() < 0.3 else []
    evidence = gather(_Source(items), execution)
    verdicts: list[Verdict] = judge(evidence)
    return ProfileResult(evidence, verdicts, lost)


class _Source:
    def __init__(self, items):
        self._items = items

    def assigned_records(self, execution):
        return self._items

    def lost_attempts(self, trial_ids):
        return []

    def outcomes(self, trial_ids):
        return {}


def _study(dice: random.Random) -> dict:
    own = dice.random() < 0.7
    factors, settings = {}, {}
    design = dice.choice(DESIGN_NAMES)
    for place in range(dice.randint(1, 4)):
        name = dice.choice(["f", "F.x", "f_", "f+", "long-name-of-a-factor-"]) + str(place)
        count = 2 if design in ("leave-one-out", "half-fraction") else dice.randint(1, 4)
        if own:
            levels = dice.sample(dice.choice([SCALARS, SCALARS[: -len(NASTY)]]), count)
            settings[name] = levels[0] if dice.random() < 0.5 else "other"
            factors[name] = {
                "path": f"training.settings.{name.replace('.', '-')}",
                "levels": levels,
            }
            settings = {key.replace(".", "-"): value for key, value in settings.items()}
        else:
            chosen = dice.choice(_COMMON)
            levels = list(chosen["levels"])[:count]
            if isinstance(chosen["levels"], dict):
                levels = {label: chosen["levels"][label] for label in levels}
            factors[name] = {**chosen, "levels": levels}
    training = {"name": "synthetic:train", "settings": settings}
    study = {
        "study": "any-design",
        "question": f"Does {dice.choice(NASTY)} matter?",
        "workload": {"data": "digits", "epochs": 3}
        | ({"training": training} if own else {"model": "mlp", "optimizer": "adam", "clip": 1.0}),
        "factors": {} if design == "explicit" else factors,
        "design": design,
        "seeds": dice.choice([5, 6, {"start": 5, "step": 1, "max": 7}]),
        "simple_baseline": dice.choice(["auto", "none"]),
    }
    if not own:
        study["probes"] = ["gradient_norms"]
    if design == "explicit" or dice.random() < 0.3:
        where = "training.settings.own" if own else "model.width"
        study["arms"] = {f"Named_{i}.{i}+": {where: 8 + i} for i in range(dice.randint(1, 3))}
    if own and study.get("arms"):
        settings["own"] = 0
    if dice.random() < 0.4:
        path = "training.settings.searched" if own else "optimizer.weight_decay"
        settings["searched"] = 0.1
        kinds = [{"log": [1e-4, 0.1]}, {"uniform": [0.0, 0.1]}]
        kinds += [{"choice": dice.sample(SCALARS, 3)}] if own else []
        study["search"] = {"space": {path: dice.choice(kinds)}, "candidates": 2,
                           "repeats": dice.choice([1, 2])}  # fmt: skip
    if dice.random() < 0.8:
        study["claims"] = _claims(dice, study)
    return study


_COMMON = [
    {"path": "model.activation", "levels": ["relu", "tanh", "gelu"]},
    {"path": "model.depth", "levels": [1, 2, 3, 4]},
    {"path": "clip", "levels": [None, 1.0]},
    {"path": "model.dropout", "levels": [0.0, 0.5]},
    {"path": "keep", "levels": ["best", "last"]},
    {"levels": {"sgd": {"optimizer": "sgd"}, "0.5": {"optimizer.lr": 0.5}}},
]


def _claims(dice: random.Random, study: dict) -> list[dict]:
    says, source = dice.choice(NASTY), dice.sample(NASTY, 2)
    claims = []
    for name, factor in study["factors"].items():
        levels = list(factor["levels"])
        if len(levels) > 1:
            measure = dice.choice(["contrast", "ratio"])
            test = {measure: {name: levels[:2]}, "metric": "test.accuracy"}
            claims.append(test | {dice.choice(["greater_by", "less_by", "differs_by"]): 0.01})
        claims.append({"of": {name: levels[0]}, "metric": "test.loss", "above": 0.1})
    for name in study.get("arms", {}):
        claims.append({"of": {"arm": name}, "metric": "cost.epochs", "between": [0.1, 0.9]})
    chosen = dice.sample(claims, min(len(claims), dice.randint(1, 3)))
    return [
        {"id": f"c-{i}", "says": says, "source": source, **claim} for i, claim in enumerate(chosen)
    ]


def _records(plan, dice: random.Random) -> list[AssignedRecord]:
    scales = {name: dice.choice(SCALES) for name in ("accuracy", "loss")}
    trouble = dice.choice([0.0, 0.0, 0.0, 0.02, 0.1, 0.6, 1.0])
    packs = dice.choice([(1,), (4,), (1, 8)])
    seeds = range(dice.choice([1, 2, *[plan.study.first_seeds] * 6]))
    items = []
    for arm in plan.all_arms:
        winners, space = [Winner(None, {})], plan.space(arm)
        assignments = []
        if space is not None:
            tried = [
                {path: _value(dimension, dice) for path, dimension in space.dimensions.items()}
                for _ in range(plan.study.search.candidates)
            ]
            for index, parameters in enumerate(tried):
                assignments += plan.search_trials(arm, index, parameters)
            winners = [Winner(i, tried[i % len(tried)]) for i in range(plan.study.search.repeats)]
        assignments += plan.confirmation_trials(arm, winners)
        for item in assignments:
            if item.phase is Phase.CONFIRMATION and item.trial.seed not in seeds:
                continue
            size = 1 if arm.name == SIMPLE_BASELINE else dice.choice(packs)
            record = _record(item.trial, dice, scales, (trouble, size))
            items.append(
                AssignedRecord(arm.name, item.phase, item.candidate, item.parameters,
                               item.trial.seed, dice.random() < 0.2, item.trial.id, record)
            )  # fmt: skip
    return items


def _value(dimension, dice: random.Random):
    if "choice" in dimension:
        return dice.choice(dimension["choice"])
    low, high = next(iter(v for k, v in dimension.items() if k in ("log", "uniform", "integer")))
    return dice.uniform(low, high)


def _record(trial, dice, scales, how) -> Record | None:
    trouble, size = how
    if dice.random() < trouble:
        state = dice.choice([State.FAILED, State.DIVERGED, None])
        reason = "Traceback\nValueError: <b> $x_1$"
        return None if state is None else Record(trial, state, reason, started=1.0, ended=2.0)
    metrics = {
        f"{part}.{name}": scale * (1 + dice.random()) if scale else 0.5
        for part in ("test", "validation", "train")
        for name, scale in scales.items()
    }
    curve = [{"epoch": epoch, "train.loss": 1.0, "validation.accuracy": metrics[
        "validation.accuracy"] / epoch} for epoch in (1, 2, 3)]  # fmt: skip
    if trial.phase is Phase.SEARCH:
        metrics = {k: v for k, v in metrics.items() if not k.startswith("test.")}
    elif dice.random() < 0.5:
        metrics["probe.step_time"] = 1e-3
    norms = [dice.choice([0.0, 1e-30, 1.0]), 1.0, 1e30]
    details = {f"probe.gradient_norms_{moment}": norms for moment in ("start", "end")}
    cost = {"seconds": dice.choice([0.0, 1e-9, 3.0, 1e7]), "steps": 30.0, "epochs": 3.0,
            "parameters": 100.0, "step_seconds": 0.1, "pack_size": float(size)}  # fmt: skip
    return Record(trial, State.COMPLETE, "", metrics, tuple(curve), details, cost,
                  selected_epoch=dice.choice([None, 1]), environment={"device": "cpu"},
                  started=1.0, ended=2.0)  # fmt: skip
