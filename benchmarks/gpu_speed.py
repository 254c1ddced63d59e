"""How fast a GPU is used: what is chosen by measurement, packs, and loops written by hand."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any
from unittest import mock

import torch

from benchmarks import networks, single
from benchmarks._gpu import (
    NOTHING,
    Bench,
    Item,
    Line,
    Stepper,
    difference,
    each,
    failed,
    made_up,
    micro,
    model,
    optimizer,
    packs_as_large_as_asked,
    products_in,
    ratio_line,
    records_on,
    release,
    seconds_of,
    step_seconds,
    trials_of,
)
from benchmarks.gpu_equality import TOLERANCE
from benchmarks.gpu_loops import (
    Batch,
    StackedMLP,
    Step,
    graphed_step,
    packed_step,
    plain_step,
)
from harness.data_spec import Form
from harness.train import cuda_graphs
from harness.train.packed_program import forget_programs
from harness.trial import Trial
from harness.workloads import TrialData

AS_GOOD = 0.95  # of the best loop by hand
PACKED = 15.0  # times unpacked
HANDBOOK = 10.0  # times the handbook's way, on the MLP
PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "B200": 2250e12, "L40S": 362e12}
"""Floating-point operations a second in bfloat16 without sparsity, of the form with most power."""

CNN = {
    "channels": [32, 64, 128], "kernel": 3, "pooling": "max", "norm": "batch", "dense": 256,
    "dropout": 0.5, "initialization": "torch",
}  # fmt: skip
LSTM = {"cell": "lstm", "layers": 2, "width": 128, "embedding": 100, "pooling": "last"}


# What is chosen by measurement


def choices(bench: Bench) -> Iterator[Line]:
    """Measure CUDA graphs, bfloat16, TF32 and fused optimizers, and name the better of each."""
    yield from each(bench, _choices(bench))


def _choices(bench: Bench) -> Iterator[Item]:
    works = dict(_works(bench.quick))
    if bench.on_gpu:
        for name, work in works.items():
            yield f"CUDA graphs, {name}", partial(_graphs, bench, name, work)
    for name, work in works.items():
        yield f"bfloat16, {name}", partial(_bfloat16, bench, name, work)
    if bench.on_gpu:
        for name, work in works.items():
            yield f"TF32, {name}", partial(_tf32, bench, name, work)
    yield "fused Adam", partial(_fused, bench)


Work = tuple[list[Trial], TrialData]


def _works(quick: bool) -> Iterator[tuple[str, Work]]:
    """Give what options are measured on; their trials can all be one pack."""
    adam, few = optimizer("adam"), 200 if quick else 2_000
    small, data = model("mlp", depth=2, width=64), made_up(Form((64,), 10), few)
    yield "small MLP alone", (trials_of(small, adam, 1, epochs=2), data)
    yield "64 small MLPs", (trials_of(small, adam, 4 if quick else 64, epochs=2), data)
    images = made_up(Form((1, 28, 28), 10), few, "pixels")
    yield "MLP 784-512-256", (trials_of(model("mlp", widths=[512, 256]), adam, 1, epochs=2), images)
    narrow = {**CNN, "channels": [4, 4, 4], "dense": 8} if quick else CNN
    yield "CNN of handbook 7.4", (trials_of(model("cnn", **narrow), adam, 1, epochs=2), images)
    if not quick:
        tokens = made_up(Form((128,), 1000, "sequence", 1000), 300)
        settings = {"layers": 4, "width": 256, "attention": "fused"}
        yield (
            "Transformer of 3.7 million",
            (trials_of(model("transformer", **settings), adam, 1, epochs=2, batch_size=32), tokens),
        )


def _compared(
    bench: Bench, what: str, against: str, ways: Mapping[str, Any], detail: str = ""
) -> tuple[Line, list[Any]]:
    """Compare two ways, the second with the first: time of a step, and losses of two epochs.

    Each way is (context, trials, data). A program is built anew for each, and what a way chose is
    kept as long as its steps are timed.
    """
    seconds, records = {}, {}
    for way, (context, trials, data) in ways.items():
        with context(), packs_as_large_as_asked():
            forget_programs()
            records[way] = records_on(bench.device, trials, data, 512)
            seconds[way] = step_seconds({way: Stepper(trials, data)}, bench)[way]
    first, second = ways
    apart = difference(records[second], records[first])
    gain = seconds[first] / seconds[second]
    better = second if gain > 1 and apart <= TOLERANCE else first
    said = f"{micro(seconds[first])} a step in {first}, {micro(seconds[second])} in {second}"
    line = ratio_line(what, against, gain, None, f"{said}; losses differ by {apart:.1e}; better: "
                      f"{better}{detail}")  # fmt: skip
    return line, records[second]


def _graphs(bench: Bench, name: str, work: Work) -> Iterator[Line]:
    trials, data = work
    never = partial(mock.patch.object, cuda_graphs, "CAPTURE_AT_USE", 1 << 40)
    always = partial(mock.patch.object, cuda_graphs, "GAIN", float("inf"))
    ways = {"single kernels": (never, trials, data), "one graph": (always, trials, data)}
    line, _ = _compared(bench, f"CUDA graphs, {name}", "kernel by kernel", ways)
    forget_programs()
    with packs_as_large_as_asked():
        told = records_on(bench.device, trials, data, 512)[0].environment
    chosen = told.get("launching", "no graph: this step is not captured")
    yield replace(line, detail=f"{line.detail}; the engine records: {chosen}")


def _bfloat16(bench: Bench, name: str, work: Work) -> Iterator[Line]:
    trials, data = work
    in_ways: dict[str, tuple[Any, list[Trial], TrialData]] = {
        way: (
            nullcontext,
            [replace(one, workload={**one.workload, "precision": way}) for one in trials],
            data,
        )
        for way in ("float32", "bfloat16")
    }
    forget_programs()
    with packs_as_large_as_asked():
        auto = records_on(bench.device, trials[:1], data, 1)[0].environment["precision"]
    line, _ = _compared(bench, f"bfloat16, {name}", "float32", in_ways, f"; `auto` takes {auto}")
    yield line


def _tf32(bench: Bench, name: str, work: Work) -> Iterator[Line]:
    trials, data = work
    full = [replace(one, workload={**one.workload, "precision": "float32"}) for one in trials]
    ways = {way: (partial(products_in, way), full, data) for way in ("ieee", "tf32")}
    line, _ = _compared(bench, f"TF32, {name}", "float32 in full (ieee)", ways)
    yield line


def _fused(bench: Bench) -> Iterator[Line]:
    images = _images(64, bench.device)
    steps = {
        way: plain_step(
            networks.digit_classifier((1, 28, 28), 10).to(bench.device), images, 1e-3, **how
        )
        for way, how in (("foreach", {"foreach": True}), ("fused", {"fused": True}))
    }
    seconds = step_seconds(steps, bench)
    gain = seconds["foreach"] / seconds["fused"]
    yield ratio_line(
        "fused Adam, MLP 784-512-256",
        "torch.optim.Adam(foreach=True)",
        gain,
        None,
        f"{micro(seconds['foreach'])} a step by foreach, {micro(seconds['fused'])} fused; better: "
        f"{'fused' if gain > 1 else 'foreach'}; the engine steps fused",
    )


def _images(batch: int, device: torch.device) -> list[Batch]:
    generator = torch.Generator().manual_seed(0)
    return [
        (
            torch.randn(batch, 1, 28, 28, generator=generator).to(device),
            torch.randint(10, (batch,), generator=generator).to(device),
        )
        for _ in range(4)
    ]


# Packs


def packs(bench: Bench) -> Iterator[Line]:
    """Measure packs of 1 to 512 against trials alone and against the best packed loop by hand."""
    yield from each(
        bench,
        [
            ("packs of small MLPs", partial(_small_packs, bench)),
            ("whole trials in packs", partial(_whole_trials, bench, 1)),
            ("whole trials of many rates in packs", partial(_whole_trials, bench, 64)),
            ("packs of CNNs", partial(_other_packs, bench, "CNN of handbook 7.4")),
            ("packs of LSTMs", partial(_other_packs, bench, "LSTM of handbook 8.4")),
        ],
    )


def _sizes(bench: Bench, largest: int = 512) -> list[int]:
    return [1, 4] if bench.quick else [size for size in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
                                       if size <= largest]  # fmt: skip


def _small_packs(bench: Bench) -> Iterator[Line]:
    data = made_up(Form((64,), 10), 1000)
    network, adam = model("mlp", depth=2, width=64), optimizer("adam")
    ours: dict[int, float] = {}
    for size in _sizes(bench):
        if bench.left < 0:
            break
        engine = Stepper(trials_of(network, adam, size, epochs=1), data)
        steps: dict[str, Step] = {"engine": engine}
        batches = engine.batches
        stacks = [StackedMLP(size, (64, 64, 64, 10)).to(bench.device) for _ in range(2)]
        steps["plain"] = packed_step(stacks[0], batches, 1e-3, graph=False)
        _add_graph(bench, steps, partial(packed_step, stacks[1], batches, 1e-3, graph=True))
        seconds = step_seconds(steps, bench, 0.15)
        ours[size] = seconds["engine"] / size
        best = min(value for way, value in seconds.items() if way != "engine")
        yield ratio_line(
            f"step of a pack of {size} MLPs 64-64-64-10",
            "the best packed loop by hand: stacked weights, fused Adam, one CUDA graph",
            best / seconds["engine"],
            AS_GOOD,
            f"a step and member: engine {1e6 * ours[size]:.2f} µs, "
            f"by hand {1e6 * best / size:.2f} µs; {engine.context.program.launching or 'no graph'}",
        )
        del steps, engine, batches, stacks
    best_size = min(ours, key=lambda size: ours[size])
    yield ratio_line(
        f"step and member in packs of {best_size} MLPs 64-64-64-10",
        "the same engine, one trial after another",
        ours[1] / ours[best_size],
        PACKED if bench.on_gpu else None,
        ", ".join(f"{size}: {1e6 * value:.2f} µs" for size, value in ours.items()),
    )


def _whole_trials(bench: Bench, rates: int) -> Iterator[Line]:
    """Measure trials of a small network, of one learning rate or of several."""
    data = made_up(Form((64,), 10), 300 if bench.quick else 1_800)
    count, epochs = (4, 2) if bench.quick else (64, 10)
    rates = min(rates, count)
    trials = trials_of(
        model("mlp", depth=2, width=64), optimizer("adam"), count, epochs=epochs, rates=rates
    )
    seconds, chosen = {}, {}
    for way, largest in (("unpacked", 1), ("packed", 512)):
        for _ in range(2):  # the second counts
            seconds[way] = seconds_of(
                lambda way=way, largest=largest: chosen.update(
                    {way: records_on(bench.device, trials, data, largest)[0]}
                ),
                bench.device,
            )
    yield ratio_line(
        f"{count} whole trials of a small MLP, {rates} learning rates, packed",
        "the same engine, one trial after another",
        seconds["unpacked"] / seconds["packed"],
        PACKED if bench.on_gpu and rates == 1 else None,
        f"unpacked {seconds['unpacked']:.2f} s, packed {seconds['packed']:.2f} s, evaluation and "
        f"records included; {chosen['packed'].environment['packing']}",
    )


def _other_packs(bench: Bench, name: str) -> Iterator[Line]:
    adam = optimizer("adam")
    if name.startswith("CNN"):
        data = made_up(Form((1, 28, 28), 10), 320, "pixels")
        settings = {**CNN, "channels": [4, 4, 4], "dense": 8} if bench.quick else CNN
        network = model("cnn", **settings)
    else:
        data = made_up(Form((40,), 2, "class", 5000), 320)
        network = model("recurrent", **({**LSTM, "width": 8} if bench.quick else LSTM))
    one = Stepper(trials_of(network, adam, 1, epochs=1), data)
    batches = [(inputs[0], targets[0]) for inputs, targets in one.batches]
    steps: dict[str, Step] = {"engine": one, "plain": plain_step(one.network, batches, 1e-3)}
    _add_graph(bench, steps, partial(graphed_step, one.network, batches, 1e-3))
    seconds = step_seconds(steps, bench)
    best = min((way for way in seconds if way != "engine"), key=lambda way: seconds[way])
    yield ratio_line(
        f"step of one {name}",
        "the best loop by hand: fused Adam, with and without one CUDA graph",
        seconds[best] / seconds["engine"],
        AS_GOOD,
        f"{_all(seconds)}; {one.context.program.launching or 'no graph'}",
    )
    if one.context.program.largest == 1:
        yield Line(
            f"packs of {name}", NOTHING, "alone", NOTHING, None, str(one.context.program.refusal)
        )
        return
    alone = seconds["engine"]
    found, why, _ = _by_size(
        bench,
        _sizes(bench, 128)[1:],
        lambda size: Stepper(trials_of(network, adam, size, epochs=1), data),
        0.1,
    )
    found = {1: alone} | found
    size = min(found, key=lambda size: found[size])
    yield ratio_line(
        f"step and member of {name} in packs of {size}",
        "the same engine, one trial after another",
        alone / found[size],
        1.0,
        _sized(found) + why,
    )


def _by_size(
    bench: Bench, sizes: Sequence[int], make: Callable[[int], Stepper], seconds: float
) -> tuple[dict[int, float], str, str]:
    """Time packs of several sizes, for `seconds` each and while there is time.

    Returns:
        The seconds of a step and member by size, why it ended early, and why nothing is packed.
    """
    found: dict[int, float] = {}
    for size in sizes:
        if bench.left < 0:
            break
        try:
            way = make(size)
            found[size] = step_seconds({"pack": way}, bench, seconds)["pack"] / size
        except torch.OutOfMemoryError:
            return found, f"; out of memory at {size}", ""
        if way.context.program.largest == 1:
            return found, "", str(way.context.program.refusal)
        del way
    return found, "", ""


def _sized(found: Mapping[int, float]) -> str:
    return ", ".join(f"{size}: {micro(value)}" for size, value in found.items())


def _add_graph(bench: Bench, steps: dict[str, Step], make: Callable[[], Step]) -> None:
    """Add a loop by hand as a graph, where one can be captured."""
    if not bench.on_gpu:
        return
    try:
        steps["graph"] = make()
    except RuntimeError as error:
        failed("a graph by hand", error)  # which shows it; the loop without one is left
        release()


def _all(seconds: Mapping[str, float]) -> str:
    return ", ".join(f"{way} {micro(value)}" for way, value in seconds.items())


# Whole trials against the handbook's way and against loops by hand


def loops(bench: Bench) -> Iterator[Line]:
    """Measure whole trials as `make bench` does, on images of MNIST's shape and on sentences."""
    yield from each(
        bench,
        [
            ("MLP of handbook 6.2, whole trial", partial(_whole, bench, "mlp")),
            ("CNN of handbook 7.4, whole trial", partial(_whole, bench, "cnn")),
            ("LSTM of handbook 8.4, whole trial", partial(_whole, bench, "lstm")),
        ],
    )


