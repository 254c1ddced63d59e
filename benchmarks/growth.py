"""What one more costs: trials, workers, members of a pack, steps of a sequence, units of a layer.

Run alone: `python -m benchmarks.run --only growth`.
"""

import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from statistics import median
from typing import Any

import torch

from benchmarks import packs
from benchmarks._processes import python
from benchmarks.measure import Row, in_turn
from benchmarks.trials import adam, cell, made_up, make_trial, mlp, run
from harness.models.recurrent.cells import LONGEST
from harness.train.device_data import DeviceData
from harness.train.pack import PackContext
from harness.train.pack_autotuning import measure
from harness.train.packed_program import PackedProgram, program_for
from harness.train.packing_key import group
from harness.trial import Trial
from harness.workloads import TrialData

EPOCHS = 22


def rows(repeats: int, quick: bool) -> list[Row]:
    """Measure every series."""
    gpu = torch.cuda.is_available()
    return [
        _trials(quick),
        _workers(repeats),
        _packs(repeats, gpu),
        _widths(repeats),
        *(_sequences(cell, repeats) for cell in ("lstm", "gru")),
    ]


def _trials(quick: bool) -> Row:
    """Whole studies whose trials do nothing, start and end included."""
    found = []
    for trials in (64, 256, 1024) if quick else (64, 256, 1024, 9984):
        with tempfile.TemporaryDirectory() as folder:
            said = python(
                *("-m", "benchmarks._null_study", "--where", "conductor"),
                *("--trials", str(trials), "--folder", folder),
            )
        ending = json.loads(said.output.splitlines()[-1])
        found.append(
            f"{trials:,}: {said.seconds:.1f} s, of which {ending['trials_only']:.2f} s from the "
            "first trial's start to the last one's end"
        )
    return _row("trials of a study that do nothing", "whole runs: " + "; ".join(found))


def _workers(repeats: int) -> Row:
    trials = packs.studies()["8 arms: learning rates"]

    def with_workers(count: int) -> Any:
        pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"))
        parts = group(trials, count)
        return pool, lambda: sum(pool.map(packs.work_packed, parts))

    pools = {count: with_workers(count) for count in (1, 2, 4)}
    times = in_turn({str(count): way for count, (_, way) in pools.items()}, repeats)
    for pool, _ in pools.values():
        pool.shutdown()
    series = "; ".join(f"{count}: {value.seconds:.2f} s" for count, value in times.items())
    return _row("workers of one thread each, warm", f"64 trials on digits, packed: {series}")


def _packs(repeats: int, gpu: bool) -> Row:
    data = made_up(1000, 64)
    sizes = (1, 4, 16, 64, 256, 1024) if gpu else (1, 4, 16, 64, 256)
    series = _steps(data, [([_trial(mlp(2, 64), seed) for seed in range(n)], n) for n in sizes],
                    repeats)  # fmt: skip
    return _row("members of a pack", f"MLP 64-64-64-10, batch 64; µs a step and member: {series}")


def _widths(repeats: int) -> Row:
    data = made_up(1000, 64)
    cases = [
        ([_trial(mlp(2, width), seed) for seed in range(members)], label)
        for width in (16, 64, 256, 1024)
        for members, label in ((1, f"{width} units alone"), (8, "in packs of 8"))
    ]
    series = _steps(data, cases, repeats)
    return _row("units of a layer", f"two hidden layers, batch 64; µs a step and member: {series}")


def _sequences(name: str, repeats: int) -> Row:
    found = []
    for steps in (8, 16, 32, 64, 128):
        cases: list[tuple[list[Trial], object]] = [([_trial(cell(name, 32), 0)], f"{steps} alone")]
        if name == "gru" and steps <= LONGEST:
            cases.append(([_trial(cell(name, 32), seed) for seed in range(8)], "in packs of 8"))
        found.append(_steps(made_up(100, 8, steps), cases, repeats))
    series = ", ".join(found)
    return _row(f"steps of a sequence ({name})", f"32 units, batch 64; µs a step: {series}")


def _trial(model: dict[str, Any], seed: int) -> Trial:
    return make_trial("made-up", seed, model=model, optimizer=adam(1e-3), epochs=1)


def _steps(data: TrialData, cases: Iterable[tuple[Sequence[Trial], object]], repeats: int) -> str:
    """Return the time of a training step of each case, divided by the number of its trials."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    data_on_device = DeviceData(data.examples, device)
    found = []
    for trials, label in cases:
        program = program_for(trials[0], data.form, device)
        context = PackContext(data_on_device, None, data.form, program)
        if isinstance(program, PackedProgram):
            value = median(measure(trials, context) for _ in range(repeats))
        else:
            value = median(_alone(trials, data) for _ in range(repeats))
        found.append(f"{label}: {1e6 * value:.0f}")
    return ", ".join(found)


def _alone(trials: Sequence[Trial], data: TrialData) -> float:
    """Return the seconds of a step of trials that no pack can hold, in the whole training loop."""
    seconds = []
    for epochs in (2, 2, EPOCHS):  # the first warms up
        longer = [replace(one, workload={**one.workload, "epochs": epochs}) for one in trials]
        begin = time.perf_counter()
        run(longer, data, largest_pack=1)
        seconds.append(time.perf_counter() - begin)
    batches = -(-len(data.examples) // trials[0].workload["batch_size"])
    return (seconds[2] - seconds[1]) / ((EPOCHS - 2) * batches * len(trials))


def _row(subject: str, detail: str) -> Row:
    return Row(f"growth: {subject}", "–", None, "–", detail)
