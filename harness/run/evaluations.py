"""Results of evaluations of language models: of lm-evaluation-harness, and of Inspect.

Both are read as the JSON that they are; neither package is needed.
"""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.levels import flat
from harness.run.found_runs import PAIR, FoundRun, is_number

LM_EVAL, INSPECT = "results_*.json", "*.eval"
_SEEDS = ("random_seed", "numpy_seed", "torch_seed", "fewshot_seed")
_ZSTANDARD = 93  # a method of ZIP that Python reads since 3.14 only
_LARGEST = 2**28
_UNKNOWN = (
    "The files say how well finished models did on tasks; how these were trained and chosen is not"
    " known."
)


def read_lm_eval(root: Path) -> tuple[list[FoundRun], list[str]]:
    """Read the result files of lm-evaluation-harness below a folder; each is a run.

    The metric `acc` of the task `arc` is `arc/acc`; one that belongs to a filter is
    `gsm8k/exact_match,strict-match`.

    Returns:
        the runs, and in sentences what is to be known of all of them.

    Raises:
        ValueError: if a file is none.
    """
    runs, limited = [], []
    for file in sorted(root.rglob(LM_EVAL)):
        content = _json(file.read_bytes(), file)
        results, config = content.get("results"), content.get("config")
        if not isinstance(results, dict) or not isinstance(config, dict):
            raise ValueError(f"'{file}' is no result of lm-evaluation-harness")
        place = file.relative_to(root).as_posix()
        final = {
            f"{task}/{name.removesuffix(',none')}": float(value)
            for task, found in results.items()
            for name, value in found.items()
            if "," in name and is_number(value)
        }
        settings: dict[str, Any] = {"model_name": content.get("model_name")}
        settings |= {"tasks": ",".join(sorted(results))}
        settings |= flat(_opened(config))
        settings |= {
            f"num_fewshot.{task}": shots for task, shots in content.get("n-shot", {}).items()
        }
        settings = dict(PAIR.findall(Path(place).parent.as_posix())) | settings
        if config.get("limit") is not None:
            limited.append(place)
        written = float(content.get("date") or 0.0)
        took = float(content.get("total_evaluation_time_seconds") or 0.0)
        runs.append(FoundRun(place, settings, {}, written, written + took if took else 0.0, final))
    notes = [_UNKNOWN]
    if limited:
        notes.append(f"Of {len(limited)} runs only the first examples were evaluated (`limit`).")
    return runs, notes


def _opened(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings; `model_args` as a mapping, and one `seed` where all four are equal."""
    args = config.get("model_args")
    if isinstance(args, str):
        config = {**config, "model_args": dict(PAIR.findall(args)) or args}
    seeds = {config.get(name) for name in _SEEDS}
    if len(seeds) > 1:
        return dict(config)
    return {"seed": seeds.pop(), **{n: v for n, v in config.items() if n not in _SEEDS}}


def read_inspect(root: Path) -> tuple[list[FoundRun], list[str]]:
    """Read the logs of Inspect (`.eval`) below a folder; each is a run.

    The metric `accuracy` of the scorer `match` is `match/accuracy`.

    Returns:
        the runs, and in sentences what is to be known of all of them.

    Raises:
        ValueError: if a file is none.
    """
    runs, partly = [], []
    for file in sorted(root.rglob(INSPECT)):
        header = _header(file)
        try:
            run = _inspect_run(header, file.relative_to(root).as_posix())
        except (KeyError, TypeError, AttributeError, ValueError):
            raise ValueError(
                f"'{file}' is no log of Inspect: its header is not as expected"
            ) from None
        results = header.get("results") or {}
        if run.finished and results.get("completed_samples") != results.get("total_samples"):
            partly.append(run.folder)
        runs.append(run)
    notes = [_UNKNOWN]
    if partly:
        notes.append(f"Of {len(partly)} runs not every sample was completed.")
    return runs, notes


def _inspect_run(header: Mapping[str, Any], place: str) -> FoundRun:
    about, stats = header["eval"], header.get("stats") or {}
    settings: dict[str, Any] = dict(PAIR.findall(Path(place).parent.as_posix()))
    settings |= {"task": about["task"], "model": about["model"]}
    settings |= flat({"metadata": header.get("metadata") or about.get("metadata") or {}})
    for name in ("task_args", "model_args", "config"):
        settings |= flat({name: about.get(name) or {}})
    settings |= flat({"config": about.get("model_generate_config") or {}})
    settings |= flat({"config": (header.get("plan") or {}).get("config") or {}})
    final: dict[str, float] = {}
    for score in (header.get("results") or {}).get("scores") or ():
        for metric, found in score["metrics"].items():
            name = f"{score['name']}/{metric}"
            if name in final:  # the same scorer with another reducer of epochs
                name += f",{score.get('reducer')}"
            final[name] = float(found["value"])
    finished = header.get("status") == "success" and not header.get("invalidated")
    return FoundRun(place, {n: v for n, v in settings.items() if v is not None}, {},
                    _moment(stats.get("started_at")), _moment(stats.get("completed_at")), final,
                    finished=finished)  # fmt: skip


def _header(file: Path) -> dict[str, Any]:
    """Return the header of a log, without its samples."""
    try:
        with zipfile.ZipFile(file) as archive:
            if "header.json" not in archive.namelist():  # the evaluation did not come to its end
                return {**_json(_entry(file, archive, "_journal/start.json"), file),
                        "status": "started"}  # fmt: skip
            return _json(_entry(file, archive, "header.json"), file)
    except (OSError, KeyError, zipfile.BadZipFile, struct.error) as error:
        raise ValueError(f"'{file}' is no log of Inspect: {error}") from None


def _entry(file: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    about = archive.getinfo(name)
    if about.file_size > _LARGEST:
        raise ValueError(f"'{file}' is no log of Inspect: {name} is too large")
    if about.compress_type != _ZSTANDARD:
        return archive.read(about)
    import pyarrow

    with file.open("rb") as content:
        content.seek(about.header_offset)
        names = struct.unpack_from("<HH", content.read(30), 26)
        content.seek(about.header_offset + 30 + sum(names))
        packed = pyarrow.py_buffer(content.read(about.compress_size))
    try:
        with pyarrow.CompressedInputStream(packed, "zstd") as stream:
            return bytes(stream.read(_LARGEST))
    except OSError as error:
        raise ValueError(f"'{file}' is no log of Inspect: {error}") from None


def _json(content: bytes, file: Path) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise ValueError(f"'{file}' cannot be read as JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"'{file}' is no object of JSON")
    return found


def _moment(written: str | None) -> float:
    return datetime.fromisoformat(written).timestamp() if written else 0.0