def _whole(bench: Bench, name: str) -> Iterator[Line]:
    if name == "lstm":
        case = single.sentences(bench.quick)
    else:
        case = single.images_of_random_pixels(name, 200 if bench.quick else 2_844)
    least = {"mlp": HANDBOOK}.get(name, 1.5)
    repeats, epochs = (1, 1) if bench.quick else (2, single.EPOCHS)
    found = single.measured(case, repeats, bench.on_gpu, epochs)
    for row, target in zip(found, (least, AS_GOOD), strict=True):
        ratio = float(str(row.ratio).split()[0])
        yield ratio_line(row.name, row.against, ratio, target, row.detail)


# A decoder of ten million parameters


def decoder(bench: Bench) -> Iterator[Line]:
    """Measure a decoder of ten million parameters: against a loop by hand, in packs, its MFU."""
    yield from each(
        bench,
        [
            ("decoder", partial(_decoder, bench)),
            ("packs of decoders", partial(_decoder_packs, bench)),
        ],
    )


def _decoder_trials(bench: Bench, attention: str, count: int, precision: str) -> Work:
    """Return trials, and data for at least four batches of 64 texts of 256 tokens."""
    if bench.quick:
        sizes, steps, vocabulary, batch = {"layers": 1, "width": 16, "heads": 2}, 8, 20, 4
    else:
        sizes, steps, vocabulary, batch = {"layers": 6, "width": 320, "heads": 5}, 256, 4096, 64
    network = model("transformer", **sizes, attention=attention, activation="gelu")
    data = made_up(Form((steps,), vocabulary, "sequence", vocabulary), 6 * batch)
    trials = trials_of(
        network, optimizer("adam"), count, epochs=1, batch_size=batch, precision=precision
    )
    return trials, data


