"""Prove and measure the GPU path in ten minutes, and write one table to docs/gpu.md.

Run `make gpu`, or `python -m benchmarks.gpu`, from the repository's root with a Python that has
PyTorch 2.11 or later, NumPy and pydantic; nothing else of the harness's own needs is imported. Each
part runs in a process of its own and has its own time: whatever fails or hangs there is a line of
the table, and the page is written anew after every part. `--device cpu --quick` tries all of it on
a processor, in little: its figures mean nothing.
"""

import argparse
import datetime
import importlib.util
import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
NEEDED = ("torch", "numpy", "pydantic")
MARK = "\x1eline "
ALL_SECONDS = 560
LEAST_SECONDS = 15  # that a part is begun with
GRACE = 15  # seconds that a part may take longer before it is ended
QUICK_SECONDS = 900  # on a processor that others use as well


@dataclass(frozen=True)
class PartOf:
    """A part of the table: where it is measured, and for how many seconds at most."""

    title: str
    function: str
    seconds: int


PARTS = {
    "equality": PartOf("Does it compute the same?", "gpu_equality:rows", 130),
    "memory": PartOf("Memory that is too small", "gpu_limits:memory", 35),
    "streamed": PartOf("Data that are too large", "gpu_limits:streamed", 30),
    "energy": PartOf("Energy", "gpu_limits:energy", 30),
    "choices": PartOf("Which way is better?", "gpu_speed:choices", 70),
    "packs": PartOf("Packs", "gpu_speed:packs", 90),
    "loops": PartOf("Whole trials", "gpu_speed:loops", 70),
    "decoder": PartOf("A decoder of ten million parameters", "gpu_speed:decoder", 65),
}
PREAMBLE = """# On a GPU

Written by `make gpu` on {date} in {minutes:.1f} minutes{shortened}: {machine}.

`make gpu` needs one GPU and a Python with PyTorch 2.11 or later, NumPy and pydantic; Ray, MLflow
and Optuna need not be there. It takes ten minutes at most. A ratio is how many times longer the
other way takes, the median of three rounds in which all ways take turns after a warm-up; clocks are
read when the GPU has finished. Data are random numbers.

{counts}
"""


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--quick", action="store_true", help="on smaller work")
    parser.add_argument("--only", help=f"some of {','.join(PARTS)}")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "gpu.md")
    parser.add_argument("--here", action="store_true", help="all parts in this process")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=QUICK_SECONDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    names = options.only.split(",") if options.only else list(PARTS)
    if not set(names) <= set(PARTS):
        parser.error(f"--only takes some of {','.join(PARTS)}")
    if options.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    absent = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if absent:
        parser.exit(2, _how_to_get(absent))
    if options.part:
        for line in _measured(options.part, options, options.seconds):
            print(MARK + json.dumps(line), flush=True)
        return
    machine, sees_gpu = _machine()
    if options.device == "cuda" and not sees_gpu:
        parser.exit(2, "PyTorch sees no GPU here; `--device cpu --quick` tries the same without\n")
    options.machine = machine
    sys.exit(_all(names, options))


