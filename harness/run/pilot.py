"""Runs a pilot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.errors import InputError
from harness.judge.examples import Layout
from harness.plan import FIXED, Plan, Winner, data_key
from harness.plan.pilot import FEWEST, TOGETHER, TUNING, Pilot, pilot_trial, pilot_trials, refusal
from harness.run.arm_search import ArmSearch
from harness.run.prepare import REUSABLE
from harness.search import best, next_round
from harness.stats.sources import spread_of_examples
from harness.store import Store, conductor_lock, open_store
from harness.trial import CLUSTER, LABEL, WEIGHT, Outcomes, Record, State, Trial
from harness.workloads import Dataset, data_root, load

Tell = Callable[[str], None]


def run_pilot(
    plan: Plan,
    results: Path,
    data: Path | None = None,
    *,
    seeds: int = 10,
    searches: int = 1,
    tell: Tell = lambda _: None,
) -> Pilot:
    """Train the baseline with one source of randomness varied at a time; keep the spreads.

    Trials are trained in this process, and stored as all others; what has a record is not trained
    again. None of them is evidence. The test split is read, as by a confirmation trial, but the
    result of the baseline alone says nothing of a claim that compares arms.

    Args:
        plan: of the study (`harness.run.prepare`).
        results: the folder of the records.
        data: the folder of data files; None for the usual one.
        seeds: trainings for each source, at least 3.
        searches: how often the baseline's search is done. The first one, which is that of the
            study, gives the settings of all trials; three and more show the luck of tuning.
        tell: is told what is being done, a line each.

    Raises:
        InputError: if the sources cannot be told apart, or too few trainings complete.
        DataMissingError: if its data cannot be had.
        StoreError: if the results folder cannot be used.
    """
    arm = plan.baseline
    reason = refusal(plan)
    if reason:
        raise InputError(f"no pilot of the baseline '{arm.name}': {reason}")
    dataset = load(arm.workload["data"], data_root(data))
    plan = replace(plan, fingerprints={data_key(arm.workload): dataset.fingerprint})
    with conductor_lock(results), closing(open_store(results)) as store:
        training = _Training(plan, store, dataset, tell)
        winners = training.winners(searches) if plan.space(arm) is not None else []
        trials = pilot_trials(plan, seeds, winners[0] if winners else FIXED)
        trials[TUNING] = [pilot_trial(plan, winner) for winner in winners]
        training.train("pilot", [trial for each in trials.values() for trial in each])
        found = _pilot(plan, store, trials, winners)
    found.write(results)
    return found


class _Training:
    """Trains what has no record yet, in this process."""

    def __init__(self, plan: Plan, store: Store, dataset: Dataset, tell: Tell):
        self._plan, self._store, self._dataset, self._tell = plan, store, dataset, tell

    def train(self, what: str, trials: Iterable[Trial]) -> None:
        """Train trials of one phase."""
        from harness.train import Setting, train_in

        states = self._store.states()
        new = {t.id: t for t in trials if states.get(t.id) not in REUSABLE}
        if not new:
            return
        self._tell(f"{what}: {len(new)} trainings")
        missing = list(new.values())
        data = self._dataset.for_phase(missing[0].phase)
        for event in train_in(Setting(self._plan.study.resources.cpus), missing, data):
            if isinstance(event, Record):
                self._store.add_records([event])

    def winners(self, searches: int) -> Sequence[Winner]:
        """Return the winner of each of so many searches of the baseline."""
        study = self._plan.study
        assert study.search is not None
        search = study.search.model_copy(update={"repeats": searches})
        plan = replace(self._plan, study=study.model_copy(update={"search": search}))
        run = ArmSearch(plan, plan.baseline, self._store.searches, next_round, best)
        items = run.start()
        while items:
            self.train("search", [item.trial for item in items])
            items = [more for item in items for more in run.take(self._record(item.trial))]
        return run.winners()

    def _record(self, trial: Trial) -> Record:
        record = self._store.record(trial.id)
        assert record is not None
        return record


def _pilot(
    plan: Plan, store: Store, trials: Mapping[str, list[Trial]], winners: Sequence[Winner]
) -> Pilot:
    records = {
        trial.id: record
        for each in trials.values()
        for trial in each
        if (record := store.record(trial.id)) is not None
    }
    complete = {id_: r for id_, r in records.items() if r.state is State.COMPLETE}
    mine = [complete[t.id] for t in trials[TOGETHER] if t.id in complete]
    if len(mine) < FEWEST:
        why = next((r.reason for r in records.values() if r.reason), "they have no records")
        last = why.strip().splitlines()[-1]
        raise InputError(f"only {len(mine)} of the pilot's first trainings completed: {last}")
    kept = store.outcomes([record.trial_id for record in mine])
    names = [n for n in mine[0].metrics if n.startswith(("test.", "validation.", "probe."))]
    values = {
        source: {
            name: [complete[t.id].metrics[name] for t in each
                   if t.id in complete and name in complete[t.id].metrics]
            for name in names
        }
        for source, each in trials.items()
    }  # fmt: skip
    return Pilot(
        plan.study.study,
        plan.profile,
        plan.baseline.name,
        trials[TOGETHER][0].id,
        values,
        {source: [trial.id for trial in each] for source, each in trials.items()},
        luck_of_examples(plan, [kept[r.trial_id] for r in mine if r.trial_id in kept]),
        len(winners),
        dict(winners[0].parameters) if winners else {},
        len(records) - len(complete),
    )


def luck_of_examples(
    plan: Plan, outcomes: Sequence[Outcomes]
) -> dict[str, tuple[float, float, int]]:
    """Return, by metric, the variance of the mean over the test examples; see `Pilot`.

    Examples that depend on each other count as clusters, as in a verdict. Metrics that are no mean
    over examples are left out, as are test splits of too few clusters.

    Args:
        plan: knows the metrics.
        outcomes: of each training, all with the same test examples.
    """
    if not outcomes or not outcomes[0]:
        return {}
    layout = Layout.of(outcomes[0])
    if not layout.shows_examples or not all(layout.is_that_of(one) for one in outcomes):
        return {}
    found = {}
    for name in outcomes[0]:
        if name in (CLUSTER, LABEL, WEIGHT) or plan.metric(name).root:
            continue
        rows = [np.asarray(one[name], dtype=np.float64) for one in outcomes if name in one]
        if len(rows) >= FEWEST and len({row.shape for row in rows}) == 1 and rows[0].size > 1:
            squares = layout.squares(np.stack(rows))
            one = spread_of_examples(squares)
            found[name] = (one.deviation**2, one.degrees, squares.examples)
    return found
