"""Trials that a user's own function trains; it reports every epoch, and may be pruned.

The function runs in a thread of its own and knows only `config` and `report`. What it reports comes
back through a queue while it trains. Of several workers that train a trial together each calls the
function; what the first one reports counts in all of them, so that they go on, or end, alike.
"""

from __future__ import annotations

import math
import os
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import distributed

from harness.components.training import OwnTraining
from harness.metrics import BUILT_IN, metric_of
from harness.own.imports import own_function
from harness.probes import CurveProbe, class_of
from harness.seeding import stream
from harness.train.data_parallel import RankLostError, Ranks, UnmetError, is_of_a_lost_rank
from harness.train.device_data import DeviceData, Normalization, Splits, splits_of
from harness.train.loop import Diverged, Outcome, Pruned, pruning_reason
from harness.train.own_folder import own_folder
from harness.train.pack import Point
from harness.train.probing import followed
from harness.train.stage_products import StageArrays, StagesByRole, normalization_arrays
from harness.trial import PRODUCTS, Phase, Products, Trial, finite
from harness.workloads import TrialData
from harness.workloads.settings import TrialSettings, read_settings

Metrics = dict[str, float]


class OwnCodeError(Exception):
    """A user's function does what it must not; the message says what to do."""


class StopTraining(BaseException):
    """Raised by `report` where training is to end."""


@dataclass
class _Run:
    """A call of a function: its settings, and what it has reported so far."""

    trial: Trial
    settings: TrialSettings
    training: OwnTraining
    ranks: Ranks | None = None
    events: queue.Queue[Point | None] = field(default_factory=queue.Queue)
    curve: list[Point] = field(default_factory=list)
    tests: list[Metrics] = field(default_factory=list)
    returned: Metrics = field(default_factory=dict)
    products: dict[str, dict[str, NDArray[Any]]] = field(default_factory=dict)
    pruned: str | None = None
    diverged: str | None = None
    error: BaseException | None = None
    closed: bool = False


@dataclass(frozen=True)
class OwnFit:
    """A training that came to its end."""

    outcome: Outcome
    products: Products = field(default_factory=dict)


def fit_own(
    trial: Trial, data: TrialData, threads: int, given: StagesByRole, ranks: Ranks | None = None
) -> Iterator[Point | Diverged | Pruned | OwnFit]:
    """Call a trial's own function; tell what each epoch gave, and how it ended.

    Raises:
        OwnCodeError: if it reports or returns something else than numbers.
        RankLostError: if another of several workers is gone.
        Exception: whatever the function raises.
    """
    settings = read_settings(trial.workload)
    assert settings.training is not None
    run, begin = _Run(trial, settings, settings.training, ranks), time.perf_counter()
    device = torch.cuda.current_device() if ranks and torch.cuda.is_available() else None
    worker = threading.Thread(
        target=_call, args=(run, data, threads, given, device), name="own training", daemon=True
    )
    worker.start()
    try:
        while (point := run.events.get()) is not None:
            yield point
    finally:
        run.closed = True  # the next report ends the function, if nobody listens any more
    worker.join()
    seconds = time.perf_counter() - begin
    cost = {"seconds": seconds, "epochs": float(len(run.curve))}
    if run.error is not None:
        raise run.error
    if run.diverged:
        yield Diverged(run.diverged, cost)
        return
    if not run.curve:
        raise OwnCodeError(
            f"{run.training.name} reported nothing; call "
            'report({"validation.accuracy": value}) after every epoch'
        )
    outcome = _outcome(run, cost)
    if run.pruned:
        kept = {k: v for k, v in outcome.metrics.items() if k.startswith("validation.")}
        yield Pruned(run.pruned, Outcome(kept, outcome.selected_epoch, cost))
        return
    yield OwnFit(outcome, run.products)