def _machine() -> tuple[str, bool]:
    """Return what machine this is, and whether PyTorch sees a GPU.

    Another process asks: energy is counted only where a single process holds the GPU.
    """
    code = (
        "import torch; from benchmarks.measure import machine; "
        "print(machine()); print(torch.cuda.is_available())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    machine, sees_gpu = done.stdout.splitlines()[-2:]
    return f"{machine}; Python {platform.python_version()}", sees_gpu == "True"


def _how_to_get(absent: Sequence[str]) -> str:
    names = " ".join(absent)
    return (
        f"this Python has no {', '.join(absent)}; install it, or bring a folder made with\n"
        "the same version of Python, and show it:\n"
        f"    python -m pip install --target FOLDER {names}\n"
        "    PYTHONPATH=FOLDER make gpu\n"
    )


def _all(names: Sequence[str], options: Any) -> int:
    """Measure parts, print and write what is known after each; return how many lines failed."""
    begin, found = time.monotonic(), dict[str, list[dict[str, Any]]]()
    print(options.machine, flush=True)
    for name in names:
        print(f"\n## {PARTS[name].title}\n\n{_HEAD}", flush=True)
        left = ALL_SECONDS - GRACE - (time.monotonic() - begin)
        seconds = QUICK_SECONDS if options.quick else min(PARTS[name].seconds, left)
        found[name] = []
        for line in _lines(name, options, seconds):
            found[name].append(line)
            print(_row(line), flush=True)
        print(f"({name}: {time.monotonic() - begin:.0f} s since the start)", flush=True)
        page = _page(found, options, time.monotonic() - begin)
        options.out.write_text(page, encoding="utf-8")
    every = [line for lines in found.values() for line in lines]
    print(f"\n{_counts(every)}\nwritten to {options.out}", flush=True)
    return int(any(line["result"] == "FAILED" for line in every))


def _lines(name: str, options: Any, seconds: float) -> Iterator[dict[str, Any]]:
    """Yield the lines of a part as they become known."""
    if seconds < LEAST_SECONDS:
        yield _line(name, "not measured", None, "the ten minutes were over")
    elif options.here:
        yield from _measured(name, options, seconds)
    else:
        yield from _elsewhere(name, options, seconds)


def _line(what: str, result: str, met: bool | None, detail: str) -> dict[str, Any]:
    return {"what": what, "against": "–", "result": result, "target": "–", "met": met,
            "detail": detail, "trace": ""}  # fmt: skip


def _measured(name: str, options: Any, seconds: float) -> Iterator[dict[str, Any]]:
    """Yield the lines of a part, measured in this process."""
    import torch

    from benchmarks._gpu import Bench, failed

    torch.set_num_threads(1)
    bench = Bench(torch.device(options.device), options.quick, time.monotonic() + seconds)
    module, _, function = PARTS[name].function.partition(":")
    try:
        for line in getattr(import_module(f"benchmarks.{module}"), function)(bench):
            yield vars(line)
    except Exception as error:
        yield vars(failed(name, error))


def _elsewhere(name: str, options: Any, seconds: float) -> Iterator[dict[str, Any]]:
    """Yield the lines of a part, measured in a process of its own that is ended when it hangs."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--part", name, "--device", options.device]
    command += ["--seconds", str(seconds), *(["--quick"] if options.quick else [])]
    begin = time.monotonic()
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as child:
        timer = threading.Timer(seconds + GRACE, child.kill)
        timer.start()
        assert child.stdout is not None
        for text in child.stdout:
            if text.startswith(MARK):
                yield json.loads(text.removeprefix(MARK))
            else:
                print(text, end="", flush=True)
        code = child.wait()
        timer.cancel()
    if code:
        took = time.monotonic() - begin
        said = f"its process ended with {code}"
        if took >= seconds + GRACE - 1:
            said = f"ended after {took:.0f} s, more than it has"
        yield _line(f"the rest of {name}", "FAILED", False, said)


_HEAD = "| what | against | result | target | met | measured |\n|---|---|---|---|---|---|"


def _row(line: dict[str, Any]) -> str:
    met = {True: "yes", False: "**no**", None: "–"}[line["met"]]
    cells = (line["what"], line["against"], line["result"], line["target"], met, line["detail"])
    return "| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |"


def _counts(lines: Sequence[dict[str, Any]]) -> str:
    met, missed = (sum(line["met"] is value for line in lines) for value in (True, False))
    failures = sum(line["result"] == "FAILED" for line in lines)
    absent = sum(line["result"] in {"not measured", "skipped"} for line in lines)
    return (
        f"Of {len(lines)} lines {met} meet their target and {missed} do not, of which {failures} "
        f"failed; {absent} were not measured."
    )


def _page(found: dict[str, list[dict[str, Any]]], options: Any, seconds: float) -> str:
    every = [line for lines in found.values() for line in lines]
    page = PREAMBLE.format(
        date=datetime.date.today().isoformat(),
        minutes=seconds / 60,
        shortened=" (shortened: `--quick`)" if options.quick else "",
        machine=options.machine,
        counts=_counts(every),
    )
    for name, lines in found.items():
        page += "\n".join([f"\n## {PARTS[name].title}\n", _HEAD, *map(_row, lines), ""])
    traces = [line for line in every if line["trace"]]
    if traces:
        page += "\n## What failed\n"
        for line in traces:
            page += f"\n{line['what']}:\n\n```text\n{line['trace'].rstrip()}\n```\n"
    return page


if __name__ == "__main__":
    main()
