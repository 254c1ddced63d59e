"""Ray Tune set up to say and to send nothing, one thread to a trial."""

import logging
import os
import warnings


def be_quiet() -> None:
    """Set what Ray Tune, its callbacks and MLflow read when they are imported."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    os.environ |= {
        "OMP_NUM_THREADS": "1",
        "RAY_AIR_NEW_OUTPUT": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    }
