"""A study to start from of runs of other code: what they vary in, as a commented file."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.cli.template import SCHEMA, claim_id, margin, shown
from harness.errors import InputError, Problem, nearest
from harness.formatting import listed
from harness.run.sources import TABLES, open_source, read_rows
from harness.track.reading import LoggedRun, ReadingError, RunReader

MOST_LEVELS = 6
"""Values of a parameter above which it is taken for something else than a factor."""

Runs = Sequence[LoggedRun]

_STUDY = """\
# yaml-language-server: $schema={schema}
study: {name}
question: Does changing {factor} matter in these runs?

workload:
  training:                     # runs that other code logged; nothing is trained
{where}
    params: {params:<19} # what every run that counts has{free}; others are left out
    seed: {seed:<21} # parameter with the seed: runs of equal seeds are pairs
    metrics:                    # name here (test., validation. or train.): name in the runs
{metrics}

factors:                        # parameters that the runs vary in, and their values
{factors}
design: factorial               # every combination; `harness list designs` shows the others
seeds: {seeds:<24} # as many as the runs have

claims:                         # yours, not this example: write them before you see the results
  - id: {claim}-matters
    says: {first} and {second} end with different {metric}
    metric: {metric}
    contrast: {{{factor}: [{first}, {second}]}}
    differs_by: {margin:<15} # the smallest difference that would matter
