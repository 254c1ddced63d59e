"""Many trials: the same study packed and one by one, and a sweep over sizes."""

import multiprocessing
import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import torch

from benchmarks.loops import loop_by_hand
from benchmarks.measure import Row, both_ratios, in_turn, ratio
from benchmarks.trials import adam, cell, made_up, make_trial, mlp, run
from harness.models import build
from harness.train.packing_key import group
from harness.trial import Phase, Trial
from harness.workloads import TrialData, load

SEEDS = 8
EPOCHS = 10
RATES = [1e-4, 3e-4, 1e-3, 2e-3, 3e-3, 1e-2, 2e-2, 3e-2]
SWEEP = [  # model, features, width, depth (steps of a sequence), batch, members, steps
    ("mlp", 64, 8, 1, 16, 32, 400),
    ("mlp", 64, 16, 2, 32, 8, 600),
    ("mlp", 64, 64, 2, 64, 2, 1200),
    ("mlp", 64, 64, 2, 64, 16, 200),
    ("mlp", 64, 64, 2, 64, 256, 40),
    ("mlp", 64, 64, 16, 64, 8, 120),
    ("mlp", 64, 256, 2, 64, 8, 120),
    ("mlp", 64, 256, 4, 256, 8, 30),
    ("mlp", 64, 512, 2, 32, 8, 80),
    ("mlp", 784, 128, 1, 128, 8, 120),
    ("mlp", 784, 512, 2, 64, 4, 60),
    ("mlp", 784, 1024, 3, 128, 4, 15),
    ("mlp", 784, 2048, 2, 32, 4, 12),
    ("mlp", 10, 4, 0, 512, 64, 100),
    ("mlp", 3072, 256, 2, 16, 8, 80),
    ("gru", 8, 16, 20, 16, 8, 60),
    ("gru", 8, 16, 20, 16, 8, 20),
    ("gru", 16, 48, 40, 32, 8, 40),
    ("rnn", 32, 64, 60, 64, 4, 30),
    ("lstm", 8, 16, 20, 16, 8, 40),
]


def studies() -> dict[str, list[Trial]]:
    """Two studies of 64 trials: the arms of `whole_study`, each a shape, and arms of one shape."""
    shapes = [(depth, name) for depth in (2, 4) for name in ("relu", "leaky_relu", "gelu", "tanh")]
    return {
        "8 arms: 4 activations × depths 2 and 4": [
            make_trial("digits", seed, model=mlp(d, 64, name), optimizer=adam(1e-3), epochs=EPOCHS)
            for d, name in shapes
            for seed in range(SEEDS)
        ],
        "8 arms: learning rates": [
            make_trial("digits", seed, model=mlp(2, 64), optimizer=adam(rate), epochs=EPOCHS)
            for rate in RATES
            for seed in range(SEEDS)
        ],
    }


@cache
def _digits() -> TrialData:
    return load({"name": "digits"}, Path()).for_phase(Phase.CONFIRMATION)


def _work(trials: Sequence[Trial], largest: int) -> float:
    """Train in a worker; return the CPU seconds that it took."""
    data = _digits()
    begin = time.process_time()
    run(trials, data, threads=1, largest_pack=largest)
    return time.process_time() - begin


def _work_by_hand(trials: Sequence[Trial]) -> float:
    """Train the same networks by the best loop by hand, one after another; return CPU seconds."""
    torch.set_num_threads(1)
    data = _digits()
    assert data.test is not None
    parts = [
        ((torch.from_numpy(part.inputs) - 0.3) / 0.38, torch.from_numpy(part.targets))
        for part in (data.examples, data.test)
    ]
    begin = time.process_time()
    for trial in trials:
        model, rate = trial.workload["model"], trial.workload["optimizer"]["lr"]
        loop_by_hand(parts[0], parts[1], partial(build, model, data.form, 0), EPOCHS, rate)
    return time.process_time() - begin


