"""Graph capture: tensor operations that run again without autograd, vmap or modules around them.

`torch.func` turns one network's loss into a whole pack's gradients, but dispatches every operation
through its layers of Python and C++ each time: for small networks that costs more than the
arithmetic. The operations that reach the kernels are the same at every step, so they are recorded
once and called directly from then on. Recording takes about as long as running; `torch.fx` and
`torch.compile` do more, and need seconds before the first step.

A captured graph is right only for a function without data-dependent control flow, without
randomness and without state outside its arguments. What it can see of these, it refuses
(`NotCapturableError`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

TensorFunction = Callable[..., Sequence[Tensor]]

aten = torch.ops.aten
_UNCHANGED = {
    aten.expand.default,
    aten.view.default,
    aten._unsafe_view.default,
    aten.detach.default,
    aten.alias.default,
}
_IN_PLACE = {
    aten.add.Tensor: aten.add_.Tensor,
    aten.mul.Tensor: aten.mul_.Tensor,
    aten.relu.default: aten.relu_.default,
    aten.tanh.default: aten.tanh_.default,
    aten.sigmoid.default: aten.sigmoid_.default,
}
_SHAPE_ONLY = {
    aten.ones_like.default,
    aten.zeros_like.default,
    aten.new_zeros.default,
    aten.new_ones.default,
}
_LARGEST_CONSTANT = 1 << 20  # bytes that are kept rather than written anew
_REFUSED_TAGS = {
    torch.Tag.nondeterministic_seeded,
    torch.Tag.data_dependent_output,
    torch.Tag.dynamic_output_shape,
}


class NotCapturableError(RuntimeError):
    """An operation depends on the values it sees, or on a random generator."""


@dataclass
class _Call:
    """One operation; `operation` is an OpOverload, or in the end a function."""

    operation: Any
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]
    result: Any


class _Capture(TorchDispatchMode):
    """Writes down every operation that reaches the kernels. Holding the tensors keeps ids apart."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[_Call] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Keep PyTorch from importing its compiler, which takes seconds, to shield this from it."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        del types
        if _REFUSED_TAGS.intersection(func.tags):
            raise NotCapturableError(f"{func} cannot be part of a captured graph")
        result = func(*args, **(kwargs or {}))
        self.calls.append(_Call(func, args, kwargs or {}, result))
        return result


@dataclass(frozen=True)
class CapturedGraph:
    """A function that was run once.

    `run` gives the same outputs for the same inputs; `outputs` are those of the first time; `bytes`
    is the memory of all results along the way, more than is held at any one time; `calls` is the
    number of operations.
    """

    run: TensorFunction
    outputs: list[Tensor]
    bytes: int
    calls: int


def capture(function: TensorFunction, inputs: Sequence[Tensor]) -> CapturedGraph:
    """Run a function once and return the graph of its operations.

    Args:
        function: takes tensors and gives tensors; it must not change its arguments in place.
        inputs: of the shapes, types and devices that the graph will be used for.

    Raises:
        NotCapturableError: if the function draws random numbers or looks at values.
    """
    recorder = _Capture()
    with torch.no_grad(), recorder:
        outputs = list(function(*inputs))
    program = _simplify(recorder.calls, outputs)
    given = {tensor.untyped_storage().data_ptr() for tensor in inputs}
    memory = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for call in program.calls
        for tensor in _tensors(call.result)
        if tensor.untyped_storage().data_ptr() not in given
    }
    run = _compile(program, inputs, outputs)
    return CapturedGraph(run, outputs, sum(memory.values()), len(program.calls))


