"""Networks as models in MLflow: logged with signature and example, registered on request."""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.track.addresses import without_credentials
from harness.track.facts import metric_key
from harness.track.mirror import SCRIBE

_NOT_IN_NAMES = re.compile(r"[^\w-]+")
_SERVED = Path(__file__).with_name("served.py")


class ModelError(Exception):
    """A model cannot be logged; the message says what to do."""


@dataclass(frozen=True)
class NetworkModel:
    """The network of one trial, as it is to be logged.

    Attributes:
        study: and `profile`, `arm`: what it is of.
        trial_id: of the trial that trained it, whose run it belongs to.
        folder: with the network's files.
        example: a few inputs (n, ...).
        outputs: the network's own predictions for the example (n, ...).
        metrics: of the trial, by name.
        params: settings worth showing.
        best: whether its arm is the study's best by validation.
    """

    study: str
    profile: str
    arm: str
    trial_id: str
    folder: Path
    example: NDArray[Any]
    outputs: NDArray[Any]
    metrics: Mapping[str, float]
    params: Mapping[str, Any] = field(default_factory=dict)
    best: bool = False


@dataclass(frozen=True)
class Logged:
    """A model in MLflow: what `mlflow.pyfunc.load_model` takes, and its registered version."""

    arm: str
    uri: str
    new: bool
    registered: str = ""


class ModelStore:
    """Logs and registers models on a tracking server or in its database.

    Args:
        tracking_uri: as `harness.track.resolve_uri` returns it.
    """

    def __init__(self, tracking_uri: str):
        address = without_credentials(tracking_uri)
        os.environ.update({**SCRIBE, "MLFLOW_LOGGING_LEVEL": "ERROR", **address.environment})
        import mlflow
        from mlflow.tracking.client import MlflowClient

        mlflow.set_tracking_uri(address.uri)
        self._client: Any = MlflowClient(address.uri, registry_uri=address.uri)

    def find(self, study: str, trial_id: str) -> str | None:
        """Return the id of the model that a trial's run has already."""
        found = self._client.search_logged_models(
            [self._experiment(study)], filter_string=f"tags.trial_id = '{trial_id}'"
        )
        ready = [model for model in found if str(model.status) == "READY"]
        return str(ready[0].model_id) if ready else None

    def log(self, model: NetworkModel, *, register: bool = False) -> Logged:
        """Log a model with its trial's run, unless it is there, and register it if asked to.

        Raises:
            ModelError: if MLflow does not know the trial.
        """
        known = self.find(model.study, model.trial_id)
        model_id = known or self._log(model)
        version = self._register(model, model_id) if register else ""
        return Logged(model.arm, f"models:/{model_id}", known is None, version)

    def _log(self, model: NetworkModel) -> str:
        from mlflow.entities import LoggedModelOutput, Metric

        experiment, run = self._experiment(model.study), self._run(model)
        tags = {
            "study": model.study, "profile": model.profile, "arm": model.arm,
            "trial_id": model.trial_id, "phase": "confirmation",
        }  # fmt: skip
        entity = self._client.create_logged_model(
            experiment,
            name=model_name(model.arm),
            source_run_id=run.info.run_id,
            tags=tags,
            params={name: str(value)[:500] for name, value in model.params.items()},
            model_type="harness network",
        )
        with _saved(model, entity.model_id, run.info.run_id) as folder:
            self._client.log_model_artifacts(entity.model_id, str(folder))
        self._client.finalize_logged_model(entity.model_id, "READY")
        self._client.log_outputs(run.info.run_id, [LoggedModelOutput(entity.model_id, 0)])
        moment = run.info.end_time or run.info.start_time
        data = run.inputs.dataset_inputs[0].dataset if run.inputs.dataset_inputs else None
        metrics = [
            Metric(
                metric_key(name), float(value), moment, 0, model_id=entity.model_id,
                dataset_name=data.name if data else None,
                dataset_digest=data.digest if data else None,
            )
            for name, value in model.metrics.items()
        ]  # fmt: skip
        self._client.log_batch(run.info.run_id, metrics)
        return str(entity.model_id)

    def _register(self, model: NetworkModel, model_id: str) -> str:
        """Make it a version of the study's registered model, with the arm as its alias."""
        import mlflow

        name = model.study
        versions = self._client.search_model_versions(f"name = '{name}'")
        version = next((v.version for v in versions if v.model_id == model_id), None)
        if version is None:
            tags = {"arm": model.arm, "profile": model.profile, "trial_id": model.trial_id}
            with contextlib.redirect_stderr(io.StringIO()):  # it says what it did, at length
                version = mlflow.register_model(f"models:/{model_id}", name, tags=tags).version
        for alias in [model_name(model.arm), *(["best"] if model.best else [])]:
            self._client.set_registered_model_alias(name, alias, version)
        return f"models:/{name}@{model_name(model.arm)}"

    def _experiment(self, study: str) -> str:
        found = self._client.get_experiment_by_name(study)
        if found is None:
            raise ModelError(f"MLflow has no experiment '{study}' there; run the study with it")
        return str(found.experiment_id)

    def _run(self, model: NetworkModel) -> Any:
        wanted = f"tags.trial_id = '{model.trial_id}' and tags.role = 'trial'"
        runs = self._client.search_runs([self._experiment(model.study)], wanted)
        if not runs:
            raise ModelError(
                f"MLflow has no run of the trial {model.trial_id} ({model.arm}); run the study"
                " again with this tracking server, and it gets what is missing"
            )
        return runs[0]


def model_name(arm: str) -> str:
    """Return a name that MLflow takes for models and aliases."""
    return _NOT_IN_NAMES.sub("-", arm).strip("-") or "arm"


@contextlib.contextmanager
def _saved(model: NetworkModel, model_id: str, run_id: str) -> Iterator[Path]:
    """Write the files of an MLflow model to a folder, which is gone afterwards."""
    import mlflow.pyfunc
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    def schema(array: NDArray[Any]) -> Schema:
        return Schema([TensorSpec(np.dtype(array.dtype), (-1, *array.shape[1:]))])

    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        folder = Path(place) / "model"
        warnings.simplefilter("ignore")  # MLflow would like type hints, the signature says more
        mlflow.pyfunc.save_model(
            folder,
            mlflow_model=Model(run_id=run_id, model_id=model_id),
            python_model=str(_SERVED),
            artifacts={"network": str(model.folder)},
            signature=ModelSignature(schema(model.example), schema(model.outputs)),
            input_example=model.example,
            pip_requirements=_requirements(),
            metadata={"study": model.study, "arm": model.arm, "trial_id": model.trial_id},
        )
        yield folder


def _requirements() -> Sequence[str]:
    from importlib.metadata import version

    return [f"{name}=={version(name).partition('+')[0]}" for name in ("mlflow", "numpy", "torch")]
