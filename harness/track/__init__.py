"""The mirror of records in MLflow. The only package that knows MLflow, and only when it is used.

`results/` is the truth; what is here may lag, fail or be thrown away, and the next execution of
the study sends whatever is missing. The work is done by a process of its own at low priority
(`harness.track.writer`), so that neither MLflow's imports nor its arithmetic delay training.
"""

from __future__ import annotations

from harness.track.addresses import redact, resolve_uri
from harness.track.messages import ArmSummary, DataInfo, ExecutionInfo, MirrorStatus, TrialInfo
from harness.track.mirror import Mirror

__all__ = [
    "ArmSummary",
    "DataInfo",
    "ExecutionInfo",
    "Mirror",
    "MirrorStatus",
    "TrialInfo",
    "redact",
    "resolve_uri",
    "serve_ui",
]


def serve_ui(
    tracking_uri: str | None, host: str = "127.0.0.1", port: int = 5000, *, results: str = "results"
) -> int:
    """Serve the MLflow UI until Ctrl-C; see `harness.track.ui.serve_ui`."""
    from harness.track.ui import serve_ui as serve

    return serve(tracking_uri, host, port, results=results)