class _Program:
    """The calls that remain in a graph.

    `stands_for` leads from the id of a tensor to that of an equal one, `constants` holds what no
    argument has a part in, by id.
    """

    def __init__(self) -> None:
        self.calls: list[_Call] = []
        self.stands_for: dict[int, int] = {}
        self.constants: dict[int, Tensor] = {}
        self._made_by: dict[int, _Call] = {}

    def name(self, tensor: Tensor) -> int:
        """Return the id under which a tensor is computed."""
        found = id(tensor)
        while found in self.stands_for:
            found = self.stands_for[found]
        return found

    def maker(self, tensor: Tensor) -> _Call | None:
        """Return the call that computes a tensor, None for an argument."""
        return self._made_by.get(self.name(tensor))

    def add(self, call: _Call) -> None:
        """Take a call as it is."""
        self.calls.append(call)
        for tensor in _tensors(call.result):
            self._made_by[id(tensor)] = call

    def add_simplified(self, call: _Call) -> None:
        """Take a call of a function that changes nothing in place, if it is needed at all."""
        original = self._original(call)
        if original is not None:
            self.stands_for[id(call.result)] = id(original)
        elif self._is_constant(call):
            self.constants[id(call.result)] = call.result
        elif (turned := self._turned_product(call)) is not None:
            for part in turned:
                self.add_simplified(part)
            factors = tuple(part.result for part in turned)
            self.add(_Call(aten.bmm.default, factors, {}, call.result))
        else:
            self.add(call)

    def _original(self, call: _Call) -> Tensor | None:
        """Return the argument that the call's result is equal to, if there is one."""
        operation, arguments = call.operation, call.arguments
        if operation in _UNCHANGED:
            return cast(Tensor, arguments[0]) if _alike(call.result, arguments[0]) else None
        if operation is aten.mul.Scalar and arguments[1] == 1:
            return cast(Tensor, arguments[0])
        if operation is aten.transpose.int:
            before = self.maker(arguments[0])
            if (
                before is not None
                and before.operation is operation
                and _axes(before) == _axes(call)
            ):
                return cast(Tensor, before.arguments[0])
        return None

    def _is_constant(self, call: _Call) -> bool:
        if not isinstance(call.result, Tensor) or call.result.nbytes > _LARGEST_CONSTANT:
            return False
        inputs = [self.name(tensor) for tensor in _call_inputs(call)]
        return call.operation in _SHAPE_ONLY or all(name in self.constants for name in inputs)

    def _turned_product(self, call: _Call) -> list[_Call] | None:
        """Return what makes the factors of a product whose axes the call puts in another order.

        (A B)ᵀ = Bᵀ Aᵀ: gradients of weights are such products, and putting them in order afterwards
        takes as long as a quarter of a step. For some shapes the library rounds the two in
        different ways, so that a trial must take all its steps by the graph or none (see
        `PackedProgram`).
        """
        if call.operation is not aten.clone.default:
            return None
        view = self.maker(call.arguments[0])
        if view is None or view.operation is not aten.transpose.int or _axes(view) != {1, 2}:
            return None
        product = self.maker(view.arguments[0])
        if product is None or product.operation is not aten.bmm.default:
            return None
        return [
            _Call(aten.transpose.int, (factor, 1, 2), {}, factor.transpose(1, 2))
            for factor in reversed(product.arguments)
        ]


def _simplify(calls: list[_Call], outputs: Sequence[Tensor]) -> _Program:
    """Leave out what changes nothing and what nobody reads; reuse memory."""
    program = _Program()
    if any(call.operation._schema.is_mutable for call in calls):
        for call in calls:
            program.add(call)
        return program
    for call in calls:
        program.add_simplified(call)
    program.calls = _needed(program, outputs)
    _write_in_place(program, outputs)
    return program


def _alike(one: Tensor, other: Tensor) -> bool:
    """Whether two views of one memory are the same; the stride of a single element is no matter."""
    return one.shape == other.shape and all(
        size == 1 or a == b
        for size, a, b in zip(one.shape, one.stride(), other.stride(), strict=True)
    )


def _axes(call: _Call) -> set[int]:
    """Return the axes that a transposition swaps."""
    return {axis % call.result.ndim for axis in call.arguments[1:3]}


def _needed(program: _Program, outputs: Sequence[Tensor]) -> list[_Call]:
    wanted = {program.name(tensor) for tensor in outputs}
    kept = []
    for call in reversed(program.calls):
        if any(id(tensor) in wanted for tensor in _tensors(call.result)):
            kept.append(call)
            wanted.update(program.name(tensor) for tensor in _call_inputs(call))
    return kept[::-1]