"""
_SPLITS = {
    "test": "test", "val": "validation", "valid": "validation", "validation": "validation",
    "dev": "validation", "eval": "validation", "train": "train", "training": "train",
}  # fmt: skip


@dataclass(frozen=True)
class Draft:
    """What is asked: the study's name, where the runs are, a parameter and a metric of theirs.

    They are in an experiment of MLflow, or in what `source` names: see `harness import`.
    """

    name: str
    experiment: str | None = None
    tracking_uri: str | None = None
    source: str | None = None
    vary: str | None = None
    metric: str | None = None


def draft(asked: Draft) -> str:
    """Return the text of a study of the finished runs.

    Raises:
        InputError: if they cannot be read, have no seed, or vary in nothing else.
    """
    where, runs = _logged(asked) if asked.source is not None else _finished(asked)
    seed = _seed(runs)
    aside = (seed, where.get("run"))
    varied = {name: found for name, found in _values(runs).items() if name not in aside}
    chosen, held = _factors(asked.vary, varied)
    held, free = _held(held, seed, runs, varied)
    arms = _arms(chosen, held, runs)
    metrics = _metrics(asked.metric, runs)
    factors, (first, second) = _design(arms)
    metric = next((m for m, theirs in metrics.items() if theirs == asked.metric), None)
    metric = metric or next((m for m in metrics if m.startswith("test.")), next(iter(metrics)))
    factor = next(iter(factors))
    return _STUDY.format(
        schema=SCHEMA,
        name=asked.name,
        where="\n".join(f"    {key}: {shown(value)}" for key, value in where.items()),
        params=_flow({name: shown(_typed(value)) for name, value in held.items()}),
        free=f" (and differ in {', '.join(free)})" if free else "",
        seed=shown(seed),
        metrics="\n".join(f"      {ours}: {shown(theirs)}" for ours, theirs in metrics.items()),
        factors="\n".join(f"  {name}: {text}" for name, text in factors.items()),
        seeds=len({run.params[seed] for found in arms for run in found[1] if seed in run.params}),
        factor=factor,
        claim=claim_id(factor),
        first=first,
        second=second,
        metric=metric,
        margin=margin(metric),
    )


Arms = Sequence[tuple[Mapping[str, str], Sequence[LoggedRun]]]
"""The values of the parameters that are varied, and the runs that have them."""


def _arms(chosen: Mapping[str, Sequence[str]], held: Mapping[str, str], runs: Runs) -> Arms:
    """Return the combinations of values that any run has, in the order of the values."""
    found = []
    for values in itertools.product(*chosen.values()):
        wanted = dict(zip(chosen, values, strict=True))
        having = [run for run in runs if {**held, **wanted}.items() <= run.params.items()]
        if having:
            found.append((wanted, having))
    if len(found) < 2:
        same = ", ".join(f"{name} = {value}" for name, value in held.items())
        names = listed(list(chosen))
        raise InputError(f"no two values of {names} have runs with {same}; leave --vary out")
    return found


def _held(
    held: Mapping[str, str], seed: str, runs: Runs, varied: Mapping[str, Sequence[str]]
) -> tuple[dict[str, str], list[str]]:
    """Return what every run that counts has, and what is left free.

    That is a parameter with many values, such as a folder's name, of which none has all seeds.
    """
    kept, seeds = dict(held), {run.params.get(seed) for run in runs}
    for name, value in held.items():
        having = {run.params.get(seed) for run in runs if run.params.get(name) == value}
        if len(varied[name]) > MOST_LEVELS and having != seeds:
            del kept[name]
    return kept, sorted(set(held) - set(kept))


def _design(arms: Arms) -> tuple[dict[str, str], tuple[str, str]]:
    """Return the factors as text, and two levels of the first one for an example of a claim.

    Where not every combination has runs, one factor has a level for each that has.
    """
    used = {name: list(dict.fromkeys(values[name] for values, _ in arms)) for name in arms[0][0]}
    used = {name: values for name, values in used.items() if len(values) > 1}
    if math.prod(map(len, used.values())) == len(arms):
        names = _factor_names(used)
        texts = [_factor(parameter, values) for parameter, values in used.items()]
        first, second, *_ = (shown(_typed(value)) for value in next(iter(used.values())))
        return dict(zip(names, texts, strict=True)), (first, second)
    labels = [re.sub(r"[^\w.+-]", "_", "-".join(values.values())).lstrip("_-.+")[:50]
              for values, _ in arms]  # fmt: skip
    if len(set(labels)) < len(labels) or not all(labels):
        labels = [f"runs-{place}" for place in range(len(arms))]
    levels = [
        f"{label}: {_flow({f'training.params.{n}': shown(_typed(v)) for n, v in values.items()})}"
        for label, (values, _) in zip(labels, arms, strict=True)
    ]
    pairs = itertools.combinations(range(len(arms)), 2)
    one, other = min(
        pairs, key=lambda pair: len(arms[pair[0]][0].items() ^ arms[pair[1]][0].items())
    )
    text = "                         # each combination that has runs\n    levels:\n"
    text += "\n".join(f"      {level}" for level in levels)
    return {"runs": text}, (labels[one], labels[other])


Where = tuple[dict[str, str], Runs]
"""What a study says of where its runs are, and the finished ones."""
_EPOCHS = ("epoch", "step", "iteration", "global_step")
_NAMES = ("run", "run_id", "run_name", "trial_id", "name", "id")


def _logged(asked: Draft) -> Where:
    """Return the runs of a table, of a storage of Optuna or of a folder of TensorBoard's."""
    address = str(asked.source)
    where = {"name": "logged"} | ({"experiment": asked.experiment} if asked.experiment else {})
    metrics: dict[str, str] = {}
    try:
        if Path(address).suffix.lower() in TABLES:
            known = list(dict.fromkeys(name for row in read_rows(Path(address)) for name in row))
            told = [name for name in known if name == asked.metric or _splits(name)]
            metrics = {f"test.metric_{place}": name for place, name in enumerate(told)}
            for key, usual in (("run", _NAMES), ("epoch", _EPOCHS)):
                found = next((name for name in known if name.lower() in usual), None)
                where |= {key: found} if found else {}
            if "epoch" not in where:  # then each row is a run, whatever it is called
                where.pop("run", None)
        source = open_source(address, {"experiment": None, **where, "metrics": metrics})
        runs = [run for run in source.runs() if run.status == "FINISHED"]
    except ReadingError as error:
        raise InputError([Problem(str(error), "--from")]) from None
    if not runs:
        raise InputError([Problem(f"there is no finished run in {source.words}", "--from")])
    return where, runs


def _finished(asked: Draft) -> Where:
    experiment = str(asked.experiment)
    try:
        reader = RunReader(asked.tracking_uri)
        runs = [run for run in reader.runs(experiment) if run.status == "FINISHED"]
        known = [] if runs else reader.experiments()
    except ReadingError as error:
        raise InputError([Problem(str(error), "--tracking-uri")]) from None
    if not runs:
        message = f"MLflow has no finished run in an experiment '{experiment}'"
        raise InputError([Problem(message + nearest(experiment, known), "--experiment")])
    return {"name": "mlflow", "experiment": experiment}, runs