def study_rows(repeats: int) -> list[Row]:
    """Measure 64-trial digits studies, packed against unpacked."""
    gpu = torch.cuda.is_available()
    workers = 1 if gpu else min(2, os.cpu_count() or 1)
    found = []
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        for title, trials in studies().items():
            groups = group(trials, workers)

            def study(largest: int, groups: list[list[Trial]] = groups) -> float:
                jobs = [pool.submit(_work, part, largest) for part in groups]
                return sum(job.result() for job in jobs)

            def by_hand(groups: list[list[Trial]] = groups) -> float:
                return sum(job.result() for job in [pool.submit(_work_by_hand, g) for g in groups])

            times = in_turn(
                {
                    "by hand": by_hand,
                    "unpacked": lambda study=study: study(1),
                    "packed": lambda study=study: study(64),
                },
                repeats,
            )
            seconds = ", ".join(f"{way} {value.seconds:.2f}" for way, value in times.items())
            subject = f"64-trial digits study ({title}; 8 seeds), packed"
            found.append(
                Row(
                    subject,
                    "the best loop by hand, one trial after another, in as many workers",
                    both_ratios(times["by hand"], times["packed"]),
                    "–",
                )
            )
            found.append(
                Row(
                    subject,
                    "the same engine and workers, one trial after another",
                    both_ratios(times["unpacked"], times["packed"]),
                    "≥ 15" if gpu else "≥ 2",
                    f"{workers} worker(s) of one thread; width 64, batch 64, {EPOCHS} epochs, "
                    f"Adam; seconds: {seconds}",
                )
            )
    return found


def sweep(repeats: int, quick: bool) -> list[str]:
    """Measure the engine's own choice against never packing; return the lines of a table."""
    lines = [
        "| model | features | width | depth, or steps | batch | trials | unpacked, µs a step "
        "| chosen | × quicker |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for case in SWEEP[::4] if quick else SWEEP:
        lines.append(_case(*case, repeats=repeats))
        print(lines[-1], flush=True)
    return lines


def _case(  # noqa: PLR0913, PLR0917  (the sizes that the sweep varies)
    name: str,
    features: int,
    width: int,
    depth: int,
    batch: int,
    members: int,
    steps: int,
    repeats: int,
) -> str:
    per_epoch = max(1, min(20, steps))
    examples = round(batch * per_epoch / 0.8)
    recurrent = name != "mlp"
    data = made_up(examples, features, depth if recurrent else None)
    model = cell(name, width) if recurrent else mlp(depth, width)
    trials = [
        make_trial(
            "made-up",
            seed,
            model=model,
            optimizer=adam(1e-3 * (1 + seed / 100)),
            epochs=max(1, steps // per_epoch),
            batch_size=batch,
        )
        for seed in range(members)
    ]
    sizes: set[int] = set()

    def alone() -> None:
        run(trials, data, largest_pack=1)

    def chosen() -> None:
        records = run(trials, data, largest_pack=256)
        sizes.update(int(record.cost["pack_size"]) for record in records)

    times = in_turn({"unpacked": alone, "chosen": chosen}, repeats)
    step = 1e6 * times["unpacked"].seconds / (members * max(1, steps // per_epoch) * per_epoch)
    # CPU time: on one thread it is what the trial costs, whatever the neighbours do
    quicker = ratio(times["unpacked"], times["chosen"], cpu=not torch.cuda.is_available())
    return (
        f"| {name} | {features} | {width} | {depth} | {batch} | {members} | {step:.0f} "
        f"| {_words(sizes)} | {quicker:.2f} |"
    )


def _words(sizes: Iterable[int]) -> str:
    return " or ".join("alone" if size == 1 else f"packs of {size}" for size in sorted(sizes))


def work_packed(trials: Sequence[Trial]) -> float:
    """Train in a worker, packed as the engine chooses; return the CPU seconds that it took."""
    return _work(trials, 64)
