"""From Ray's errors to the causes that a report may print: told apart, without addresses."""

from __future__ import annotations

import re

from ray import exceptions

from harness.cluster.executor import Loss

_NODE_SIGNS = ("its node has died", "node was terminated")
KILLED = "the worker process died: it crashed, or it was killed"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def explain(error: BaseException) -> tuple[Loss, str]:
    """Return the kind of a loss and a sentence about it; no host names or addresses."""
    text = str(error)
    match error:
        case exceptions.RuntimeEnvSetupError():
            return Loss.ERROR, "the worker's environment could not be set up"
        case exceptions.RayTaskError():
            return Loss.ERROR, f"an error outside a trial: {_exception_in(text)}"
        case exceptions.OutOfMemoryError():
            return Loss.MEMORY, "the worker was killed because its node ran out of memory"
        case exceptions.NodeDiedError() | exceptions.LocalRayletDiedError():
            return Loss.NODE, "the worker's node was lost"
        case exceptions.ObjectLostError():
            return Loss.NODE, "an object was lost with the node that held it"
        case exceptions.ActorUnavailableError():
            return Loss.NODE, "the worker's node cannot be reached"
        case exceptions.RayActorError() if error.actor_init_failed:
            return Loss.ERROR, f"the worker could not start: {_exception_in(text)}"
        case exceptions.RayActorError() if error.preempted:
            return Loss.PREEMPTED, "the worker's node was preempted"
        case exceptions.RayActorError() if any(sign in text for sign in _NODE_SIGNS):
            return Loss.NODE, "the worker's node was lost"
        case exceptions.RayActorError():
            return Loss.WORKER, _death(text)
    return Loss.ERROR, f"{type(error).__name__}: {_exception_in(text)}"


def _death(text: str) -> str:
    """Say how a process ended. Ray does not know which signal it was that killed one."""
    code = re.search(r"with an exit code (\d+)", text)
    if code:
        return f"the worker process ended with exit code {code.group(1)}"
    return KILLED


def _exception_in(text: str) -> str:
    """Return the exception that ends a traceback, without Ray's header and colours."""
    lines = _COLOURS.sub("", text).strip().splitlines()
    inside = [number for number, line in enumerate(lines) if line.startswith("  ")]
    return "\n".join(lines[inside[-1] + 1 if inside else 0 :]) or "unknown"
