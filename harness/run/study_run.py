"""One study from its plan to its verdicts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace

from harness.cluster import Head
from harness.plan import Plan
from harness.publish import FOLDER, Published
from harness.run.ahead import begun_ray
from harness.run.beginning import begin_execution
from harness.run.conductor import Conductor, Session
from harness.run.finished import reuse
from harness.run.leaks import check_leaks
from harness.run.observer import Closing, Observer
from harness.run.outcome import RunOptions, RunResult
from harness.run.prepare import (
    check_workers,
    data_configs,
    prepare,
)
from harness.run.reports import check_writable
from harness.run.same_data import check_same_data
from harness.run.workers import Workers
from harness.store import StoreError, conductor_lock, open_store
from harness.study import LoadedStudy
from harness.workloads import data_root, load


def run_study(
    loaded: LoadedStudy, options: RunOptions, observers: Sequence[Observer] = ()
) -> RunResult:
    """Run or resume a study: train what has no record yet, judge the claims, write the report.

    Of a finished study that nothing has changed since, what came of it is returned as it is.

    Raises:
        DataMissingError: if its data can not be had; nothing was written then.
        StoreError: if the results folder cannot be used.
        InputError: if the cluster cannot be joined or the reports cannot be written.
        ClusterError: if the cluster breaks down; everything recorded is safe.
        KeyboardInterrupt: passed on after everything recorded is safe.
    """
    begin = time.monotonic()
    check_workers(loaded, in_process=options.in_process)
    plan = prepare(loaded, data_root(options.data))
    found = reuse(plan, loaded.file, options, observers)
    if found is not None:
        return found
    for observer in observers:
        observer.awaited()
    try:
        return _run_anew(plan, Session(loaded, options, observers, begin))
    except BaseException:
        for observer in observers:
            observer.called_off()
        raise


def _run_anew(plan: Plan, session: Session) -> RunResult:
    with begun_ray(plan.study, session.options) as head:
        return _run_with(head, plan, session)


def _run_with(head: Head | None, plan: Plan, session: Session) -> RunResult:
    options, root = session.options, data_root(session.options.data)
    datasets = {key: load(config, root) for key, config in data_configs(plan).items()}
    plan = replace(plan, fingerprints={key: data.fingerprint for key, data in datasets.items()})
    check_leaks(plan, datasets, session.loaded, root)
    check_same_data(plan, datasets, session.loaded)
    check_writable(options.reports, plan.study.study)
    with conductor_lock(options.results), closing(open_store(options.results)) as store:
        store.check()
        if options.retrain_damaged:
            store.searches.drop_damaged()
        published = Published(options.results / FOLDER)
        published.check(plan.study.study)
        workers = Workers(plan, store, options, list(datasets.values()), head)
        with closing(workers):
            conductor = Conductor(plan, store, session, workers)
            conductor.check()
            begun = begin_execution(
                plan, store, list(datasets.values()), session.loaded, live=options.live
            )
            conductor.execution = begun
            return _train_and_judge(conductor, published)


def _train_and_judge(conductor: Conductor, published: Published) -> RunResult:
    store, session = conductor.store, conductor.session
    try:
        conductor.run()
        conductor.time_blocks()
        status = "failed" if conductor.counts["failed"] else "finished"
        status = "stopped" if conductor.stopped else status
        store.end_execution(conductor.execution, status, session.seconds())
    except BaseException as error:
        _close_early(conductor, "interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
        raise
    try:
        return _judge(conductor, status, published)
    except KeyboardInterrupt:
        _close_early(conductor, "interrupted")
        raise


def _close_early(conductor: Conductor, status: str) -> None:
    """Close an execution that did not come to its end, and tell everyone."""
    session = conductor.session
    with suppress(StoreError):  # it may be what is in trouble
        conductor.store.end_execution(conductor.execution, status, session.seconds())
    ending = Closing(status, conductor.counts, session.seconds(), (), None, conductor.costs())
    for observer in session.observers:
        with suppress(OSError):  # of a terminal that is gone; the others are told all the same
            observer.closed(ending)


def _judge(conductor: Conductor, status: str, published: Published) -> RunResult:
    """Judge what has been trained, write the report and tell everyone."""
    from harness.run.reports import conclude
    from harness.run.results import Results

    plan, session = conductor.plan, conductor.session

    def so_far(result: RunResult) -> RunResult:
        seconds, costs = session.seconds(), conductor.costs()
        counts, stopped = conductor.counts, conductor.stopped
        return replace(result, counts=counts, wall_seconds=seconds, costs=costs, stopped=stopped)

    result = conclude(
        Results(conductor.store, published),
        (plan.study.study, plan.profile),
        session.options.reports,
        lambda judged: conductor.tell("judged", Closing.of(status, so_far(judged))),
    )
    result = so_far(result)
    conductor.tell("closed", Closing.of(status, result))
    return result