def _decoder(bench: Bench) -> Iterator[Line]:
    seconds: dict[str, float] = {}
    flops, parameters = 0.0, 0
    for precision in ("bfloat16", "float32"):
        trials, data = _decoder_trials(bench, "fused", 1, precision)
        engine = Stepper(trials, data)
        flops, parameters = _flops(engine, data)
        batches = [(inputs[0], targets[0]) for inputs, targets in engine.batches]
        low = precision == "bfloat16"
        steps: dict[str, Step] = {
            "engine": engine,
            "plain": plain_step(engine.network, batches, 1e-3, bfloat16=low),
        }
        make = partial(graphed_step, engine.network, batches, 1e-3, bfloat16=low)
        _add_graph(bench, steps, make)
        found = step_seconds(steps, bench)
        seconds[precision] = found["engine"]
        best = min(value for way, value in found.items() if way != "engine")
        yield ratio_line(
            f"step of a decoder of {parameters / 1e6:.1f} million parameters, {precision}",
            "the best loop by hand: fused Adam, with and without one CUDA graph",
            best / found["engine"],
            AS_GOOD,
            f"{_all(found)}; batch {batches[0][0].shape[0]} of {batches[0][0].shape[1]} tokens",
        )
        del engine, steps, batches, make
    yield ratio_line(
        "decoder in bfloat16", "in float32", seconds["float32"] / seconds["bfloat16"], None
    )
    yield _utilization(bench, flops, seconds["bfloat16"])


