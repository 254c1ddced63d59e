"""The handbook's MNIST network as Ray Tune runs it, with OptunaSearch and its MLflow callback.

Run by `benchmarks.short_study` in a process of its own; prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from pathlib import Path
from typing import Any

from benchmarks._quiet_tune import be_quiet


def main() -> None:
    """Run the study, and print how many trials it had and when they began and ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--images", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--root", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    be_quiet()
    import ray
    from ray import tune
    from ray.air.integrations.mlflow import MLflowLoggerCallback
    from ray.tune.search.optuna import OptunaSearch

    ray.init(
        "local",  # whatever else runs here
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.CRITICAL,
    )
    given = tune.with_parameters(
        train, root=options.root, images=options.images, epochs=options.epochs
    )
    results: Any = tune.Tuner(
        tune.with_resources(given, {"cpu": 1}),
        param_space={"lr": tune.loguniform(1e-4, 1e-2)},
        tune_config=tune.TuneConfig(
            num_samples=options.trials,
            metric="accuracy",
            mode="max",
            search_alg=OptunaSearch(seed=0),
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            storage_path=str(options.folder.resolve() / "tune"),
            verbose=0,
            callbacks=[
                MLflowLoggerCallback(
                    tracking_uri=f"sqlite:///{options.folder.resolve() / 'mlflow.db'}",
                    experiment_name="short",
                )
            ],
        ),
    ).fit()
    done = [result.metrics for result in results if not result.error]
    ray.shutdown()
    print(
        json.dumps(
            {
                "trials": len(done),
                "first": min(metrics["began"] for metrics in done),
                "last": max(metrics["ended"] for metrics in done),
                "seconds": sum(metrics["ended"] - metrics["began"] for metrics in done),
            }
        )
    )


def train(config: dict[str, Any], root: str, images: int, epochs: int) -> None:
    """Train one network in the handbook's way, and report it."""
    import torch
    from ray import tune
    from torch.utils.data import Subset
    from torchvision import datasets, transforms

    from benchmarks.loops import Sets, handbook_loop
    from benchmarks.networks import digit_classifier

    began = time.time()
    torch.set_num_threads(1)
    transform = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))]
    )
    digits = datasets.MNIST(root, train=True, transform=transform)
    held_out = Subset(digits, range(50_000, 52_000))
    tested = datasets.MNIST(root, train=False, transform=transform)
    sets = Sets(Subset(digits, range(images)), held_out, Subset(tested, range(2_000)))
    accuracy = handbook_loop(sets, lambda: digit_classifier((1, 28, 28), 10), epochs, config["lr"])
    tune.report({"accuracy": accuracy, "began": began, "ended": time.time()})


if __name__ == "__main__":
    main()
