"""From trials and their data to records: packs are formed, trained and told about."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import torch

from harness.isolation import Left, Surroundings, seed_generators
from harness.models import is_simple
from harness.own.imports import OwnImports, missing
from harness.registry import OPTIMIZERS
from harness.seeding import stream
from harness.train.checkpoints import Checkpoints
from harness.train.data_parallel import Ranks
from harness.train.device_data import DeviceData, on_device
from harness.train.energy import Meter, sensors
from harness.train.environment import computing, describe_environment
from harness.train.loop import Diverged, Event, Fitted, Outcome, Pruned, fit
from harness.train.own_training import OwnFit, fit_own
from harness.train.pack import PackContext, Point
from harness.train.pack_autotuning import choose_pack_size
from harness.train.packed_program import forget_programs, program_for
from harness.train.packing_key import LARGEST_PACK, by_key
from harness.train.probing import run_probes
from harness.train.stage_products import StagesByRole, data_of, own_functions
from harness.trial import Phase, Progress, Record, State, Trial, canonical_json
from harness.workloads import TrialData

_OUT_OF_MEMORY = "out of memory"


@dataclass(frozen=True)
class Setting:
    """How trials are run; no setting changes what comes of them.

    Attributes:
        threads: of PyTorch on the CPU. One thread replays bit for bit.
        attempt: which execution of these trials this is.
        largest_pack: most trials to train at once; 1 trains them one after another.
        given: what these use of stages, by role.
        checkpoints: where trials that train alone are saved, and taken up again.
        ranks: the processes that train each trial together, this one among them.
        replaceable: whether another process goes on where own code left something in this one that
            cannot be put back; then the rest of the trials is left to it.
    """

    threads: int = 1
    attempt: int = 1
    largest_pack: int = LARGEST_PACK
    given: StagesByRole = field(default_factory=dict)
    checkpoints: Checkpoints | None = None
    ranks: Ranks | None = None
    replaceable: bool = False


def train(
    trials: Sequence[Trial],
    data: TrialData,
    *,
    threads: int = 1,
    attempt: int = 1,
    largest_pack: int = LARGEST_PACK,
    given: StagesByRole | None = None,
) -> Iterator[Progress | Record]:
    """Run trials that share their data, those of one shape together where that is quicker.

    Args:
        trials: of one phase and one data set.
        data: what these trials may see; without a test split for trials of the search.
        threads: of PyTorch on the CPU. One thread replays bit for bit.
        attempt: which execution of these trials this is.
        largest_pack: most trials to train at once; 1 trains them one after another.
        given: what these use of stages, by role.

    Yields:
        Progress after every epoch, and one Record per trial. An exception inside a trial becomes
        a failed record with its traceback, and the other trials go on.
    """
    yield from train_in(Setting(threads, attempt, largest_pack, given or {}), trials, data)


def train_in(
    setting: Setting, trials: Sequence[Trial], data: TrialData
) -> Iterator[Progress | Record]:
    """Run trials in a setting; see `train`.

    Where several processes train together, each has to run the same trials, and gives the same.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    session = _Session(data, device, setting)
    with computing(setting.threads):
        if any(own_functions(trial, setting.given)[0] for trial in trials):
            session.surroundings = Surroundings()
        for alike in by_key(trials):
            yield from session.train_known(alike)
            if session.spent:
                return


