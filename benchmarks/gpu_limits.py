"""What a GPU runs into: memory that is too small, data that are too large; and its energy."""

import time
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from typing import Any
from unittest import mock

import torch

from benchmarks._gpu import (
    NOTHING,
    Bench,
    Line,
    difference,
    each,
    made_up,
    model,
    optimizer,
    packs_as_large_as_asked,
    records_on,
    seconds_of,
    trials_of,
)
from benchmarks.gpu_equality import TOLERANCE
from harness.data_spec import Form
from harness.train import device_data, engine
from harness.train.energy import sensors
from harness.train.loop import fit
from harness.train.packed_program import forget_programs

MEMBERS = 16
LOAD_SECONDS = 4.0
WITHIN = 0.2  # of the energy that the power readings give


def memory(bench: Bench) -> Iterator[Line]:
    """Train a pack that the memory does not hold."""
    yield from each(bench, [("out of memory halves a pack", partial(_halved, bench))])


def _halved(bench: Bench) -> Iterator[Line]:
    width = 32 if bench.quick else 2048
    network, data = model("mlp", depth=2, width=width), made_up(Form((784,), 10), 640)
    trials = trials_of(network, optimizer("adam"), MEMBERS, epochs=2)
    with packs_as_large_as_asked():
        alone = records_on(bench.device, trials, data, 1)
        if bench.on_gpu:
            records, how = _in_little_memory(bench, trials, data)
        else:
            with mock.patch.object(engine, "fit", _too_large_for(MEMBERS // 4)):
                records = records_on(bench.device, trials, data, MEMBERS)
            how = "raised by hand, since there is no GPU"
    sizes = sorted({int(record.cost["pack_size"]) for record in records})
    apart = difference(records, alone)
    said = records[0].environment["packing"]
    halved = max(sizes) < MEMBERS and "out of memory" in said
    yield Line(
        "out of memory halves a pack",
        "the same trials alone",
        f"packs of {' and '.join(map(str, sizes))}",
        f"fewer than {MEMBERS}, losses within {TOLERANCE:g}",
        halved and apart <= TOLERANCE,
        f"recorded: {said}; losses differ by {apart:.1e}; {how}",
    )


def _in_little_memory(bench: Bench, trials: Any, data: Any) -> tuple[list[Any], str]:
    """Train where the process may take as much as six of the sixteen need."""
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    records_on(bench.device, trials[:2], data, 2)
    member = (torch.cuda.max_memory_allocated() - before) / 2
    forget_programs()
    torch.cuda.empty_cache()
    limit = torch.cuda.memory_allocated() + 6 * member
    whole = torch.cuda.get_device_properties(bench.device).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, limit / whole))
    try:
        records = records_on(bench.device, trials, data, MEMBERS)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    return (
        records,
        f"the process was allowed {limit / 1e9:.2f} GB, a member takes {member / 1e6:.0f} MB",
    )


def _too_large_for(most: int) -> Any:
    def limited(trials: Any, context: Any) -> Any:
        if len(trials) > most:
            raise torch.OutOfMemoryError("CUDA out of memory (raised by hand)")
        return fit(trials, context)

    return limited


def streamed(bench: Bench) -> Iterator[Line]:
    """Train on data that stay with the host."""
    yield from each(bench, [("streamed data", partial(_streamed, bench))])


