"""How long the commands take that train nothing, and what they import.

Run alone: `python -m benchmarks.run --only startup [--quick]`.
"""

from __future__ import annotations

from statistics import median

from benchmarks._processes import Ran, load_average, python
from benchmarks.measure import Row

STUDY = "studies/activations.yaml"
COMMANDS = {
    "harness --help": ("--help",),
    "harness validate": ("validate", STUDY),
    "harness plan": ("plan", STUDY),
}
HEAVY = ("torch", "ray", "mlflow", "optuna", "pandas", "scipy", "sklearn", "matplotlib", "numpy")
_LIST_MODULES = """
import sys
from harness.cli.app import run
status = run(sys.argv[1:])
top = {name.partition(".")[0] for name in sys.modules}
print()
print(len(sys.modules), *(name for name in %r if name in top))
sys.exit(status)
"""


def rows(quick: bool) -> list[Row]:
    """Run every command in turn, again and again."""
    repeats = 5 if quick else 15
    ways = {"python -c pass": ("-c", "pass")} | {
        name: ("-m", "harness", *arguments) for name, arguments in COMMANDS.items()
    }
    ran: dict[str, list[Ran]] = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        for name, way in ways.items():
            once = python(*way)
            if repeat:  # the first reads files that the others find in memory
                ran[name].append(once)
    bare = ran.pop("python -c pass")
    return [_row(name, COMMANDS[name], times, bare) for name, times in ran.items()]


def _row(name: str, arguments: tuple[str, ...], times: list[Ran], bare: list[Ran]) -> Row:
    said = python("-c", _LIST_MODULES % (HEAVY,), *arguments).output.splitlines()[-1].split()
    wall, cpu = (median(getattr(t, part) for t in times) for part in ("seconds", "cpu_seconds"))
    least = min(time.seconds for time in times)
    empty = median(time.seconds for time in bare)
    return Row(
        f"start: {name}",
        "–",
        None,
        "≤ 0.5 s; no torch, Ray or MLflow",
        f"{wall:.2f} s wall-clock (least {least:.2f} s), {cpu:.2f} s of processor; Python alone "
        f"{empty:.2f} s; {said[0]} modules, of the large ones {', '.join(said[1:]) or 'none'}; "
        f"median of {len(times)} in turn; {load_average()}",
    )
