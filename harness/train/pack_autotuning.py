"""How many trials to train at once: as many as memory allows and a measurement finds quickest."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch

from harness.optimizers.base import begin
from harness.train.device_data import Normalization, free_memory
from harness.train.evaluation import EVALUATION_BATCH
from harness.train.pack import PackContext, initial_stack
from harness.train.packed_program import PackedProgram, Program
from harness.trial import Trial
from harness.workloads.settings import read_settings

GAIN = 0.95  # a pack must take less than this share of the time alone
CLEAR_GAIN = 0.75  # so much less that a somewhat larger pack, not measured, will not do worse
NEARLY = 1.03  # of the best time: the smallest such pack is taken
TIMED_STEPS = 3
PREPARING = 5e-3  # seconds that it takes to capture a step
AFFORDABLE = 0.03  # of the time that all trials would take alone, for one measurement
UNMEASURED_BELOW = 1e-3  # seconds of a step alone; up to here overhead was seen to dominate
SHORT_CALL = 8e-6  # seconds of an operation of a step alone; up to here as well
UNMEASURED_SIZE = 16
HEAVY = 512 * 1024  # bytes of parameters from which to read them is most of a small step on a CPU
MEMORY_SHARE = {"cuda": 0.8, "cpu": 0.25}

_Timings = dict[tuple[object, ...], dict[int, float]]
_timings: WeakKeyDictionary[Program, _Timings] = WeakKeyDictionary()


@dataclass(frozen=True)
class PackSize:
    """How many trials to train at once, and why: the reason is part of every record."""

    size: int
    reason: str


def choose_pack_size(trials: Sequence[Trial], context: PackContext, largest: int) -> PackSize:
    """Choose the size of packs for trials of one shape.

    The time of a step is measured at some sizes, and kept for trials of the same shape; where the
    trials are so short that measuring would not pay, a rule decides.
    """
    limit = min(len(trials), largest)
    if limit == 1:
        return PackSize(
            1, "alone: no other trial of its shape" if largest > 1 else "alone: as asked"
        )
    if context.program.largest == 1:
        return PackSize(1, f"alone: {context.program.refusal}")
    optimizer = read_settings(trials[0].workload).optimizer
    if not optimizer.packable:
        return PackSize(1, f"alone: {optimizer.name} takes one network at a time")
    seconds = _known_timings(trials, context)
    if 1 not in seconds:
        seconds[1] = measure(trials[:1], context)
    fitting = min(limit, members_that_fit(context, trials[0]))
    if fitting == 1:
        return PackSize(1, "alone: the memory holds no two")
    _measure_sizes(trials, context, _sizes(fitting), seconds)
    known = {size: value for size, value in seconds.items() if size <= fitting}
    calls = getattr(context.program, "step_calls", 0)
    return _decide(known, fitting, calls, heavy=_is_heavy(context))


def _measure_sizes(
    trials: Sequence[Trial], context: PackContext, sizes: Sequence[int], seconds: dict[int, float]
) -> None:
    """Add the times of sizes that are not known yet, while that pays and packs get quicker."""
    work = seconds[1] * len(trials) * _steps(trials[0], context)
    fresh = []
    for size in sizes:
        if size in seconds:
            continue
        cost = PREPARING + (1 + TIMED_STEPS) * size * min(seconds.values())
        if cost > AFFORDABLE * work:
            break
        try:
            seconds[size] = measure(trials[:size], context)
        except torch.OutOfMemoryError:
            break
        fresh.append(size)
        if seconds[size] > 1.1 * min(seconds.values()):
            break
    for size in fresh:  # what comes close is measured again, beside a trial alone
        if CLEAR_GAIN * seconds[1] < seconds[size] < seconds[1]:
            seconds[1] = min(seconds[1], measure(trials[:1], context))
            seconds[size] = min(seconds[size], measure(trials[:size], context))


def _decide(seconds: dict[int, float], fitting: int, calls: int, *, heavy: bool) -> PackSize:
    alone = seconds[1]
    if len(seconds) == 1:
        if heavy:
            return PackSize(
                1, f"alone: many parameters ({_micro(alone)} a step), and too few to measure"
            )
        if alone < max(UNMEASURED_BELOW, SHORT_CALL * calls):
            size = min(fitting, UNMEASURED_SIZE)
            return PackSize(
                size, f"{size} at most: short steps ({_micro(alone)} alone), not measured"
            )
        return PackSize(1, f"alone: long steps ({_micro(alone)}), and too few to measure")
    best = min(seconds.values())
    size = min(size for size, value in seconds.items() if value <= NEARLY * best)
    if size == max(seconds) and size < fitting and seconds[size] < CLEAR_GAIN * alone:
        larger = min(fitting, max(size, UNMEASURED_SIZE))
        return PackSize(larger, f"{larger} at most: {_at(size, seconds)}, larger ones not measured")
    if seconds[size] > GAIN * alone:
        quickest = min((size for size in seconds if size > 1), key=lambda size: seconds[size])
        return PackSize(1, f"alone: {_at(quickest, seconds)}")
    return PackSize(size, f"{size} at most: {_at(size, seconds)}")


def _at(size: int, seconds: dict[int, float]) -> str:
    return f"{_micro(seconds[size])} a step in packs of {size}, {_micro(seconds[1])} alone"


def measure(trials: Sequence[Trial], context: PackContext) -> float:
    """Return the seconds of one training step of these trials, divided by their number."""
    program, data = context.program, context.data
    assert isinstance(program, PackedProgram)
    stack = initial_stack(trials[:1], context).rows([0] * len(trials))
    settings = [read_settings(trial.workload) for trial in trials]
    update = begin([one.scheduled for one in settings], stack.parameters)
    batch = min(settings[0].batch_size, len(data))
    index = torch.arange(batch, device=data.device).expand(len(trials), -1)
    division = data.division_of(trials[0])
    inputs, targets = data.gather(index, Normalization([division], data.device), axis=0)

    def step() -> None:
        gradients, _ = program.gradients(stack, inputs, targets)
        update.step(gradients)

    program.gradients(stack, inputs, targets)  # which captures it
    step()
    clock = _clock(data.device)
    times = []
    for _ in range(TIMED_STEPS):
        started = clock()
        step()
        times.append(clock() - started)
    return min(times) / len(trials)


def members_that_fit(context: PackContext, trial: Trial) -> int:
    """Estimate how many members the memory holds, once a step of one has been captured."""
    program, data = context.program, context.data
    parameters = _parameter_bytes(context)
    settings = read_settings(trial.workload)
    batch = settings.batch_size
    evaluated = EVALUATION_BATCH.get(data.device.type, EVALUATION_BATCH["cpu"])
    step_bytes: int = getattr(program, "step_bytes", 0)
    # weights, gradient, moments, the best and the initial weights; then a step's results, and
    # those of an evaluation, which has no backward half
    member = (
        (4 + max(2, settings.optimizer.moments)) * parameters
        + step_bytes * (1 + evaluated / (2 * batch))
        + 2 * data.row_bytes * (batch + evaluated)
    )
    return max(1, int(memory_for_packs(data.device) / member))


def _is_heavy(context: PackContext) -> bool:
    """Whether packs of unknown times do not pay: their weights and moments leave the caches."""
    return context.data.device.type == "cpu" and _parameter_bytes(context) > HEAVY


def _parameter_bytes(context: PackContext) -> int:
    parameters = context.program.template.parameters()
    return sum(value.numel() * value.element_size() for value in parameters)


def memory_for_packs(device: torch.device) -> float:
    """Return the bytes that packs may fill: a share of what is free."""
    if device.type == "cuda":
        return MEMORY_SHARE["cuda"] * free_memory(device)
    try:
        with open("/proc/meminfo") as lines:
            for line in lines:
                if line.startswith("MemAvailable"):
                    return MEMORY_SHARE["cpu"] * int(line.split()[1]) * 1024
    except OSError:
        pass
    return 1e9


def _known_timings(trials: Sequence[Trial], context: PackContext) -> dict[int, float]:
    first, *others = [read_settings(trial.workload) for trial in trials]
    equal = all(one.scheduled == first.scheduled for one in others)
    key = (first.optimizer.name, first.batch_size, equal, torch.get_num_threads())
    return _timings.setdefault(context.program, {}).setdefault(key, {})


def _sizes(fitting: int) -> list[int]:
    """Return the sizes to try: 8, 32, 128, ... and the largest."""
    powers = [2 * 4**exponent for exponent in range(1, 6)]
    return [*(size for size in powers if size < fitting), fitting]


def _steps(trial: Trial, context: PackContext) -> int:
    settings = read_settings(trial.workload)
    share = 1 - settings.data.validation_fraction
    return settings.epochs * math.ceil(share * len(context.data) / settings.batch_size)


def _clock(device: torch.device) -> Callable[[], float]:
    """Return a clock that other processes on the machine disturb as little as can be."""
    if device.type == "cuda":

        def synchronized() -> float:
            torch.cuda.synchronize(device)
            return time.perf_counter()

        return synchronized
    return time.thread_time if torch.get_num_threads() == 1 else time.perf_counter


def _micro(seconds: float) -> str:
    return f"{1e6 * seconds:.0f} µs"