def _call(
    run: _Run, data: TrialData, threads: int, given: StagesByRole, device: int | None
) -> None:
    """Call the function in this thread; None in the queue of events marks its end."""
    trial, name, process = run.trial, run.training.name, os.getpid()
    torch.set_num_threads(threads)  # of this thread: PyTorch keeps them for each
    if device is not None:
        torch.cuda.set_device(device)  # likewise
    try:
        function = own_function(name)
        seed = stream(trial.seed, "training")
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002  (a user's function may use it)
        torch.manual_seed(seed)
        # threads of NumPy, scikit-learn and others
        with own_folder(name, run.ranks), threadpool_limits(threads):
            returned = function(_config(run, data, given), _reporter(run))
        if isinstance(returned, Mapping):
            products = _products(returned, name)
            run.products = {**run.products, **products} if products else {}
            returned = {k: v for k, v in returned.items() if k not in PRODUCTS}
        run.returned = _final(returned, name, trial)
        _together(run, "end", {})
    except StopTraining:
        pass
    except BaseException as error:  # SystemExit as well: it is the function's outcome
        if run.ranks is not None and is_of_a_lost_rank(error):
            run.error = RankLostError(str(error).partition("\n")[0])
        elif isinstance(error, Exception):
            run.error = error
        else:
            run.error = OwnCodeError(f"{name} ended with {type(error).__name__}: {error}")
    finally:
        torch.set_num_threads(threads)  # those of the linear algebra are not of this thread alone
        if os.getpid() != process:  # a child that the function forked came back: it ends here
            os._exit(0)
        run.events.put(None)


def _config(run: _Run, data: TrialData, given: StagesByRole) -> dict[str, Any]:
    trial, settings = run.trial, run.settings
    config = {
        **run.training.settings,
        "seed": trial.seed,
        "epochs": settings.epochs,
        "phase": trial.phase.value,
        "data": None,
    }
    splits, own = None, None
    if settings.data.name != "none":
        device = torch.device("cpu")
        source = DeviceData(data.examples, device, data.handling)
        division = source.division_of(trial)
        test = None if data.test is None else DeviceData(data.test, device)
        splits, own = splits_of(source, division, test), Normalization([division], device)
        config["data"] = _arrays(splits)
        run.products["normalization"] = normalization_arrays(division)
    if trial.sources:
        config["uses"] = {
            role: StageArrays(one, trial.seed, splits, own) for role, one in given.items()
        }
    return config


def _arrays(splits: Splits) -> dict[str, tuple[Any, Any] | None]:
    """Return normalized inputs and targets of each split; `test` is None in a search."""
    named = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    return {
        name: None if split is None else (split.inputs.numpy(), split.targets.numpy())
        for name, split in named.items()
    }


def _reporter(run: _Run) -> Callable[..., None]:
    name, metric, process = run.training.name, run.training.metric, os.getpid()
    epochs = run.settings.epochs

    def report(metrics: Mapping[str, float] | None = None, /, **more: float) -> None:
        """Tell the metrics of an epoch; those without a dot are of the validation part."""
        if os.getpid() != process:
            os._exit(0)
        if run.closed or run.pruned or run.diverged:
            raise StopTraining
        found = _numbers({**(metrics or {}), **more}, f"{name} reported")
        found = _together(run, "report", found)
        epoch = len(run.curve) + 1
        if epoch > epochs:
            raise OwnCodeError(
                f"{name} reported epoch {epoch} of {epochs}; train for "
                'config["epochs"] epochs, so that budgets are equal'
            )
        if metric not in found:
            raise OwnCodeError(
                f"{name} reported {', '.join(found) or 'nothing'}, and not {metric}, which chooses "
                "the epoch; report it, or name another one with `training.metric`"
            )
        run.tests.append({k: v for k, v in found.items() if k.startswith("test.")})
        shown = {k: v for k, v in found.items() if not k.startswith("test.")}
        run.diverged = _divergence(shown, metric, epoch)
        if run.diverged:
            raise StopTraining
        point: Point = {"epoch": epoch, **finite(shown)}
        run.curve.append(point)
        run.events.put(point)
        if epoch < epochs:
            run.pruned = pruning_reason(run.curve, run.trial, run.settings, epoch)
            if run.pruned:
                raise StopTraining

    return report


def _together(run: _Run, event: str, found: Metrics) -> Metrics:
    """Return what the first of several workers reports, once all of them have come here.

    Raises:
        OwnCodeError: if they have not reported equally often, or their group was ended.
    """
    if run.ranks is None:
        return found
    if not distributed.is_initialized():
        raise OwnCodeError(
            f"{run.training.name} ended PyTorch's process group, which other trials need; leave out"
            " destroy_process_group()"
        )
    every_one = "every worker has to call `report` after each epoch; what the first one says counts"
    try:
        said = run.ranks.gathered((event, found))
    except UnmetError:
        message = f"{run.training.name}: not all workers called `report` within half an hour"
        raise OwnCodeError(f"{message}; {every_one}") from None
    ended = [rank for rank, (what, _) in enumerate(said) if what == "end"]
    if 0 < len(ended) < len(said):
        raise OwnCodeError(
            f"{run.training.name} ended on worker {ended[0]} after {len(run.curve)} reports, and"
            f" goes on elsewhere; {every_one}"
        )
    first: Metrics = said[0][1]
    return first


def _divergence(point: Metrics, metric: str, epoch: int) -> str | None:
    """Say that the metric which chooses the epoch, or a loss, is not finite."""
    for name, value in point.items():
        chooses = name == metric or name.partition(".")[2] == BUILT_IN["loss"].name
        if not math.isfinite(value) and chooses:
            return f"{name} became {value} in epoch {epoch}"
    return None


def _numbers(given: Any, what: str) -> Metrics:
    """Return metrics as numbers, by names of the form split.metric."""
    found = {}
    for key, value in given.items():
        if hasattr(value, "item") and getattr(value, "size", 1) in (1, None):
            value = value.item()  # noqa: PLW2901  (a tensor or an array of one number)
        elif callable(getattr(value, "numel", None)) and value.numel() == 1:
            value = value.item()  # noqa: PLW2901
        if not isinstance(value, Real):
            raise OwnCodeError(f"{what} '{key}' as {type(value).__name__}; expected a number")
        name = str(key) if "." in str(key) else f"validation.{key}"
        if name.partition(".")[0] not in ("train", "validation", "test", "probe"):
            raise OwnCodeError(
                f"{what} '{key}'; a metric is called train.NAME, validation.NAME or test.NAME"
            )
        found[name] = float(value)
    return found


def _products(returned: Mapping[Any, Any], name: str) -> dict[str, dict[str, NDArray[Any]]]:
    """Return what a function returned for others, as arrays; tensors are taken as well."""
    found: dict[str, dict[str, NDArray[Any]]] = {}
    for product in PRODUCTS:
        part = returned.get(product, {})
        if not isinstance(part, Mapping):
            raise OwnCodeError(
                f"{name} returned '{product}' as {type(part).__name__}; expected a mapping of "
                "names to arrays"
            )
        for key, value in part.items():
            array = np.array(value.detach().cpu() if isinstance(value, torch.Tensor) else value)
            if array.dtype.kind not in "biufU":
                raise OwnCodeError(
                    f"{name} returned {product}['{key}'], which is no array of numbers or texts"
                )
            found.setdefault(product, {})[str(key)] = array
    return found


def _final(returned: Any, name: str, trial: Trial) -> Metrics:
    if returned is None:
        return {}
    if not isinstance(returned, Mapping):
        raise OwnCodeError(
            f"{name} returned {type(returned).__name__}; expected nothing, or a mapping of metrics "
            'such as {"test.accuracy": value}'
        )
    found = _numbers(returned, f"{name} returned")
    if trial.phase is not Phase.CONFIRMATION:
        return {k: v for k, v in found.items() if not k.startswith("test.")}
    return found


def _outcome(run: _Run, cost: Mapping[str, float]) -> Outcome:
    """Return the metrics of the selected epoch, and what the function returned beside them."""
    trial, selects = run.trial, run.training.metric
    place = len(run.curve) - 1
    if place and run.settings.keep != "last":
        metric = metric_of(selects, trial.workload)
        values = [point[selects] for point in run.curve]
        place = values.index(metric.best_so_far(run.curve)[-1])
    metrics = {k: v for k, v in run.curve[place].items() if k != "epoch"}
    if trial.phase is Phase.CONFIRMATION:  # a search never hears of the test split
        metrics |= run.tests[place]
    metrics |= run.returned  # a record takes no number that is not finite
    for kept in trial.probes:
        probe = class_of(kept).of_trial(kept)
        assert isinstance(probe, CurveProbe)  # others need a network, and were refused
        metrics |= followed(probe, trial, run.curve, selects)
    return Outcome(metrics, place + 1, dict(cost))
