"""The same study as Ray Tune runs it: OptunaSearch, its MLflow callback, reused actors.

Run by the other benchmarks in a process of its own: `python -m benchmarks.ray_tune_study --loop
handbook --trials 64 --epochs 12 --folder F` prints one JSON object with the times.

Tune is set up as its documentation advises for many short trials: a class trainable, actors that
are reused, one processor a trial, no checkpoints, no console output, one Tuner for all arms (a
Tuner for each arm, which is what our searches are equivalent to, would start eight times).
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks._quiet_tune import be_quiet

BEGAN = time.time()
LOOPS = ("handbook", "engine", "nothing")
ARMS = [
    (activation, depth) for activation in ("relu", "leaky_relu", "gelu", "tanh") for depth in (2, 4)
]
WIDTH, BATCH = 64, 64


def main() -> None:
    """Run the study and print when it began to train, and when all was done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loop", choices=LOOPS, required=True)
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    folder = options.folder.resolve()
    be_quiet()
    import ray
    from ray import tune
    from ray.air.integrations.mlflow import MLflowLoggerCallback
    from ray.tune.search.optuna import OptunaSearch

    ray.init(
        "local",  # whatever else runs here
        num_cpus=options.cpus,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.CRITICAL,
    )
    nothing = options.loop == "nothing"

    epochs = 1 if nothing else options.epochs
    shared = tune.with_parameters(
        _trainable(), loop=options.loop, epochs=epochs, data=None if nothing else _data()
    )
    tuner = tune.Tuner(
        tune.with_resources(shared, {"cpu": 1}),
        tune_config=tune.TuneConfig(
            search_alg=OptunaSearch(propose, metric="accuracy", mode="max", seed=0),
            num_samples=options.trials,
            max_concurrent_trials=options.cpus,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            storage_path=str(folder),
            stop={"training_iteration": epochs},
            verbose=0,
            callbacks=[
                MLflowLoggerCallback(
                    tracking_uri=f"sqlite:///{folder / 'mlflow.db'}", experiment_name="study"
                )
            ],
        ),
    )
    ready = time.time()
    results: Any = tuner.fit()
    finished = [result.metrics for result in results if not result.error]
    ray.shutdown()
    print(
        json.dumps(
            {
                "trials": len(finished),
                "ready": ready,
                "training": min(metrics["began"] for metrics in finished),
                "accuracy": max(metrics["accuracy"] for metrics in finished),
                "ended": time.time(),
                "wall": time.time() - BEGAN,
            }
        )
    )


def propose(trial: Any) -> dict[str, Any]:
    """Let Optuna choose the learning rate; arms and seeds come in turn."""
    trial.suggest_float("lr", 1e-4, 3e-2, log=True)
    return {"arm": trial.number % len(ARMS), "seed": trial.number // len(ARMS)}


def _trainable() -> Any:
    """Return the class; Ray Tune is imported only when it is wanted."""
    from ray import tune

    class Study(tune.Trainable):
        """One trial; an iteration is an epoch."""

        def setup(
            self, config: dict[str, Any], loop: str = "", epochs: int = 1, data: Any = None
        ) -> None:
            """Start a trial in a fresh actor."""
            self.loop, self.epochs, self.data = loop, epochs, data
            self.reset_config(config)

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            """Start the next trial in the same actor."""
            self.began = time.time()
            activation, depth = ARMS[new_config["arm"]]
            settings = (activation, depth, new_config["lr"], new_config["seed"], self.epochs)
            if self.loop == "nothing":
                self.steps: Iterator[dict[str, float]] = iter([{"accuracy": 0.5}])
            elif self.loop == "handbook":
                self.steps = handbook(self.data, *settings)
            else:
                self.steps = engine(self.data, *settings)
            return True

        def step(self) -> dict[str, float]:
            """Train for an epoch."""
            return {**next(self.steps), "began": self.began}

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            """Keep nothing."""

        def load_checkpoint(self, checkpoint: Any) -> None:
            """Nothing was kept."""

    return Study


def _data() -> Any:
    from harness.trial import Phase
    from harness.workloads import data_root, load

    return load({"name": "digits", "validation_fraction": 0.2}, data_root()).for_phase(
        Phase.CONFIRMATION
    )


def handbook(
    data: Any, activation: str, depth: int, lr: float, seed: int, epochs: int
) -> Iterator[dict[str, float]]:
    """Train as the handbook does: images transformed one by one, a DataLoader, a plain loop."""
    import numpy as np
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, Dataset
    from torchvision import transforms

    from harness.workloads import split

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.3,), (0.37,))])

    class Images(Dataset[Any]):
        def __init__(self, examples: Any, chosen: Any):
            pixels = (examples.inputs[chosen, 0] * 255).astype(np.uint8)
            self.images, self.labels = pixels[..., None], examples.targets[chosen]

        def __len__(self) -> int:
            return len(self.labels)

        def __getitem__(self, index: int) -> Any:
            return transform(self.images[index]), int(self.labels[index])

    chosen, held_out = split(data.examples.targets, 0.2, seed)
    train = DataLoader(Images(data.examples, chosen), batch_size=BATCH, shuffle=True)
    validation = DataLoader(Images(data.examples, held_out), batch_size=BATCH)
    everything = np.arange(len(data.test.targets))
    test = DataLoader(Images(data.test, everything), batch_size=BATCH)
    layers: list[nn.Module] = [nn.Flatten()]
    kinds = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "gelu": nn.GELU, "tanh": nn.Tanh}
    for index in range(depth):
        layers += [nn.Linear(64 if index == 0 else WIDTH, WIDTH), kinds[activation]()]
    model = nn.Sequential(*layers, nn.Linear(WIDTH, 10))
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)

    def score(loader: Any) -> float:
        model.eval()
        correct = count = 0
        with torch.no_grad():
            for images, labels in loader:
                correct += int((model(images).argmax(dim=1) == labels).sum().item())
                count += len(labels)
        return correct / count

    for epoch in range(1, epochs + 1):
        model.train()
        total = 0.0
        for images, labels in train:
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
        found = {"loss": total / len(train), "accuracy": score(validation)}
        if epoch == epochs:
            found["test_accuracy"] = score(test)
        yield found


def engine(
    data: Any, activation: str, depth: int, lr: float, seed: int, epochs: int
) -> Iterator[dict[str, float]]:
    """Train through our engine, one trial at a time."""
    from benchmarks.trials import adam, make_trial, mlp
    from harness.train import train
    from harness.trial import Record

    model = mlp(depth, WIDTH, activation)
    trial = make_trial(
        "digits", seed, model=model, optimizer=adam(lr), epochs=epochs, batch_size=BATCH
    )
    point: dict[str, float] | None = None
    for event in train([trial], data, threads=1):
        if point is not None and not isinstance(event, Record):
            yield point
        if isinstance(event, Record):
            last = dict(point or {})
            last["test_accuracy"] = event.metrics["test.accuracy"]
            yield last
        else:
            shown = event.points[-1]
            point = {"loss": shown["train.loss"], "accuracy": shown["validation.accuracy"]}


if __name__ == "__main__":
    main()
