"""A study to start from: what the user answers, as a commented file that is sound."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import InputError, Problem

if TYPE_CHECKING:
    from harness.data_spec import Form

SCHEMA = "study.schema.json"

_STUDY = """\
# yaml-language-server: $schema={schema}
study: {name}
question: Does changing {factor} matter for {model} on {data_name}?

workload:                       # what every arm has in common
  data: {data:<23} # `harness list data` shows what there is
  model: {model:<22} # `harness list models`; or my_module:my_function
  optimizer: {{name: adam, lr: 1.0e-3}}
  epochs: 10
  batch_size: 64

factors:                        # what is varied: a path into the workload, and its levels
  {factor}: {{path: {vary}, levels: {levels}}}
design: factorial               # every combination; `harness list designs` shows the others

search:                         # every arm is tuned by its own search with the same budget
  space: {{optimizer.lr: {{log: [1.0e-4, 1.0e-1]}}}}
  candidates: 4
seeds: {seeds:<24} # then retrained on seeds that no search has seen

claims:                         # written before the run; changing one afterwards is marked
  - id: {factor_id}-matters
    says: {first} and {second} end with different {metric}
    metric: {metric}
    contrast: {{{factor}: [{first}, {second}]}}
    differs_by: {margin:<15} # the smallest difference that would matter

profiles:                       # variants under a name: --profile quick
  quick: {{workload.epochs: 2, search.candidates: 2}}
