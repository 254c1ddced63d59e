"""An arm's network as MLflow loads it. This file travels with each logged model and stays small."""

# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201

import warnings
from importlib import import_module
from pathlib import Path

import mlflow
from mlflow.pyfunc import PythonModel

# MLflow would have the inputs' shape, which the data decide. It warns whatever the filters say.
with warnings.catch_warnings(record=True):

    class Network(PythonModel):
        """Predicts with a network that the package `harness` builds from plain numbers."""

        def load_context(self, context):
            """Build the network; nothing is unpickled."""
            try:
                serving = import_module("harness.train.serving")  # where it is used, not here
            except ModuleNotFoundError as error:
                raise ModuleNotFoundError(
                    f"this model is built by the package harness ({error}); install it to use it"
                ) from error
            self._predictor = serving.Predictor(Path(context.artifacts["network"]))

        def predict(self, context, model_input, params=None):
            """Return probabilities of classes, or predicted numbers, for inputs (n, ...)."""
            return self._predictor(model_input)


mlflow.models.set_model(Network())
