"""The training engine: trials and their data in, progress and records out.

Trials of one shape are trained together, as packs. Whatever happens to a trial, also an exception,
becomes its record.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise

import torch

from harness.isolation import Left, Surroundings, seed_generators
from harness.models import SimpleModel
from harness.own.imports import OwnImports
from harness.seeding import stream
from harness.train.checkpoints import Checkpoints
from harness.train.data_parallel import Ranks
from harness.train.device_data import DeviceData, on_device
from harness.train.frozen_features import with_features
from harness.train.loop import Diverged, Event, Fitted, Outcome, Pruned, fit
from harness.train.own_training import OwnFit, fit_own
from harness.train.pack import PackContext
from harness.train.pack_autotuning import choose_pack_size
from harness.train.packed_program import Program, forget_programs, program_for
from harness.train.packing_key import LARGEST_PACK, by_key
from harness.train.probing import known_at_start, run_probes
from harness.train.records import Recorder, with_changes
from harness.train.sharding import sharded_program
from harness.train.stage_products import StagesByRole, data_of, own_functions
from harness.trial import Phase, Progress, Record, State, Trial, canonical_json
from harness.workloads import TrialData
from harness.workloads.settings import forget_settings, read_settings

_OUT_OF_MEMORY = "out of memory"


@dataclass(frozen=True)
class Setting:
    """How trials are run; no setting changes their results.

    Attributes:
        threads: of PyTorch on the CPU. One thread replays bit for bit.
        attempt: which execution of these trials this is.
        largest_pack: most trials to train at once; 1 trains them one after another.
        given: the stages that these use, by role.
        checkpoints: where trials that train alone are saved and resumed.
        ranks: the processes that train each trial together, this one among them.
        replaceable: whether another process takes over the other trials where own code changed
            this one in a way that cannot be undone.
        shares_features: whether what a frozen encoder says of the data is computed once for all
            trials; not where the time of a training is measured.
    """

    threads: int = 1
    attempt: int = 1
    largest_pack: int = LARGEST_PACK
    given: StagesByRole = field(default_factory=dict)
    checkpoints: Checkpoints | None = None
    ranks: Ranks | None = None
    replaceable: bool = False
    shares_features: bool = True


def train(
    trials: Sequence[Trial],
    data: TrialData,
    *,
    threads: int = 1,
    attempt: int = 1,
    largest_pack: int = LARGEST_PACK,
    given: StagesByRole | None = None,
) -> Iterator[Progress | Record]:
    """Run trials with some of the settings that `Setting` has; see `train_in`."""
    yield from train_in(Setting(threads, attempt, largest_pack, given or {}), trials, data)


def train_in(
    setting: Setting, trials: Sequence[Trial], data: TrialData
) -> Iterator[Progress | Record]:
    """Run trials that share their data, those of one shape together where that is quicker.

    Where several processes train together, each has to run the same trials, and gives the same.

    Args:
        setting: how they are run.
        trials: of one phase and one data set.
        data: what these trials may see; without a test split for trials of the search.

    Yields:
        Progress after every epoch, and one Record per trial. An exception inside a trial becomes
        a failed record with its traceback, and the other trials go on.
    """
    session = _Session(data, setting)
    with computing(setting.threads):
        if any(own_functions(trial, setting.given)[0] for trial in trials):
            session.surroundings = Surroundings()
        for alike in by_key(trials):
            yield from session.train_known(alike)
            if session.spent:
                return


@contextmanager
def computing(threads: int) -> Iterator[None]:
    """Give PyTorch this many threads for its operations, and let tiny numbers be zero meanwhile.

    A processor takes ten times as long and more over numbers below 1e-38. Gradients that vanish
    over many steps or layers become such numbers: a step of an LSTM over 200 tokens took 340 ms
    with them and 40 ms without. Other code of the process gets its tiny numbers back afterwards.
    """
    torch.set_flush_denormal(True)  # where the processor can
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def train_again(
    trial: Trial, data: TrialData, *, threads: int, given: StagesByRole | None = None
) -> Record:
    """Train a trial that has a record once more, for its weights; see `train_in`.

    On a CPU, with as many threads as before, the weights are bit for bit those of the first time.

    Returns:
        Its record, with weights if it completed.
    """
    setting = Setting(threads, largest_pack=1, given=given or {})
    session = _Session(data, setting, keep_weights=True)
    with computing(threads):
        events = session.train_known([trial])
        return next(event for event in events if isinstance(event, Record))


def context_of(trial: Trial, data: TrialData, setting: Setting) -> PackContext:
    """Return what a pack of a trial is trained with, outside `train_in`."""
    return _Session(data, setting)._context(trial)


class _Session:
    """One call of `train_in`."""

    def __init__(self, data: TrialData, setting: Setting, *, keep_weights: bool = False):
        self.data, self.setting, self.keep_weights = data, setting, keep_weights
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.records = Recorder(self.device, setting.attempt)
        self.surroundings: Surroundings | None = None
        """State of the process that own code must not change; None where no trial has any."""
        self._data: dict[str, TrialData] = {}
        self.spent = False
        """Whether own code changed this process for good, and another one has to go on."""

    def train_known(self, trials: Sequence[Trial]) -> Iterator[Progress | Record]:
        """Train trials of one key; they fail if their own code is not that of the plan."""
        names, versions = own_functions(trials[0], self.setting.given)
        with OwnImports(names, versions) as own:
            self.records.own = own
            if names:
                forget_settings()
            if not (fault := own.fault()):
                yield from self._train(trials)
                return
            for trial in trials:
                self.records.start(trial)
                yield self.records.record(trial, State.FAILED, reason=fault)

    def _train(self, alike: Sequence[Trial]) -> Iterator[Progress | Record]:
        for trial in alike:
            self.records.start(trial)
        try:
            settings = read_settings(alike[0].workload)
        except Exception:  # such as of a package that is not installed here
            yield from [self.records.failed(trial) for trial in alike]
            return
        if settings.training is not None:
            yield from self.tidied(self.train_own(alike[0]))
        elif isinstance(settings.model, SimpleModel):
            yield self.simple_baseline(alike[0])
        else:
            yield from self.train_alike(alike, self.setting.largest_pack)

    def tidied(
        self,
        events: Generator[Progress | Record, None, str | None],
        before: Left = Left(),  # noqa: B008  (it is frozen)
    ) -> Generator[Progress | Record, None, str | None]:
        """Pass on events of own code, and put back what it changed in this process.

        Records are held back until then: they say what was changed.

        Args:
            events: of its trials.
            before: what changed while they were prepared.
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
            yield with_changes(record, left)
        return cause

    def _restore(self) -> Left:
        """Put back what own code changed; networks that were built meanwhile are forgotten."""
        left = self.surroundings.restore() if self.surroundings is not None else Left()
        if left != Left():
            forget_programs()
        return left

    def simple_baseline(self, trial: Trial) -> Record:
        """Fit a simple model."""
        self.records.meter.enter([trial.id])
        try:
            from threadpoolctl import threadpool_limits

            from harness.train.simple_baseline import fit_simple_baseline  # scikit-learn is slow

            with threadpool_limits(self.setting.threads):  # more would only wait for each other
                outcome = fit_simple_baseline(trial, self.data, self.setting.given)
            return self.records.record(trial, State.COMPLETE, outcome)
        except Exception:  # whatever a trial raises is its outcome
            return self.records.failed(trial)

    def train_own(self, trial: Trial) -> Generator[Progress | Record, None, str | None]:
        """Let a user's own function train."""
        how: dict[str, object] = {"size": 1, "reason": "alone: a training of your own"}
        setting = self.setting
        try:
            events = fit_own(trial, self.data, setting.threads, setting.given, setting.ranks)
            for event in events:
                told = self._told(trial, event, how)
                if told is not None:
                    yield told
        except Exception:
            yield self.records.failed(trial)
        return None

    def train_alike(self, trials: Sequence[Trial], largest: int) -> Iterator[Progress | Record]:
        """Train trials of one shape: choose a size, and halve it when memory runs out."""
        ranks = self.setting.ranks
        try:
            ordered = sorted(trials, key=_optimizer_of)
            if ranks is not None and ranks.sharded:
                size, reason = 1, f"alone: its weights are sharded over {ranks.world_size} workers"
            else:
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
            left = [trial for trial in pack if trial.id in self.records.running]
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
            if pack[0].id in self.records.running:
                yield self.records.failed(pack[0])
        return None

    def _train_pack(
        self, pack: Sequence[Trial], how: dict[str, object]
    ) -> Iterator[Progress | Record]:
        for trial in pack:
            self.records.start_again(trial)
        self.records.meter.enter(trial.id for trial in pack)
        if self.surroundings is not None:
            seed_generators(stream(pack[0].seed_of("order"), "own code"))
        context = self._context(pack[0])
        if self.setting.shares_features and self.setting.ranks is None:
            known = with_features(pack[0], context.program, self._data_for(pack[0]))
            if known is not None:
                context = self._placed(known, context.program)
                how["data"] = "features of the frozen encoder, computed once"
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
            record = self.records.record(trial, State.COMPLETE, event.outcome, how)
            stage = trial.phase is Phase.PRETRAINING and record.state is State.COMPLETE
            return replace(record, products=event.products) if stage else record
        if isinstance(event, Diverged):
            known = {} if event.begun is None else known_at_start(trial, event.begun)
            outcome = Outcome(known, cost=dict(event.cost))
            return self.records.record(trial, State.DIVERGED, outcome, how, event.reason)
        if isinstance(event, Pruned):
            return self.records.record(trial, State.PRUNED, event.outcome, how, event.reason)
        return self.records.progress(trial, event)

    def _probed(self, member: Fitted, how: dict[str, object]) -> Record:
        try:
            outcome = run_probes(member.trial, member)
        except Exception:  # a probe's failure is its trial's, not the pack's
            return self.records.failed(member.trial)
        record = self.records.record(member.trial, State.COMPLETE, outcome, how)
        if self.keep_weights or member.trial.phase is Phase.PRETRAINING:
            return replace(record, products=member.products())
        return record

    def _context(self, trial: Trial) -> PackContext:
        known, ranks = self._data_for(trial), self.setting.ranks
        if ranks is None or not ranks.sharded:
            return self._placed(known, program_for(trial, known.form, self.device))
        given = self.setting.given
        program = sharded_program(trial, known.form, self.device, ranks, given)
        return self._placed(known, program)

    def _placed(self, known: TrialData, program: Program) -> PackContext:
        data = on_device(known.examples, self.device, known.handling)
        test = None if known.test is None else DeviceData(known.test, self.device)
        given, ranks = self.setting.given, self.setting.ranks
        checkpoints, names = self.setting.checkpoints, (known.tokens, known.columns)
        return PackContext(data, test, known.form, program, given, *names, checkpoints, ranks)

    def _data_for(self, trial: Trial) -> TrialData:
        """Return the data, with samples and features of the stages that the trial uses."""
        used = {role: one for role, one in self.setting.given.items() if role in trial.sources}
        key = canonical_json(trial.sources)
        if key not in self._data:
            self._data[key] = data_of(self.data, used, self.device)
        return self._data[key]


def _optimizer_of(trial: Trial) -> str:
    """Return a key by which trials are sorted, so that equal optimizers stand side by side."""
    return repr(read_settings(trial.workload).scheduled)


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
    forget_programs()  # a CUDA graph holds the memory of the pack that it was made for
    if device.type == "cuda":
        torch.cuda.empty_cache()