"""


@dataclass(frozen=True)
class Answers:
    """What a new study is about. Each has a question, for those who are asked."""

    data: str = "digits"
    model: str = ""
    vary: str = "model.activation"
    levels: str = "relu, tanh"
    metric: str = ""
    seeds: int = 8


QUESTIONS = {
    "data": "Data (harness list data; your own as image_folder:PATH, table_file:PATH, ...)",
    "model": "Model (harness list models, or my_module:my_function)",
    "vary": "What to vary: a path such as model.depth or optimizer.name",
    "levels": "Its levels, separated by commas; the first is the baseline",
    "metric": "Metric of the claim",
    "seeds": "Seeds",
}
assert list(QUESTIONS) == [field.name for field in fields(Answers)]


def default_metric(data: str) -> str:
    """Return the metric that usually judges such data; accuracy where the data are unknown."""
    known = _form_of(data)
    numbers = known is not None and known.kind == "numbers"
    return "test.root_mean_squared_error" if numbers else "test.accuracy"


def default_model(data: str) -> str:
    """Return a network that reads such data."""
    known = _form_of(data)
    return "transformer" if known is not None and known.vocabulary is not None else "mlp"


def _form_of(data: str) -> Form | None:
    """Return the form of data as a study writes them; None where the data are unknown."""
    from harness.components.base import named
    from harness.data import data_of
    from harness.study.document import parse_value

    try:
        return data_of(named(parse_value(data))).form
    except (InputError, KeyError, ValueError):  # which is told when the whole study is checked
        return None


def data_setting(data: str, target: str | None, ask: Callable[[str], str] | None) -> str:
    """Return data as a study writes them: `image_folder:pets` is `{name: ..., path: pets}`.

    Args:
        data: a name, a name with a path (or with the source of a series or table) after a colon, or
            what a study would say.
        target: the column to be predicted, of a table or a series.
        ask: asks for what is missing; None where nobody can be asked.

    Raises:
        InputError: if something is missing and nobody can be asked.
        DataMissingError: if a table cannot be read.
    """
    from harness.formatting import listed
    from harness.registry import DATA

    name, _, place = data.partition(":")
    if name not in DATA.own():
        _unused(target, data)
        plain = data != "none" and ":" not in data
        own = Path(data if plain else place)
        if (plain or {".", "/"}.intersection(place)) and own.exists():
            kinds = ["image_folder", "texts"] if own.is_dir() else ["table_file", "series", "texts"]
            message = f"say what {own} is: {listed([f'{kind}:{own}' for kind in kinds], 'or')}"
            raise InputError([Problem(message, "--data")])
        return data
    fields = DATA.find(name).model_fields
    key = next((key for key in ("path", "source") if key in fields), None)
    if place and key is None:
        raise InputError([Problem(f"{name} has neither a path nor a source", "--data")])
    if key and not place and fields[key].is_required():
        if ask is None:
            raise InputError([Problem(f"needs its {key}, such as {name}:my_{key}", "--data")])
        place = ask(f"The {key} of {name}")
    settings: dict[str, Any] = {key: place} if key and place else {}
    if name == "table_file":
        how = _how_written(place)
        settings |= how | _target(place, target, ask, how)
    elif name == "series" and place:
        how = _how_written(place)
        settings |= how | _predicted(place, target, ask, how)
    else:
        _unused(target, name)
    if not settings:
        return name
    return f"{{{', '.join(f'{k}: {shown(v)}' for k, v in {'name': name, **settings}.items())}}}"


def _unused(target: str | None, data: str) -> None:
    if target is not None:
        raise InputError([Problem(f"is for table_file and series, not for {data}", "--target")])


FEWEST_NUMBERS = 20
"""Different whole numbers in a column from which on it is taken for a number, not a class."""


def _how_written(place: str) -> dict[str, str]:
    """Return by what the columns of a CSV file are divided, and what stands before its decimals.

    Only what is not a comma, and not a point.
    """
    from harness.data._files import likely_separator

    file = Path(place)
    if file.suffix.lower() != ".csv" or not file.is_file():
        return {}
    with file.open(encoding="utf-8-sig", errors="replace") as lines:
        first = [line.strip() for _, line in zip(range(20), lines, strict=False)]
    divider = likely_separator(first[0]) if first and "," not in first[0] else None
    if divider is None:
        return {}
    cells = [cell for line in first[1:] for cell in line.split(divider)]
    comma = any(re.fullmatch(r"-?\d+,\d+", cell.strip()) for cell in cells)
    return {"separator": divider} | ({"decimal": ","} if comma else {})


def _predicted(
    source: str, target: str | None, ask: Callable[[str], str] | None, how: Mapping[str, str]
) -> dict[str, str]:
    """Return the column of a series that is to be predicted, where there are several."""
    from harness.data.base import DataMissingError
    from harness.data.series import Series
    from harness.workloads import data_root

    series = Series.model_validate({"name": "series", "source": source, "column": target, **how})
    try:
        series.reading(data_root(None))
    except DataMissingError as missing:
        if target is not None or "say which column" not in str(missing):
            raise
        if ask is None:
            raise InputError([Problem(str(missing), "--target")]) from None
        return _predicted(source, ask(f"The column to be predicted ({missing})"), None, how)
    return {"column": target} if target else {}


def _target(
    path: str, target: str | None, ask: Callable[[str], str] | None, how: Mapping[str, str]
) -> dict[str, Any]:
    """Return the column of a table that is to be predicted, and what has to be said of the table.

    That is whether the column holds numbers, that dates are no features, and that gaps are filled.
    """
    import pyarrow as pa

    from harness.data._files import column
    from harness.data.table_file import TableFile
    from harness.workloads import data_root

    said = {"name": "table_file", "target": target or "?", "path": path, **how}
    file = TableFile.model_validate(said)
    table, _ = file.read_tables(data_root(None))
    names = ", ".join(table.column_names)
    if target is None and ask is None:
        message = f"say which column is to be predicted; {file.path} has: {names}"
        raise InputError([Problem(message, "--target")])
    target = target or (ask(f"The column to be predicted ({names})") if ask else "")
    values = column(table, target, file.path)
    number = pa.types.is_floating(values.type) or (
        pa.types.is_integer(values.type) and len(values.unique()) >= FEWEST_NUMBERS
    )
    others = [name for name in table.column_names if name != target]
    used = [name for name in others if not pa.types.is_temporal(table.column(name).type)]
    gaps = any(table.column(name).null_count for name in used)
    return (
        {"target": target}
        | ({"targets": "numbers"} if number else {})
        | ({"features": used} if used and used != others else {})
        | ({"missing": "impute"} if gaps else {})
    )


def write_study(name: str, folder: Path, fill: Callable[[], str]) -> Path:
    """Write the study, and the schema that editors use if it is not there.

    Args:
        name: of the study, and of its file.
        folder: that gets it.
        fill: returns the text of the study; it is checked before anything is written.

    Raises:
        InputError: if the name is bad, the file is there already, or the answers make no sound
            study; nothing is written then.
    """
    from harness.study import load_study
    from harness.study.document import parse_document

    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", name):
        raise InputError(f"'{name}' is no name for a study; use a-z, 0-9 and -, at most 64")
    file = folder / f"{name}.yaml"
    if file.exists():
        raise InputError(f"'{file}' is there already; choose another name")
    text = fill()
    load_study(parse_document(text, "the new study").data)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / SCHEMA).exists():
            from harness.study.load import schema

            (folder / SCHEMA).write_text(json.dumps(schema(), indent=2) + "\n")
        file.write_text(text)
    except OSError as error:
        raise InputError(f"'{file}' cannot be written: {error.strerror}") from None
    return file


def fill(name: str, answers: Answers) -> str:
    """Return the text of a study that trains."""
    from harness.study.document import parse_value

    levels = parse_value(f"[{answers.levels}]")
    if len(levels) < 2:
        raise InputError("--levels: needs at least two, such as: relu, tanh")
    words = [shown(level) for level in levels]
    factor = answers.vary.removesuffix(".name").rpartition(".")[2]
    metric = answers.metric or default_metric(answers.data)
    whole = re.match(r"\{name: (\w+)", answers.data)
    return _STUDY.format(
        schema=SCHEMA,
        name=name,
        data=answers.data,
        data_name=whole.group(1) if whole else answers.data,
        model=answers.model or default_model(answers.data),
        vary=answers.vary,
        factor=factor,
        factor_id=claim_id(factor),
        levels=f"[{', '.join(words)}]",
        first=words[0],
        second=words[1],
        metric=metric,
        margin=margin(metric),
        seeds=answers.seeds,
    )


def margin(metric: str) -> str:
    """Return a difference that may matter, to start from."""
    return "0.005" if metric.endswith("accuracy") else "0.05"


def claim_id(factor: str) -> str:
    """Return a factor's name as the beginning of a claim's id."""
    return re.sub(r"[^a-z0-9]+", "-", factor.lower()).strip("-")


def shown(level: Any) -> str:
    """Write a level as YAML that reads back as the same."""
    if isinstance(level, str) and re.fullmatch(r"[A-Za-z][\w.-]*", level):
        return level if level not in ("true", "false", "null") else f'"{level}"'
    return json.dumps(level)