def _flops(engine: Stepper, data: TrialData) -> tuple[float, int]:
    """Return operations of a step, and parameters.

    Six for each weight that multiplies and each token, and 12 · layers · width · steps for the
    attention of each token (Chowdhery et al. 2022, appendix B), which does not count that half of
    the attention of a decoder is masked.
    """
    network, settings = engine.network, engine.pack.settings
    whole = sum(value.numel() for value in network.parameters())
    looked_up = sum(
        module.weight.numel()
        for module in network.modules()
        if isinstance(module, torch.nn.Embedding)
    )
    steps, shape = data.form.shape[0], settings.model
    attention = 12 * shape.layers * shape.width * steps  # type: ignore[attr-defined]
    return settings.batch_size * steps * (6 * (whole - looked_up) + attention), whole


def _utilization(bench: Bench, flops: float, seconds: float) -> Line:
    side = 256 if bench.quick else 8192
    factor = torch.randn(side, side, device=bench.device, dtype=torch.bfloat16)
    product = step_seconds({"product": lambda: factor @ factor}, bench)["product"]
    reached, best = flops / seconds, 2 * side**3 / product
    name = torch.cuda.get_device_name() if bench.on_gpu else "CPU"
    peak = next((value for known, value in PEAKS.items() if known in name), None)
    share = "no peak is known" if peak is None else f"{reached / peak:.1%}"
    of = "" if peak is None else f" of {peak / 1e12:.0f}"
    return Line(
        "model flops utilization of the decoder in bfloat16",
        "the peak of the data sheet",
        share,
        NOTHING,
        None,
        f"{reached / 1e12:.1f}{of} teraflops; {reached / best:.1%} of what a product of "
        f"matrices of {side} reaches here, {best / 1e12:.1f}",
    )


def _decoder_packs(bench: Bench) -> Iterator[Line]:
    """Packs take attention that is written out; the comparison is with fused attention, alone."""
    trials, data = _decoder_trials(bench, "fused", 1, "bfloat16")
    one = Stepper(trials, data)
    alone = step_seconds({"alone": one}, bench, 0.15)["alone"]
    del one
    found, why, refusal = _by_size(
        bench,
        _sizes(bench, 16),
        lambda size: Stepper(*_decoder_trials(bench, "plain", size, "bfloat16")),
        0.15,
    )
    if refusal or not found:
        said = refusal or why.removeprefix("; ") or "no time was left"
        yield Line("packs of decoders", NOTHING, "alone", NOTHING, None, said)
        return
    size = min(found, key=lambda size: found[size])
    yield ratio_line(
        f"step and member of decoders in packs of {size}, attention written out",
        "one after another, fused attention",
        alone / found[size],
        None,
        f"alone {micro(alone)}; {_sized(found)}{why}",
    )
