"""One trial: the engine against the handbook's way and against the best loop by hand."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from benchmarks import loops, networks
from benchmarks.measure import Row, both_ratios, in_turn
from benchmarks.trials import adam, make_trial, run
from harness.trial import Phase
from harness.workloads import data_root, load

IMAGES = 14_222  # of which a tenth validates: 12,800 to train on
EPOCHS = 3


def rows(repeats: int) -> list[Row]:
    """Measure the MNIST network of handbook 6.2, with its dropout and without."""
    root = data_root()
    dataset = load({"name": "mnist", "limit": IMAGES}, root)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    examples, test = dataset.examples, dataset.test
    data = dataset.for_phase(Phase.CONFIRMATION)
    placed = [
        (torch.from_numpy((part.inputs - 0.1307) / 0.3081).to(device), torch.tensor(part.targets))
        for part in (examples, test)
    ]
    placed = [(inputs, targets.to(device)) for inputs, targets in placed]
    parts = [range(IMAGES * 9 // 10), range(IMAGES * 9 // 10, IMAGES)]
    where = "one GPU" if device.type == "cuda" else "one CPU thread"
    found = []
    for title, name, own in (
        ("without dropout", "digit_classifier", "digit_classifier"),
        ("as printed", "with_dropout", "with_own_dropout"),
    ):
        build = getattr(networks, name)
        model = {"name": f"benchmarks.networks:{own}", "settings": {}}
        trial = make_trial(
            "mnist", 0, model=model, optimizer=adam(1e-3), epochs=EPOCHS, fraction=0.1
        )
        times = in_turn(
            {
                "handbook": partial(_silent, loops.handbook_loop, root, build, parts, EPOCHS),
                "hand": partial(_silent, loops.loop_by_hand, *placed, build, EPOCHS),
                "engine": partial(_silent, run, [trial], data),
            },
            repeats,
        )
        detail = (
            f"{where}; {IMAGES * 9 // 10:,} images to train on, {EPOCHS} epochs, batch 64; "
            "seconds: " + ", ".join(f"{way} {value.seconds:.2f}" for way, value in times.items())
        )
        subject = f"MNIST MLP (handbook 6.2, {title}), one trial"
        goal = "≥ 10" if device.type == "cuda" else "≥ 4"
        hand = both_ratios(times["hand"], times["engine"])
        found += [
            Row(
                subject,
                "the handbook's way: per-image transforms, DataLoader, plain loop",
                both_ratios(times["handbook"], times["engine"]),
                goal,
                detail,
            ),
            Row(subject, "the best loop by hand: resident tensors, fused Adam", hand, "≥ 0.95"),
        ]
    return found


def _silent(function: Callable[..., Any], *arguments: Any) -> None:
    function(*arguments)
