"""What the parts of `make gpu` share: lines of the table, trials on a device, and clocks."""

import json
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import numpy as np
import torch
from pydantic import TypeAdapter
from torch import Tensor

from benchmarks.trials import make_trial
from harness.data_spec import Form
from harness.models import Model
from harness.registry import OPTIMIZERS, setting
from harness.train import pack_autotuning
from harness.train.engine import Setting, _Session, computing, context_of
from harness.train.pack import Pack
from harness.train.packed_program import forget_programs
from harness.train.packing_key import by_key
from harness.train.records import Recorder
from harness.trial import Record, State, Trial
from harness.workloads import Examples, Handling, TrialData

ROOT = Path(__file__).parents[1]
NOTHING = "–"
LOSSES = ("train.loss", "validation.loss", "test.loss")


@dataclass(frozen=True)
class Line:
    """One line of the table; `met` is None where there is no target, or nothing was measured."""

    what: str
    against: str
    result: str
    target: str
    met: bool | None
    detail: str = ""
    trace: str = ""

    def to_json(self) -> str:
        """Return it as one line of text."""
        return json.dumps(vars(self))


@dataclass(frozen=True)
class Bench:
    """How a part is measured: where, how much of it, and until when (by `time.monotonic`)."""

    device: torch.device
    quick: bool
    end: float

    @property
    def on_gpu(self) -> bool:
        """Whether there is a GPU to be measured."""
        return self.device.type == "cuda"

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.end - time.monotonic()


Item = tuple[str, Callable[[], Iterable[Line]]]


def each(bench: Bench, items: Iterable[Item]) -> Iterator[Line]:
    """Yield the lines of items one after another; what fails is a line, and the next goes on."""
    for what, measure in items:
        if bench.left < 0:
            yield Line(
                what, NOTHING, "not measured", NOTHING, None, "the time of its part was over"
            )
            continue
        try:
            yield from measure()
        except Exception as error:  # whatever it is, the others are worth having
            yield failed(what, error)
        forget_programs()
        if bench.on_gpu:
            release()


def failed(what: str, error: BaseException) -> Line:
    """Return the line of something that raised an exception."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [
        one for one in frames if str(ROOT) in one.filename and "site-packages" not in one.filename
    ]
    place = f" ({Path(ours[-1].filename).name}:{ours[-1].lineno})" if ours else ""
    said = next(iter(str(error).strip().splitlines()), "")
    trace = "".join(traceback.format_exception(error, limit=-12)).replace(f"{ROOT}/", "")
    print(trace, file=sys.stderr, flush=True)
    return Line(
        what, NOTHING, "FAILED", NOTHING, False, f"{type(error).__name__}: {said}{place}", trace
    )


def release() -> None:
    """Give unused memory back, if the device still answers."""
    try:
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
    except Exception:
        traceback.print_exc()


# Trials


def complete(kind: Any, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of something named, with its defaults, as a study file gives them."""
    given = json.dumps({"name": name, **settings})
    found: dict[str, Any] = TypeAdapter(kind).validate_json(given).model_dump(mode="json")
    return found


def model(name: str, **settings: Any) -> dict[str, Any]:
    """Return the settings of a network."""
    return complete(Model, name, settings)


@cache
def _optimizers() -> Any:
    return setting(OPTIMIZERS)


def optimizer(name: str, **settings: Any) -> dict[str, Any]:
    """Return the settings of an optimizer."""
    return complete(_optimizers(), name, settings)


