"""A captured step as one CUDA graph, where a measurement finds that quicker.

Launching the kernels of a small network one by one takes longer than their work. A graph launches
the same kernels with the same numbers in one go, so that the choice changes no result.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from harness.train.graph_capture import TensorFunction

CAPTURE_AT_USE = 3  # with the same weights: a pack that is only measured is not worth a graph
GAIN = 0.95  # a graph must take less than this share of the time
_TIMED = 5


class Replayed:
    """A function of inputs, targets and state that is captured with the state it is used with.

    The results of a graph lie where those of its last run lay: they must be used before the next.
    """

    def __init__(self, function: TensorFunction):
        self._function = function
        self._graph: Callable[[Tensor, Tensor], Sequence[Tensor]] | None = None
        self._state: list[weakref.ref[Tensor]] = []
        self._uses = 0
        self._pays: bool | None = None
        self.reason = ""
        """How it is launched and why, once that has been measured."""

    def __call__(self, *arguments: Tensor) -> Sequence[Tensor]:
        """Return what the function returns."""
        state = arguments[2:]
        if not self._state or any(
            kept() is not now for kept, now in zip(self._state, state, strict=True)
        ):
            self._state = [weakref.ref(tensor) for tensor in state]
            self._uses, self._graph = 0, None
        self._uses += 1
        if self._uses == CAPTURE_AT_USE and self._pays is not False:
            self._graph = self._captured(arguments)
        if self._graph is None:
            return self._function(*arguments)
        return self._graph(arguments[0], arguments[1])

    def _captured(
        self, arguments: Sequence[Tensor]
    ) -> Callable[[Tensor, Tensor], Sequence[Tensor]] | None:
        try:
            graph = graph_of(self._function, arguments)
        except RuntimeError as error:  # out of memory, or an operation that no graph can hold
            self._pays, self.reason = False, f"kernel by kernel: {str(error).partition(chr(10))[0]}"
            return None
        if self._pays is None:
            one_by_one = seconds(lambda: self._function(*arguments))
            together = seconds(lambda: graph(arguments[0], arguments[1]))
            self._pays = together < GAIN * one_by_one
            way = "one CUDA graph" if self._pays else "kernel by kernel"
            times = f"{1e6 * together:.0f} µs a step as a graph, {1e6 * one_by_one:.0f} µs without"
            self.reason = f"{way}: {times}"
        return graph if self._pays else None


def graph_of(
    function: TensorFunction, arguments: Sequence[Tensor]
) -> Callable[[Tensor, Tensor], Sequence[Tensor]]:
    """Return a graph of a function with its state, to be called with inputs and targets.

    Raises:
        RuntimeError: if it cannot be captured.
    """
    given = [tensor.clone() for tensor in arguments[:2]]
    state = arguments[2:]
    stream = torch.cuda.Stream()  # libraries set themselves up outside the capture
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        function(*given, *state)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.no_grad(), torch.cuda.graph(graph):
        results = function(*given, *state)

    def replay(inputs: Tensor, targets: Tensor) -> Sequence[Tensor]:
        given[0].copy_(inputs)
        given[1].copy_(targets)
        graph.replay()
        return results

    return replay


def seconds(step: Callable[[], object]) -> float:
    """Return the least time of a step on the GPU."""
    step()
    return min(timed(step) for _ in range(_TIMED))


def timed(take: Callable[[], object]) -> float:
    """Return the seconds that something takes, what it leaves to a GPU included."""
    _synchronize()
    begin = time.perf_counter()
    take()
    _synchronize()
    return time.perf_counter() - begin


def _synchronize() -> None:
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
