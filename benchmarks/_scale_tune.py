"""Trials that do nothing, or sleep, as Ray Tune runs them on the same cluster.

Run by `benchmarks.scale` in a process of its own; prints one JSON object. Tune is set up as its
documentation advises for many short trials: a class trainable, reused actors, one processor a
trial, no checkpoints, no loggers, no console output. It searches with Optuna and keeps no MLflow,
so that it has less to do than the harness.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks._quiet_tune import be_quiet

MARKS = 20


def propose(trial: Any) -> dict[str, Any]:
    """Ask Optuna for one hyperparameter; at module level, since Tune keeps its searcher."""
    trial.suggest_float("lr", 1e-4, 3e-2, log=True)
    return {}


def main() -> None:
    """Run until the trials, or the time, are over; print the marks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=0.0, help="that a trial sleeps")
    parser.add_argument("--budget", type=float, required=True, help="seconds for all of it")
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    be_quiet()
    import ray
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    ray.init(options.address, log_to_driver=False, logging_level=logging.CRITICAL)
    sleep = options.seconds

    class Idle(tune.Trainable):
        """A trial of one iteration."""

        def setup(self, config: dict[str, Any]) -> None:
            """Need nothing."""

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            """Let the actor be used again."""
            return True

        def step(self) -> dict[str, float]:
            """Sleep."""
            if sleep:
                time.sleep(sleep)
            return {"accuracy": 0.5}

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            """Keep nothing."""

        def load_checkpoint(self, checkpoint: Any) -> None:
            """Nothing was kept."""

    class Marks(tune.Callback):
        """Notes time, processor time and memory every so many trials."""

        done = 0
        marks: list[dict[str, float]] = []  # noqa: RUF012

        def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
            """Count."""
            del iteration, trials, trial
            self.done += 1
            if self.done == 1 or self.done % max(1, options.trials // MARKS) == 0:
                memory = psutil.Process().memory_info().rss / 1e6
                mark = {"time": time.time(), "cpu": time.process_time(), "memory": memory}
                self.marks.append({"trials": self.done, **mark})

    marks = Marks()

    tuner = tune.Tuner(
        tune.with_resources(Idle, {"cpu": 1}),
        tune_config=tune.TuneConfig(
            search_alg=OptunaSearch(propose, metric="accuracy", mode="max", seed=0),
            num_samples=options.trials,
            max_concurrent_trials=options.slots,
            reuse_actors=True,
            time_budget_s=options.budget,
        ),
        run_config=tune.RunConfig(
            storage_path=str(options.folder.resolve()),
            stop={"training_iteration": 1},
            verbose=0,
            callbacks=[marks],
        ),
    )
    begin = time.time()
    tuner.fit()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(
        json.dumps(
            {
                "trials": marks.done,
                "wall": time.time() - begin,
                "cpu": time.process_time(),
                "memory": memory,
                "marks": marks.marks,
            }
        )
    )


if __name__ == "__main__":
    main()