def trials_of(
    network: Mapping[str, Any],
    steps: Mapping[str, Any],
    count: int,
    *,
    epochs: int,
    rates: int = 1,
    **more: Any,
) -> list[Trial]:
    """Return trials that differ in their seed, so that a pack may hold all of them.

    Args:
        network: settings.
        steps: settings of the optimizer.
        count: of trials.
        epochs: of each.
        rates: how many learning rates they have among them, equal ones side by side.
        more: other parts of the workload.
    """
    batch_size = more.pop("batch_size", 64)
    found = []
    for seed in range(count):
        own = {**steps, "lr": steps["lr"] * (1 + seed * rates // count / 10)}
        trial = make_trial(
            "made-up", seed, model=network, optimizer=own, epochs=epochs, batch_size=batch_size
        )
        found.append(replace(trial, workload={**trial.workload, "loss": "auto", **more}))
    return found


def made_up(form: Form, count: int, inputs: str = "numbers") -> TrialData:
    """Return random examples of a form, and a tenth as many for the test.

    Args:
        form: of the data; token ids where it has a vocabulary.
        count: examples to train and validate on.
        inputs: "numbers", or "pixels" for whole numbers from 0 to 255.
    """
    generator = np.random.default_rng(0)

    def part(number: int) -> Examples:
        shape = (number, *form.shape)
        given: Any
        if form.vocabulary is not None:
            given = generator.integers(1, form.vocabulary, shape)
        elif inputs == "pixels":
            given = generator.integers(0, 256, shape).astype(np.uint8)
        else:
            given = generator.normal(size=shape).astype(np.float32)
        if form.kind == "class":
            return Examples(given, np.arange(number) % form.outputs)
        if form.kind == "sequence":
            return Examples(given, generator.integers(0, form.outputs, shape))
        return Examples(given, generator.normal(size=(number, form.outputs)).astype(np.float32))

    handling = Handling() if form.kind == "class" else Handling(division="random")
    return TrialData("made-up", form, part(count), part(max(20, count // 10)), handling)


def records_on(
    device: torch.device, trials: Sequence[Trial], data: TrialData, largest: int, threads: int = 1
) -> list[Record]:
    """Train trials on a device, whichever the engine would choose; return their records in order.

    Raises:
        RuntimeError: with the reason, if one did not complete.
    """
    session = _Session(data, Setting(threads=threads, largest_pack=largest))
    session.device, session.records = device, Recorder(device, 1)
    with computing(threads):
        events = [event for alike in by_key(trials) for event in session.train_known(alike)]
    if device.type == "cuda":
        torch.cuda.synchronize()
    found = {event.trial_id: event for event in events if isinstance(event, Record)}
    for record in found.values():
        if record.state is not State.COMPLETE:
            raise RuntimeError(f"a trial {record.state}: {_last_line(record.reason)}")
    return [found[trial.id] for trial in trials]


def _last_line(text: str) -> str:
    return next(iter(text.strip().splitlines()[::-1]), "no reason is known")


@contextmanager
def packs_as_large_as_asked() -> Iterator[None]:
    """Pack whatever can be packed, without a measurement."""
    patched: dict[str, Any] = {
        "AFFORDABLE": 0.0,
        "UNMEASURED_BELOW": float("inf"),
        "HEAVY": float("inf"),
        "UNMEASURED_SIZE": 4096,
    }
    with mock.patch.multiple(pack_autotuning, **patched):
        yield


def difference(ours: Sequence[Record], theirs: Sequence[Record]) -> float:
    """Return the largest relative difference between the losses of trials."""
    pairs = [
        (one.metrics[name], other.metrics[name])
        for one, other in zip(ours, theirs, strict=True)
        for name in LOSSES
    ]
    return max(abs(a - b) / max(abs(b), 1e-6) for a, b in pairs)


# Clocks


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(action: Callable[[], object], device: torch.device) -> float:
    """Return the seconds that something takes, what it leaves to the device included."""
    synchronize(device)
    begin = time.perf_counter()
    action()
    synchronize(device)
    return time.perf_counter() - begin


def step_seconds(
    steps: Mapping[str, Callable[[], object]], bench: Bench, seconds: float = 0.3
) -> dict[str, float]:
    """Return the seconds of one step of each way: median of three rounds in which all take turns.

    Each round of a way takes about `seconds`. Eight steps of each come first, within which kernels
    are chosen and graphs are captured.
    """
    seconds = 0.02 if bench.quick else seconds
    counts = {}
    for name, step in steps.items():
        for _ in range(8):
            step()
        once = seconds_of(lambda step=step: [step() for _ in range(3)], bench.device) / 3
        counts[name] = max(3, min(2000, int(seconds / max(once, 1e-7))))
    rounds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(3):
        for name, step in steps.items():
            count = counts[name]

            def repeat(step: Callable[[], object] = step, count: int = count) -> None:
                for _ in range(count):
                    step()

            rounds[name].append(seconds_of(repeat, bench.device) / count)
    return {name: median(values) for name, values in rounds.items()}


class Stepper:
    """Takes the engine's training steps of a pack, on batches that are ready on the device."""

    def __init__(self, trials: Sequence[Trial], data: TrialData):
        self.context = context_of(trials[0], data, Setting())
        self.pack = Pack(trials, self.context)
        self.pack.begin_epoch(1)
        whole = len(self.pack.members[0].division.train) // self.pack.settings.batch_size
        self.batches: list[tuple[Tensor, Tensor]] = list(islice(self.pack.batches(), min(4, whole)))
        self.taken = 0
        self.losses: Mapping[str, Tensor] = {}

    def __call__(self) -> None:
        inputs, targets = self.batches[self.taken % len(self.batches)]
        self.taken += 1
        self.losses = self.pack.step(inputs, targets)

    @property
    def network(self) -> torch.nn.Module:
        """A network like that of the first member, with its initial weights."""
        return self.pack.stack.network(self.context.program.template, 0)


@contextmanager
def products_in(precision: str) -> Iterator[None]:
    """Compute float32 products of the GPU in TF32 ("tf32") or in full ("ieee")."""
    backends = torch.backends
    places = [backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn]  # type: ignore[attr-defined]
    before = [place.fp32_precision for place in places]
    for place in places:
        place.fp32_precision = precision
    try:
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            place.fp32_precision = value


def micro(seconds: float) -> str:
    """Say a time in microseconds."""
    return f"{1e6 * seconds:,.0f} µs"


def ratio_line(
    what: str, against: str, ratio: float, least: float | None, detail: str = ""
) -> Line:
    """Return the line of a ratio that should be at least so large."""
    target = NOTHING if least is None else f"≥ {least:g}"
    return Line(
        what, against, f"{ratio:.2f}", target, None if least is None else ratio >= least, detail
    )