def _streamed(bench: Bench) -> Iterator[Line]:
    examples = 600 if bench.quick else 60_000
    data = made_up(Form((1, 28, 28), 10), examples, "pixels")
    network = model("mlp", widths=[512, 256])
    trials = trials_of(network, optimizer("adam"), 1, epochs=2, batch_size=256)
    chunk = {"cpu": 1 << 20, "cuda": 16 << 20}
    seconds, records = {}, {}
    for way in ("resident", "streamed"):
        free: dict[str, Any] = {"free_memory": lambda _: 0.0} if way == "streamed" else {}
        with mock.patch.multiple(device_data, _kept=[], CHUNK_BYTES=chunk, **free):
            records_on(bench.device, trials, data, 1)  # which chooses kernels
            begin = time.perf_counter()
            records[way] = records_on(bench.device, trials, data, 1)
            seconds[way] = time.perf_counter() - begin
    apart = difference(records["streamed"], records["resident"])
    said = records["streamed"][0].environment.get("data", "")
    yield Line(
        "streamed data",
        "the same data on the device",
        f"losses differ by {apart:.1e}",
        "≤ 1e-6, and the record says so",
        apart <= 1e-6 and "streamed" in said,
        f"resident {seconds['resident']:.2f} s, streamed {seconds['streamed']:.2f} s, {examples:,} "
        f"images in chunks of 16 MB, two epochs; recorded: {said or 'nothing'}",
    )


def energy(bench: Bench) -> Iterator[Line]:
    """Compare joules that are counted with watts that are read, over a load of known length."""
    yield from each(bench, [("energy", partial(_energy, bench))])


def _energy(bench: Bench) -> Iterator[Line]:
    against = "power readings during a load of known length"
    if bench.on_gpu and find_spec("pynvml") is None:
        yield Line("energy", against, "skipped", NOTHING, None, "nvidia-ml-py is not installed")
        return
    found = sensors(bench.device.type)
    counter = next(
        (one for one in found if one.name == ("GPU" if bench.on_gpu else "processor")), None
    )
    if counter is None or counter.spent() is None:
        reason = "the counters cannot be read here" if bench.on_gpu else "no RAPL counter here"
        yield Line("energy", against, "skipped", NOTHING, None, reason)
        return
    wanted = 0.3 if bench.quick else LOAD_SECONDS
    side = 256 if bench.quick else 8192
    kind = torch.bfloat16 if bench.on_gpu else torch.float32
    factor = torch.randn(side, side, device=bench.device, dtype=kind)
    watts: list[float] = []

    def load() -> None:
        end = time.perf_counter() + wanted
        while time.perf_counter() < end:
            for _ in range(20):
                factor @ factor
            if bench.on_gpu:
                torch.cuda.synchronize()
                watts.append(_power())

    load()  # until it is warm
    watts.clear()
    time.sleep(0.2)
    counter.spent()
    seconds = seconds_of(load, bench.device)
    time.sleep(0.2)  # the counter moves on about every tenth of a second
    joules = counter.spent()
    trial = trials_of(model("mlp"), optimizer("adam"), 1, epochs=2)
    record = records_on(bench.device, trial, made_up(Form((64,), 10), 400), 1)[0]
    told = record.cost.get("joules")
    recorded = (
        "a record has none" if told is None else f"a record of a short trial has {told:.2f} J"
    )
    if joules is None:
        yield Line(
            "energy", against, "not counted", "counted", False, "another process computes too"
        )
        return
    if not watts:
        yield Line(
            "energy", against, f"{joules / seconds:.0f} W", NOTHING, None,
            f"{joules:.0f} J in {seconds:.1f} s; {recorded}",
        )  # fmt: skip
        return
    mean = sum(watts) / len(watts)
    share = joules / (mean * seconds)
    yield Line(
        "energy",
        against,
        f"{share:.2f}",
        f"1 ± {WITHIN:g}, and in every record",
        abs(share - 1) <= WITHIN and told is not None,
        f"{joules:.0f} J in {seconds:.2f} s are {joules / seconds:.0f} W; the mean of {len(watts)} "
        f"readings is {mean:.0f} W; {recorded}",
    )


def _power() -> float:
    """Return what the GPU draws, in watts."""
    import pynvml  # type: ignore[import-not-found]

    uuid = f"GPU-{torch.cuda.get_device_properties(0).uuid}"
    return float(pynvml.nvmlDeviceGetPowerUsage(pynvml.nvmlDeviceGetHandleByUUID(uuid))) / 1000