def _write_in_place(program: _Program, outputs: Sequence[Tensor]) -> None:
    """Let an elementwise operation overwrite an argument that nothing else reads."""
    uses = Counter(program.name(tensor) for call in program.calls for tensor in _call_inputs(call))
    uses.update(program.name(tensor) for tensor in outputs)
    fresh: set[int] = set()
    for call in program.calls:
        if call.operation in _IN_PLACE and not call.keywords:
            _overwrite(call, program, fresh, uses)
        if not any(value.alias_info for value in call.operation._schema.returns) or (
            call.operation in _IN_PLACE.values()
        ):
            fresh.update(id(tensor) for tensor in _tensors(call.result))


def _overwrite(call: _Call, program: _Program, fresh: set[int], uses: Counter[int]) -> None:
    like = (call.result.shape, call.result.stride(), call.result.dtype)
    for position, argument in enumerate(call.arguments):
        if (
            isinstance(argument, Tensor)
            and program.name(argument) in fresh
            and uses[program.name(argument)] == 1
            and (argument.shape, argument.stride(), argument.dtype) == like
        ):
            others = [other for i, other in enumerate(call.arguments) if i != position]
            call.operation, call.arguments = _IN_PLACE[call.operation], (argument, *others)
            return


def _compile(
    program: _Program, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
) -> TensorFunction:
    """Write the calls as one Python function, each value dropped after its last use."""
    names = {id(tensor): f"input{i}" for i, tensor in enumerate(inputs)}
    scope: dict[str, Any] = {}

    def text(value: Any) -> str:
        if isinstance(value, Tensor):
            name = program.name(value)
            if name in program.constants:
                scope[f"constant{name}"] = program.constants[name]
                return f"constant{name}"
            if name not in names:
                raise NotCapturableError("a tensor came in that is neither argument nor result")
            return names[name]
        if isinstance(value, list | tuple):
            return "[" + ", ".join(text(item) for item in value) + "]"
        if value is None or isinstance(value, bool | int):
            return repr(value)
        scope[f"setting{len(scope)}"] = value
        return f"setting{len(scope) - 1}"

    last_use = _last_uses(program, outputs)
    lines = []
    for number, call in enumerate(program.calls):
        scope[f"operation{number}"] = getattr(call.operation, "_op", call.operation)
        arguments = [text(value) for value in call.arguments]
        arguments += [f"{key}={text(value)}" for key, value in call.keywords.items()]
        line = f"operation{number}({', '.join(arguments)})"
        several = isinstance(call.result, list | tuple)
        results = list(call.result) if several else [call.result]
        targets = []
        for index, value in enumerate(results):  # some operations give None in places
            targets.append(f"value{number}_{index}" if isinstance(value, Tensor) else "_")
            names[id(value)] = targets[-1]
        line = f"{', '.join(targets)}{',' if several else ''} = {line}"
        over = [names[used] for used in last_use[number] if used in names]
        lines.append("; ".join([line, *(f"{name} = None" for name in over)]))
    lines.append(f"return {text(list(outputs))}")
    header = f"def graph({', '.join(f'input{i}' for i in range(len(inputs)))}):"
    exec("\n    ".join([header, *lines]), scope)  # the text above, and nothing from outside
    return cast(TensorFunction, scope["graph"])


def _last_uses(program: _Program, outputs: Sequence[Tensor]) -> list[list[int]]:
    """Return, for each call, the computed tensors that nothing reads after it."""
    computed = {id(tensor) for call in program.calls for tensor in _tensors(call.result)}
    seen = {program.name(tensor) for tensor in outputs}
    last: list[list[int]] = []
    for call in reversed(program.calls):
        names = {program.name(tensor) for tensor in _call_inputs(call)}
        names |= {id(tensor) for tensor in _tensors(call.result)}
        last.append([name for name in names & computed if name not in seen])
        seen |= names
    return last[::-1]


def _call_inputs(call: _Call) -> Iterator[Tensor]:
    yield from _tensors(call.arguments)
    yield from _tensors(tuple(call.keywords.values()))


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in cast(Iterable[Any], value):
            yield from _tensors(item)
