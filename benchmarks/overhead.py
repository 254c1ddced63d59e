"""What the engine costs beside training: trials that do next to nothing, and its start."""

import subprocess
import sys
import time
from statistics import median

from benchmarks.measure import Row, in_turn
from benchmarks.trials import adam, made_up, make_trial, mlp, run

TRIALS = 64


def rows(repeats: int) -> list[Row]:
    """Measure the engine's cost per trial, and the start of a process that can group trials."""
    data = made_up(50, 4)
    trials = [
        make_trial("made-up", seed, model=mlp(0, 1), optimizer=adam(1e-3), epochs=1)
        for seed in range(TRIALS)
    ]
    times = in_turn(
        {
            "packed": lambda: float(len(run(trials, data))),
            "unpacked": lambda: float(len(run(trials, data, largest_pack=1))),
        },
        repeats,
    )
    packed, alone = (1e3 * times[way].seconds / TRIALS for way in ("packed", "unpacked"))
    starts = {
        "harness.train.packing_key": "from harness.train import pack_key, group",
        "the engine": "from harness.train import train",
    }
    seconds = {name: _start(code, repeats) for name, code in starts.items()}
    return [
        Row(
            "engine's cost of a trial of one step: split, weights, evaluation, record",
            "–",
            "–",
            "≤ 5 ms",
            f"{packed:.1f} ms in a pack of {TRIALS}, {alone:.1f} ms alone",
        ),
        Row(
            "start of a process",
            "–",
            "–",
            "≤ 0.5 s without PyTorch",
            "; ".join(f"import {name}: {value:.2f} s" for name, value in seconds.items()),
        ),
    ]


def _start(code: str, repeats: int) -> float:
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append(time.perf_counter() - begin)
    return median(times)
