"""From Ray's errors to the causes that a report may print: told apart, without addresses."""

from __future__ import annotations

import re

from ray import exceptions

from harness.cluster.executor import Loss

_NODE_SIGNS = ("node has died", "node died", "node was terminated", "Node Id:")
_MEMORY_SIGNS = ("out of memory", "OUT_OF_MEMORY", "running low on memory", "(OOM)")


def explain(error: BaseException) -> tuple[Loss, str]:
    """Return the kind of a loss and a sentence about it; no host names or addresses."""
    text = str(error)
    if isinstance(error, exceptions.RuntimeEnvSetupError):
        return Loss.ERROR, f"the worker's environment could not be set up: {error.error_message}"
    if isinstance(error, exceptions.RayActorError) and error.actor_init_failed:
        return Loss.ERROR, f"the worker could not start: {_last_lines(text)}"
    if isinstance(error, exceptions.RayTaskError):
        return Loss.ERROR, f"an error outside a trial: {_last_lines(text)}"
    if isinstance(error, exceptions.RayActorError) and error.preempted:
        return Loss.PREEMPTED, "the worker's node was preempted"
    if isinstance(error, exceptions.OutOfMemoryError) or _has(text, _MEMORY_SIGNS):
        return Loss.MEMORY, "the worker was killed because its node ran out of memory"
    if isinstance(
        error, exceptions.NodeDiedError | exceptions.LocalRayletDiedError
    ) or _has(text, _NODE_SIGNS):
        return Loss.NODE, "the worker's node was lost"
    if isinstance(error, exceptions.ObjectLostError):
        return Loss.NODE, "a result was lost with the node that held it"
    if isinstance(error, exceptions.ActorUnavailableError):
        return Loss.NODE, "the worker could not be reached"
    return Loss.WORKER, f"the worker process died{_exit_detail(text)}"


def _has(text: str, signs: tuple[str, ...]) -> bool:
    return any(sign.lower() in text.lower() for sign in signs)


def _exit_detail(text: str) -> str:
    """Return what Ray says about the end of the process, in brackets, if it says it."""
    code = re.search(r"exit code (-?\d+)|signal (\d+)", text, re.IGNORECASE)
    return f" ({code.group(0)})" if code else ""


def _last_lines(text: str, lines: int = 12) -> str:
    shown = "\n".join(text.strip().splitlines()[-lines:])
    return re.sub(r"\bip=[^,)\s]+(, )?", "", shown)