def _seed(runs: Sequence[LoggedRun]) -> str:
    known = list(dict.fromkeys(name for run in runs for name in run.params))
    like = [name for name in known if re.search("seed|random_state", name.lower())]
    if not like:
        raise InputError(
            f"no parameter of the runs is called like a seed (they have: {', '.join(known)}); write"
            " the study by hand, and name the parameter with `training.seed`"
        )
    return "seed" if "seed" in like else like[0]


def _values(runs: Sequence[LoggedRun]) -> dict[str, list[str]]:
    """Return the values of every parameter that varies, the commonest first."""
    counted: dict[str, Counter[str]] = {}
    for run in runs:
        for name, value in run.params.items():
            counted.setdefault(name, Counter())[value] += 1
    return {
        name: [value for value, _ in found.most_common()]
        for name, found in counted.items()
        if len(found) > 1
    }


def _factors(
    vary: str | None, varied: Mapping[str, Sequence[str]]
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Return what is varied, in the order of its values, and the rest with its commonest value."""
    if vary is not None and vary not in varied:
        known = ", ".join(varied) or "nothing"
        message = f"the runs do not vary in '{vary}' (they do in: {known}){nearest(vary, varied)}"
        raise InputError([Problem(message, "--vary")])
    few = [name for name, values in varied.items() if len(values) <= MOST_LEVELS]
    chosen = [vary] if vary is not None else few
    if not chosen:
        raise InputError("the runs vary in nothing but the seed; there is nothing to compare")
    held = {name: values[0] for name, values in varied.items() if name not in chosen}
    return {name: sorted(varied[name], key=_order) for name in chosen}, held


def _metrics(wanted: str | None, runs: Sequence[LoggedRun]) -> dict[str, str]:
    """Return the names of metrics here and in the runs, as far as they tell their split."""
    known = list(dict.fromkeys(name for run in runs for name in sorted(run.metrics)))
    if wanted is not None and wanted not in known:
        message = f"no run has the metric '{wanted}'{nearest(wanted, known)}"
        raise InputError([Problem(message, "--metric")])
    named: dict[str, str] = {}
    for theirs in known:
        words, splits = _words(theirs), _splits(theirs)
        rest = ["accuracy" if word == "acc" else word for word in words if word not in _SPLITS]
        if words[:1] != ["system"] and rest and (splits or theirs == wanted):
            named.setdefault(f"{(splits or ['test'])[0]}.{'_'.join(rest)}", theirs)
    if not named:
        raise InputError(
            f"no metric of the runs says which split it is of (they have: {', '.join(known)}); "
            "choose one with --metric"
        )
    return named


def _words(name: str) -> list[str]:
    return re.findall("[a-z0-9]+", name.lower())


def _splits(name: str) -> list[str]:
    """Return the splits that the words of a metric's name say."""
    return [_SPLITS[word] for word in _words(name) if word in _SPLITS]


def _factor_names(factors: Mapping[str, object]) -> list[str]:
    short = [re.sub(r"[^\w.+-]", "_", name.rpartition(".")[2]).lstrip("_-.+") for name in factors]
    whole = [re.sub(r"[^\w+-]", "_", name).lstrip("_-+") for name in factors]
    return short if len(set(short)) == len(short) else whole


def _factor(parameter: str, values: Sequence[str]) -> str:
    levels = ", ".join(shown(_typed(value)) for value in values)
    return f"{{path: {shown(f'training.params.{parameter}')}, levels: [{levels}]}}"


def _flow(values: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{shown(name)}: {value}" for name, value in values.items()) + "}"


def _typed(value: str) -> Any:
    """Return the number that a text is if it is written like it, else the text."""
    for kind in (int, float):
        try:
            number = kind(value)
        except ValueError:
            continue
        if str(number) == value and math.isfinite(number):
            return number
    return value


def _order(value: str) -> tuple[float, str]:
    try:
        return float(value), value
    except ValueError:
        return float("inf"), value