def train_again(
    trial: Trial, data: TrialData, *, threads: int, given: StagesByRole | None = None
) -> Record:
    """Train a network that has a record once more, for its weights; see `train`.

    On a CPU, with the threads that it was trained with, they are those of the record bit for bit.

    Returns:
        Its record, with weights if it completed.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    setting = Setting(threads, largest_pack=1, given=given or {})
    session = _Session(data, device, setting, keep_weights=True)
    with computing(threads):
        events = session.train_known([trial])
        return next(event for event in events if isinstance(event, Record))


@dataclass
class _Running:
    """What is known of a trial that has no record yet."""

    trial: Trial
    started: float
    curve: list[Point] = field(default_factory=list)
    told: int = 0
    """Epochs already told; a trial that starts again does not tell them twice."""


class _Session:
    """One call of `train`."""

    def __init__(
        self,
        data: TrialData,
        device: torch.device,
        setting: Setting,
        *,
        keep_weights: bool = False,
    ):
        self.data = data
        self.keep_weights = keep_weights
        self.device = device
        self.setting = setting
        self.meter = Meter(device.type, sensors(device.type))
        self.running: dict[str, _Running] = {}
        self.own = OwnImports((), {})
        self.surroundings: Surroundings | None = None
        """What own code finds, and is to leave; None where no trial has any."""
        self._data: dict[str, TrialData] = {}
        self.spent = False
        """Whether something was left here, and another process is to go on."""

    def train_known(self, trials: Sequence[Trial]) -> Iterator[Progress | Record]:
        """Train trials of one key; own code that is not what identifies them is their failure."""
        with OwnImports(*own_functions(trials[0], self.setting.given)) as self.own:
            if not (fault := self.own.fault()):
                yield from self._train(trials)
                return
            for trial in trials:
                self._start(trial)
                yield self._record(trial, State.FAILED, {}, reason=fault, outcome=Outcome({}))

    def _train(self, alike: Sequence[Trial]) -> Iterator[Progress | Record]:
        if alike[0].workload.get("training"):
            yield from self.tidied(self.train_own(alike[0], self.setting.threads))
        elif is_simple(alike[0].workload["model"]):
            yield self.simple_baseline(alike[0])
        else:
            yield from self.train_alike(alike, self.setting.largest_pack)

    def tidied(
        self,
        events: Generator[Progress | Record, None, str | None],
        before: Left = Left(),  # noqa: B008  (it is frozen)
    ) -> Generator[Progress | Record, None, str | None]:
        """Pass on what own code does; records wait until what it changed is put back, and say it.

        Args:
            events: of its trials.
            before: what was left by what made them ready.
        """
        if self.surroundings is None:
            return (yield from events)
        records: list[Record] = []
        left = before
        cause: str | None = None
        try:
            while True:
                event = next(events)
                if isinstance(event, Record):
                    records.append(event)
                else:
                    yield event
        except StopIteration as end:
            cause = end.value
        finally:
            left = before.and_(self._restore())
        self.spent = self.spent or (self.setting.replaceable and bool(left.remains))
        for record in records:
            yield _telling(record, left)
        return cause

    def _restore(self) -> Left:
        """Put back what own code changed; networks that it made meanwhile are made anew."""
        left = self.surroundings.restore() if self.surroundings is not None else Left()
        if left != Left():
            forget_programs()
        return left

    def simple_baseline(self, trial: Trial) -> Record:
        """Fit a simple model."""
        self._start(trial)
        self.meter.enter([trial.id])
        try:
            from threadpoolctl import threadpool_limits

            from harness.train.simple_baseline import fit_simple_baseline  # scikit-learn is slow

            with threadpool_limits(self.setting.threads):  # more would only wait for each other
                outcome = fit_simple_baseline(trial, self.data)
            return self._complete(trial, outcome, {})
        except Exception:  # whatever a trial raises is its outcome
            return self._failed(trial)

    def train_own(
        self, trial: Trial, threads: int
    ) -> Generator[Progress | Record, None, str | None]:
        """Let a user's own function train."""
        self._start(trial)
        how: dict[str, object] = {"size": 1, "reason": "alone: a training of your own"}
        try:
            for event in fit_own(trial, self.data, threads, self.setting.given):
                told = self._told(trial, event, how)
                if told is not None:
                    yield told
        except Exception:
            yield self._failed(trial)
        return None

    def train_alike(self, trials: Sequence[Trial], largest: int) -> Iterator[Progress | Record]:
        """Train trials of one shape: choose a size, and halve it when memory runs out."""
        for trial in trials:
            self._start(trial)
        try:
            ordered = sorted(trials, key=_steps_by)
            choice = choose_pack_size(ordered, self._context(trials[0]), largest)
            size, reason = choice.size, choice.reason
        except Exception:
            ordered, size, reason = list(trials), 1, "alone: no pack could be formed"
        made_ready = self._restore()
        waiting = _parts(ordered, size)
        while waiting and not self.spent:
            pack = waiting.pop(0)
            how: dict[str, object] = {"size": len(pack), "reason": reason}
            cause = yield from self.tidied(self._attempt(pack, how), made_ready)
            if cause is None:
                continue
            _release_memory(self.device)
            left = [trial for trial in pack if trial.id in self.running]
            if cause == _OUT_OF_MEMORY:  # then the packs that wait are too large as well
                size = max(1, len(pack) // 2)
                left += [trial for part in waiting for trial in part]
                waiting = _parts(left, size)
            else:
                size = 1
                waiting = _parts(left, size) + waiting
            reason = f"{size} at most: {cause} at {len(pack)}"

    def _attempt(
        self, pack: Sequence[Trial], how: dict[str, object]
    ) -> Generator[Progress | Record, None, str | None]:
        """Train a pack; return why it could not be done, unless it is the trial's own failure.

        The error is left behind on return, and with it what its frames hold of the memory.
        """
        try:
            yield from self._train_pack(pack, how)
        except Exception as error:
            if len(pack) > 1:
                full = _is_out_of_memory(error)
                return _OUT_OF_MEMORY if full else f"{type(error).__name__} in the pack"
            if pack[0].id in self.running:
                yield self._failed(pack[0])
        return None

    def _train_pack(
        self, pack: Sequence[Trial], how: dict[str, object]
    ) -> Iterator[Progress | Record]:
        for trial in pack:
            self.running[trial.id].curve.clear()
            self.running[trial.id].started = time.time()
        self.meter.enter(trial.id for trial in pack)
        if self.surroundings is not None:
            seed_generators(stream(pack[0].seed, "own code"))
        context = self._context(pack[0])
        how["precision"] = context.program.precision
        if context.data.streamed:
            how["data"] = "streamed from the host: too large for the device's memory"
        for trial, event in fit(pack, context):
            how["launching"] = context.program.launching
            told = self._told(trial, event, how)
            if told is not None:
                yield told

    def _told(
        self, trial: Trial, event: Event | OwnFit, how: dict[str, object]
    ) -> Progress | Record | None:
        if isinstance(event, Fitted):
            return self._probed(event, how)
        if isinstance(event, OwnFit):
            record = self._complete(trial, event.outcome, how)
            stage = trial.phase is Phase.PRETRAINING and record.state is State.COMPLETE
            return replace(record, products=event.products) if stage else record
        if isinstance(event, Diverged):
            outcome = Outcome({}, cost=dict(event.cost))
            return self._record(trial, State.DIVERGED, how, reason=event.reason, outcome=outcome)
        if isinstance(event, Pruned):
            reason, outcome = event.reason, event.outcome
            return self._record(trial, State.PRUNED, how, reason=reason, outcome=outcome)
        return self._progress(trial, event)

    def _probed(self, member: Fitted, how: dict[str, object]) -> Record:
        try:
            outcome = run_probes(member.trial, member)
        except Exception:  # a probe's failure is its trial's, not the pack's
            return self._failed(member.trial)
        record = self._complete(member.trial, outcome, how)
        if self.keep_weights or member.trial.phase is Phase.PRETRAINING:
            return replace(record, products=member.products())
        return record

    def _progress(self, trial: Trial, point: Point) -> Progress | None:
        running = self.running[trial.id]
        running.curve.append(point)
        if len(running.curve) <= running.told:
            return None
        running.told = len(running.curve)
        return Progress(trial.id, (point,))

    def _context(self, trial: Trial) -> PackContext:
        known = self._data_for(trial)
        data = on_device(known.examples, self.device, known.handling)
        test = None if known.test is None else DeviceData(known.test, self.device)
        program = program_for(trial, known.form, self.device)
        setting = self.setting
        return PackContext(
            data,
            test,
            known.form,
            program,
            setting.given,
            self.data.tokens,
            setting.checkpoints,
            setting.ranks,
        )

    def _data_for(self, trial: Trial) -> TrialData:
        """Return the data with what stages add to them, if the trial uses any so."""
        used = {role: one for role, one in self.setting.given.items() if role in trial.sources}
        key = canonical_json(trial.sources)
        if key not in self._data:
            self._data[key] = data_of(self.data, used, self.device)
        return self._data[key]

    def _start(self, trial: Trial) -> None:
        self.running[trial.id] = _Running(trial, time.time())

    def _failed(self, trial: Trial) -> Record:
        outcome = Outcome({}, cost={"epochs": float(len(self.running[trial.id].curve))})
        said = (traceback.format_exc(limit=-8).rstrip(), missing(sys.exception()))
        reason = "\n".join(filter(None, said))
        return self._record(trial, State.FAILED, {}, reason=reason, outcome=outcome)

    def _complete(self, trial: Trial, outcome: Outcome, how: dict[str, object]) -> Record:
        return self._record(trial, State.COMPLETE, how, outcome=outcome)

    def _record(
        self,
        trial: Trial,
        state: State,
        how: dict[str, object],
        *,
        outcome: Outcome,
        reason: str = "",
    ) -> Record:
        running = self.running.pop(trial.id)
        fault = self.own.fault()
        if fault and state is not State.FAILED:  # what was trained is not what was planned
            state, reason, outcome = State.FAILED, fault, Outcome({}, cost=outcome.cost)
        environment = describe_environment(self.device) | self.own.environment()
        cost = {**outcome.cost, **self.meter.leave(trial.id)}
        if "joules" in cost:
            environment["energy"] = " and ".join(sensor.name for sensor in self.meter.sensors)
        if how:
            environment["packing"] = how["reason"]
            environment["precision"] = how.get("precision", "float32")
            for said in ("data", "launching"):
                if how.get(said):
                    environment[said] = how[said]
            cost["pack_size"] = float(str(how["size"]))
            optimizer = trial.workload["optimizer"]["name"]
            if OPTIMIZERS.family(optimizer) is not None:
                environment["optimizer"] = f"{optimizer} itself"
        return Record(
            trial,
            state,
            reason=reason,
            metrics=outcome.metrics,
            curve=tuple(running.curve),
            details=outcome.details,
            cost=cost,
            selected_epoch=outcome.selected_epoch,
            environment=environment,
            attempt=self.setting.attempt,
            started=running.started,
            ended=time.time(),
        )


def _steps_by(trial: Trial) -> str:
    """Return what brings trials side by side that take their steps in the same way."""
    return canonical_json([trial.workload["optimizer"], trial.workload.get("schedule")])


def _telling(record: Record, left: Left) -> Record:
    """Return a record that says what own code changed, and what of it could not be put back."""
    said = {"undone": ", ".join(left.undone), "left": ", ".join(left.remains)}
    told = {name: text for name, text in said.items() if text}
    return replace(record, environment={**record.environment, **told}) if told else record


def _parts(trials: Sequence[Trial], size: int) -> list[list[Trial]]:
    """Divide trials into as few parts of at most `size` as there can be, of nearly equal size."""
    count = -(-len(trials) // size)
    bounds = [round(part * len(trials) / count) for part in range(count + 1)] if count else []
    return [list(trials[a:b]) for a, b in pairwise(bounds)]


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def _release_memory(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
