"""Another package's measure, hypothesis, design, sampler and pruner: one file, up to a verdict."""

import json
import math
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import qmc

from harness import plugins
from harness.cli.app import run
from harness.evidence import Evidence
from harness.judge.measures import numbers_per_seed
from harness.plan import make_plan
from harness.registry import DESIGNS, HYPOTHESES, MEASURES, PRUNERS, SAMPLERS
from harness.run.results import open_results
from harness.search import Tried, next_round, stop_rules
from harness.store import Execution
from harness.study import InputError, load_study, study_from_dict

CODE = '''
import itertools
import math
from typing import ClassVar, Literal

import numpy as np
from pydantic import ConfigDict, Field, RootModel
from scipy.stats import qmc

from harness.components import Component
from harness.designs.base import Design
from harness.hypotheses.base import Hypothesis
from harness.measures.base import Measure
from harness.measures.contrast import Contrast
from harness.pruners.base import Pruner
from harness.samplers.base import Sampler
from harness.stats.hypotheses import Alternative, Greater


class MedianDifference(Contrast):
    """The difference of the medians of two sides, whose arms one outlier cannot move."""

    name: ClassVar = "median_difference"

    def side(self, table, across):
        """Whatever `across` says."""
        return table.median(axis=1)


class Odds(Component, Measure):
    """The log odds of a share, over these arms."""

    name: ClassVar = "odds"
    log: ClassVar = True
    neutral: ClassVar = 1.0
    arms: dict[str, int] = Field(description="by their levels")

    def groups(self, factors):
        """One."""
        return [[self.arms]]

    def reduce(self, sides, factors, metric):
        """The logit."""
        return np.log(sides[0] / (1 - sides[0]))

    def words(self, arms):
        """In short."""
        return "odds"


class Sign(Alternative):
    """The sign test: most seeds are above a value."""

    def __init__(self, value):
        self.value = value

    def p_value(self, values, generator):
        above = int((values > self.value).sum())
        n = len(values)
        return sum(math.comb(n, k) for k in range(above, n + 1)) / 2**n

    def holds(self, low, high):
        return low > self.value

    def fails(self, low, high):
        return high <= self.value


class Mostly(RootModel[float], Hypothesis):
    """effect above this value on most seeds, by the sign test"""

    model_config = ConfigDict(frozen=True)
    name: ClassVar = "mostly_above"

    def alternative(self, log):
        return Sign(math.log(self.root) if log else self.root)

    def ranges(self, log):
        return ((self.root, math.inf),)

    def words(self, log):
        return f"mostly > {self.root:g}"

    def refusal(self, log):
        return "no odds are negative" if log and self.root <= 0 else None


class Extremes(Design):
    """Every combination of first and last levels."""

    name: Literal["first-and-last"]
    partial: ClassVar = True

    def combinations(self, levels, baseline):
        """Leave out what lies between."""
        ends = [dict.fromkeys((options[0], options[-1])) for options in levels.values()]
        return [dict(zip(levels, chosen)) for chosen in itertools.product(*ends)]


class Halton(Sampler):
    """Points that fill the space evenly: a Halton sequence, in logarithms."""

    name: Literal["halton"]
    skip: int = Field(0, ge=0, description="points of the sequence that are left out")

    def refusals(self, space):
        """It knows logarithmic ranges."""
        for path, dimension in space.items():
            if "log" not in dimension:
                yield (path,), "halton asks logarithmic ranges"

    def ask(self, space, history, count):
        sequence = qmc.Halton(len(space.dimensions), scramble=False)
        points = sequence.random(self.skip + len(history) + count)[self.skip + len(history):]
        ranges = [(path, *d["log"]) for path, d in space.dimensions.items()]
        return [
            {path: float(a * (b / a) ** x) for (path, a, b), x in zip(ranges, point)}
            for point in points
        ]


class MedianStop(Pruner):
    """Stop what is worse than the median after every epoch (Golovin et al. 2017)."""

    name: Literal["median_stop"]
    first: int = Field(1, ge=1, description="epochs before the first decision")

    def rungs(self, bracket, epochs):
        return list(range(self.first, epochs))

    def threshold(self, values):
        return values[len(values) // 2] if values else None
'''
POINTS = """
[harness.measures]
median_difference = acme_judge:MedianDifference
odds = acme_judge:Odds
[harness.hypotheses]
mostly_above = acme_judge:Mostly
[harness.designs]
first-and-last = acme_judge:Extremes
[harness.samplers]
halton = acme_judge:Halton
[harness.pruners]
median_stop = acme_judge:MedianStop
"""
STUDY = """
study: others
question: Do the things of another package work?
workload:
  data: {name: digits, limit: 300}
  model: {name: mlp, depth: 1}
  optimizer: adam
  epochs: 4
factors:
  width: {path: model.width, levels: [2, 8, 64]}
  rate: {path: optimizer.lr, levels: [1.0e-4, 3.0e-3, 1.0e-2]}
design: first-and-last
search:
  space: {optimizer.weight_decay: {log: [1.0e-6, 1.0e-2]}}
  sampler: {name: halton, skip: 3}
  candidates: 4
  round: 2
  pruning: {name: median_stop}
seeds: 6
claims:
  - {id: wide, says: Wide is better, metric: test.accuracy,
     median_difference: {width: [64, 2]}, greater_by: 0.05}
  - {id: never, says: Narrow is better, metric: test.accuracy,
     median_difference: {width: [2, 64], at: {rate: 1.0e-2}}, mostly_above: 0}
  - id: both
    says: Both
    all_of:
      - {metric: test.accuracy, odds: {arms: {width: 64}}, mostly_above: 0.5}
      - {metric: test.accuracy, contrast: {rate: [1.0e-2, 1.0e-4]}, mostly_above: 0}
"""
KINDS = {"measures": "median_difference", "hypotheses": "mostly_above", "designs": "first-and-last",
         "samplers": "halton", "pruners": "median_stop"}  # fmt: skip


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a package that registers the things, by its metadata; return a folder to work in."""
    site = tmp_path / "site"
    info = site / "acme_judge-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "acme_judge.py").write_text(textwrap.dedent(CODE))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-judge\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.chdir(tmp_path)
    plugins._read.cache_clear()
    (tmp_path / "others.yaml").write_text(STUDY)
    return tmp_path


def changed(folder, *pairs):
    text = STUDY
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    file = folder / "changed.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("kind", [MEASURES, HYPOTHESES, DESIGNS, SAMPLERS, PRUNERS])
def test_every_built_in_thing_says_what_it_is_and_bears_the_name_of_its_module(kind):
    for name in kind.own():
        thing = kind.find(name)
        assert thing.__doc__
        assert thing.__module__ == f"{kind.package}.{name.replace('-', '_')}"


@pytest.mark.parametrize(("kind", "name"), KINDS.items())
def test_another_package_s_things_are_listed(kind, name, installed, capsys):
    assert run(["list", kind]) == 0
    assert f"{name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([("median_difference: {width: [64", "median_diference: {width: [64")],
         "did you mean 'median_difference'"),
        ([("mostly_above: 0.5", "mostly_abov: 0.5")], "did you mean 'mostly_above'"),
        ([("design: first-and-last", "design: first-and-lost")],
         "'first-and-lost' is not one of .*did you mean 'first-and-last'"),
        ([("name: halton", "name: haltn")], "'haltn' is not one of .*did you mean 'halton'"),
        ([("skip: 3", "skp: 3")], r"search.sampler.skp: unknown key 'skp'"),
        ([("skip: 3", "skip: -3")], r"search.sampler.skip: .*greater than or equal to 0"),
        ([("name: median_stop", "name: median_stp")], "did you mean 'median_stop'"),
        ([("{log: [1.0e-6, 1.0e-2]}", "{uniform: [0.0, 0.1]}")], "halton asks logarithmic ranges"),
        ([("mostly_above: 0.5", "mostly_above: -1")], "claims.2..all_of.0..mostly_above: no odds"),
        ([("{width: [64, 2]}", "{width: [64, 3]}")],
         "claims.0..median_difference: factor 'width' has no level '3'"),
        ([("mostly_above: 0.5", "mostly_above: 0.5, above: 0.1")],
         "claims.2..all_of.0.: needs exactly one hypothesis .*found above and mostly_above"),
        ([("odds: {arms: {width: 64}}", "odds: {arms: {width: wide}}")],
         "claims.2..all_of.0..odds.arms.width: expected a whole number"),
    ],
)  # fmt: skip
def test_mistakes_are_explained_like_those_with_built_in_things(pairs, said, installed):
    with pytest.raises(InputError, match=said):
        load_study(changed(installed, *pairs))


def test_a_study_that_was_stored_is_read_back_as_it_was(installed):
    study = load_study(Path("others.yaml")).study
    stored = study.model_dump(mode="json", exclude_unset=True)
    assert stored["design"] == "first-and-last"
    assert stored["search"]["sampler"] == {"name": "halton", "skip": 3}
    assert stored["claims"][0]["median_difference"] == {"width": [64, 2]}
    assert stored["claims"][2]["all_of"][1]["mostly_above"] == 0
    again, arms = study_from_dict(stored)
    assert again.model_dump(mode="json", exclude_unset=True) == stored
    assert [arm.name for arm in arms] == ["2-0.0001", "2-0.01", "64-0.0001", "64-0.01"]
    assert (
        load_study(Path("others.yaml"), None, ["search.sampler=tpe"]).study.model_dump(mode="json")[
            "search"
        ]["sampler"]
        == "tpe"
    )


def test_the_sampler_asks_and_the_pruner_stops(installed):
    loaded = load_study(Path("others.yaml"))
    plan = make_plan(loaded.study, loaded.arms)
    space = plan.space(plan.arms[0])
    first = next_round(space, [])
    points = qmc.Halton(1, scramble=False).random(5)[3:, 0]
    asked = [candidate["optimizer.weight_decay"] for candidate in first]
    assert asked == pytest.approx([1e-6 * 1e4**x for x in points])
    curves = [(0.2, 0.4, 0.5, 0.6), (0.1, 0.2, 0.8, 0.9)]
    history = [
        Tried(parameters, curve[-1], 4, False, (curve,))
        for parameters, curve in zip(first, curves, strict=True)
    ]
    (rules,) = stop_rules(space, history, 2, 4)
    assert space.metric.goal == "maximize"  # the second best of two is the lower one
    lower = [min(values) for values in zip(*curves, strict=True)]
    assert [(rule["epoch"], rule["worse_than"]) for rule in rules] == list(enumerate(lower, 1))[:3]


def test_a_side_that_gives_not_one_number_per_seed_is_told(installed, monkeypatch):
    code = installed / "site" / "acme_judge.py"
    code.write_text(code.read_text().replace("median(axis=1)", "median(axis=0)"))
    monkeypatch.delitem(sys.modules, "acme_judge", raising=False)
    loaded = load_study(Path("others.yaml"))
    plan = make_plan(loaded.study, loaded.arms)
    rows = [
        {"arm": arm.name, "seed": seed, "phase": "confirmation", "state": "complete",
         "trial_id": f"{arm.name}-{seed}", "test.accuracy": seed / 10}
        for arm in plan.arms for seed in range(6)
    ]  # fmt: skip
    execution = Execution(1, "others", "default", "h", {}, {}, 0.0, 1.0, "finished", 1.0)
    evidence = Evidence(plan, execution, pd.DataFrame(rows), pd.DataFrame(), {}, [])
    says = r"`side` of median_difference must give one number per seed: .*\(6,\), found \(2,\)"
    with pytest.raises(ValueError, match=says):
        numbers_per_seed(plan.study.claims[0], evidence, 6)
    sys.modules.pop("acme_judge")


@pytest.mark.usefixtures("unmirrored")
def test_they_are_run_judged_and_shown(installed, capsys):
    assert run(["validate", "others.yaml"]) == 0
    capsys.readouterr()
    assert run(["run", "others.yaml", "--in-process", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    claims = {claim["id"]: claim for claim in result["claims"]}
    assert claims["wide"]["verdict"] == "supported"
    assert claims["never"]["verdict"] == "refuted"
    (found,) = open_results(Path("results")).judged()
    verdicts = {verdict.id: verdict for verdict in found.verdicts}
    rows = found.evidence.confirmation
    table = rows.pivot_table(index="seed", columns="arm", values="test.accuracy")
    wide = table[["64-0.0001", "64-0.01"]].median(axis=1)
    narrow = table[["2-0.0001", "2-0.01"]].median(axis=1)
    assert verdicts["wide"].effect == pytest.approx((wide - narrow).mean())
    odds, contrast = verdicts["both"].parts
    share = table[["64-0.0001", "64-0.01"]].mean(axis=1)
    assert odds.effect == pytest.approx(math.exp(np.log(share / (1 - share)).mean()))
    over = int((share / (1 - share) > 0.5).sum())
    p = sum(math.comb(6, k) for k in range(over, 7)) / 2**6
    assert odds.p_value == pytest.approx(p)
    assert contrast.measures == "test.accuracy: 0.01 − 0.0001"
    page = Path(result["report"]).read_text()
    for text in ("first-and-last", "halton", "median stop", "mostly &gt; 0"):
        assert text in page, text
    pictures = sorted(Path(result["report"]).parent.rglob("*effects*"))
    assert pictures or "Effects of the claims" in page
