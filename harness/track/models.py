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

from harness.formatting import as_file_name
from harness.track.addresses import conceal, without_credentials
from harness.track.client import every
from harness.track.mirror import CLIENT_ENVIRONMENT
from harness.track.runs import metric_key

_RESERVED = re.compile(r"best|latest|v\d+", re.IGNORECASE)
"""Aliases that mean something else."""

_SERVED = Path(__file__).with_name("served.py")


class ModelError(Exception):
    """A model cannot be logged; the message says what to do."""


@dataclass(frozen=True)
class Subject:
    """What a model is of; `best` says whether its arm is the study's best by validation."""

    study: str
    profile: str
    arm: str
    trial_id: str
    best: bool = False


@dataclass(frozen=True)
class NetworkModel:
    """The network of a winner's trial, as it is to be logged.

    Attributes:
        folder: with the network's files.
        example: a few inputs (n, ...).
        outputs: the network's own predictions for the example (n, ...).
        metrics: of the trial, by name.
        params: settings worth showing.
    """

    folder: Path
    example: NDArray[Any]
    outputs: NDArray[Any]
    metrics: Mapping[str, float]
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Logged:
    """A model in MLflow: what `mlflow.pyfunc.load_model` takes, and its registered version."""

    arm: str
    uri: str
    new: bool
    registered: str = ""


class ModelStore:
    """Logs and registers models on a tracking server, or in a database: see `open_models`."""

    def __init__(self, tracking_uri: str, client: Any):
        self._uri = tracking_uri
        self._client = client
        self._there: dict[str, dict[str, str]] = {}

    def known(self, of: Subject, *, register: bool = False) -> Logged | None:
        """Return the model that the winner's run has already, registered if that is asked for.

        Raises:
            ModelError: if MLflow does not know the study, or cannot be asked.
        """
        with self._told():
            if of.study not in self._there:
                self._there[of.study] = self._models(of.study)
            found = self._there[of.study].get(of.trial_id)
            return self._logged(of, found, new=False, register=register) if found else None

    def log(self, of: Subject, model: NetworkModel, *, register: bool = False) -> Logged:
        """Log a model with its trial's run, and register it if asked to.

        Raises:
            ModelError: if MLflow does not know the trial, or cannot be asked.
        """
        with self._told():
            return self._logged(of, self._log(of, model), new=True, register=register)

    def _models(self, study: str) -> dict[str, str]:
        """Return the id of each model of a study that was logged whole, by its trial."""
        models = every(self._client.search_logged_models, [self._experiment(study)])
        ready = (model for model in models if str(model.status) == "READY")
        return {one.tags["trial_id"]: str(one.model_id) for one in ready if "trial_id" in one.tags}

    def _logged(self, of: Subject, model_id: str, *, new: bool, register: bool) -> Logged:
        version = self._register(of, model_id) if register else ""
        return Logged(of.arm, f"models:/{model_id}", new, version)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Tell of MLflow's troubles in a line without secrets."""
        from mlflow.exceptions import MlflowException

        try:
            yield
        except MlflowException as error:
            text = conceal(" ".join(str(error).split()), self._uri)[:300]
            raise ModelError(f"MLflow does not take it ({text})") from None

    def _log(self, of: Subject, model: NetworkModel) -> str:
        from mlflow.entities import LoggedModelOutput, Metric

        experiment, run = self._experiment(of.study), self._run(of)
        tags = {
            "study": of.study, "profile": of.profile, "arm": of.arm,
            "trial_id": of.trial_id, "phase": "confirmation",
        }  # fmt: skip
        entity = self._client.create_logged_model(
            experiment,
            name=model_name(of.arm),
            source_run_id=run.info.run_id,
            tags=tags,
            params={name: str(value)[:500] for name, value in model.params.items()},
            model_type="harness network",
        )
        with _saved(of, model, entity.model_id, run.info.run_id) as folder:
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

    def _register(self, of: Subject, model_id: str) -> str:
        """Make it a version of the study's registered model, with the arm as its alias."""
        import mlflow

        name = of.study
        versions = self._client.search_model_versions(f"name = '{name}'")
        version = next((v.version for v in versions if v.model_id == model_id), None)
        if version is None:
            tags = {"arm": of.arm, "profile": of.profile, "trial_id": of.trial_id}
            with contextlib.redirect_stderr(io.StringIO()):  # it says what it did, at length
                version = mlflow.register_model(f"models:/{model_id}", name, tags=tags).version
        for alias in [model_name(of.arm), *(["best"] if of.best else [])]:
            self._client.set_registered_model_alias(name, alias, version)
        return f"models:/{name}@{model_name(of.arm)}"

    def _experiment(self, study: str) -> str:
        found = self._client.get_experiment_by_name(study)
        if found is None:
            raise ModelError(f"MLflow has no experiment '{study}' there; run the study with it")
        return str(found.experiment_id)

    def _run(self, of: Subject) -> Any:
        wanted = f"tags.trial_id = '{of.trial_id}' and tags.role = 'trial'"
        runs = self._client.search_runs([self._experiment(of.study)], wanted)
        if not runs:
            raise ModelError(
                f"MLflow has no run of the trial {of.trial_id} ({of.arm}); run the study"
                " again with this tracking server, and it gets what is missing"
            )
        return runs[0]


@contextlib.contextmanager
def open_models(tracking_uri: str) -> Iterator[ModelStore]:
    """Open the models of a tracking server; afterwards MLflow is set as it was before.

    Args:
        tracking_uri: as `harness.track.resolve_uri` returns it.
    """
    address = without_credentials(tracking_uri)
    settings = {**CLIENT_ENVIRONMENT, "MLFLOW_LOGGING_LEVEL": "ERROR", **address.environment}
    before = {name: os.environ.get(name) for name in (*settings, "MLFLOW_TRACKING_URI")}
    os.environ.update(settings)
    import mlflow
    from mlflow.tracking.client import MlflowClient

    known: Any = mlflow  # which has functions without types
    uri = known.get_tracking_uri() if known.is_tracking_uri_set() else None
    mlflow.set_tracking_uri(address.uri)
    try:
        yield ModelStore(tracking_uri, MlflowClient(address.uri, registry_uri=address.uri))
    finally:
        known.set_tracking_uri(uri)
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def model_name(arm: str) -> str:
    """Return a name that MLflow takes for models and aliases, another one for each arm."""
    return as_file_name(f"arm {arm}" if _RESERVED.fullmatch(arm) else arm)


@contextlib.contextmanager
def _saved(of: Subject, model: NetworkModel, model_id: str, run_id: str) -> Iterator[Path]:
    """Write the files of an MLflow model to a folder, which is gone afterwards."""
    import mlflow.pyfunc
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    def schema(array: NDArray[Any]) -> Schema:
        return Schema([TensorSpec(np.dtype(array.dtype), (-1, *array.shape[1:]))])

    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings(record=True):
        folder = Path(place) / "model"
        mlflow.pyfunc.save_model(
            folder,
            mlflow_model=Model(run_id=run_id, model_id=model_id),
            python_model=str(_SERVED),
            artifacts={"network": str(model.folder)},
            signature=ModelSignature(schema(model.example), schema(model.outputs)),
            input_example=model.example,
            pip_requirements=_requirements(),
            metadata={"study": of.study, "arm": of.arm, "trial_id": of.trial_id},
        )
        yield folder


def _requirements() -> Sequence[str]:
    from importlib.metadata import version

    return [f"{name}=={version(name).partition('+')[0]}" for name in ("mlflow", "numpy", "torch")]
