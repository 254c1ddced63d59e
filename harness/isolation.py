"""Code of a user's own leaves no traces: what it changes in its process is put back, and said.

Imports no PyTorch; where PyTorch is loaded, its settings count as well.
"""

from __future__ import annotations

import gc
import locale
import multiprocessing
import operator
import os
import random
import signal
import sys
import sysconfig
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

GRACE_SECONDS = 0.5  # that threads and processes have to end by themselves
_INSTALLED = tuple(
    {os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")}
)
_HARNESS = str(Path(__file__).parent)
_TOLERATED = ("tqdm.",)  # whose thread watches progress bars and changes nothing
_UNTOLD = ("warning filters",)  # which most libraries change when they are imported
_FP32 = ("cuda.matmul", "cudnn.conv", "cudnn.rnn", "mkldnn.matmul", "mkldnn.conv", "mkldnn.rnn")


@dataclass(frozen=True)
class Left:
    """What code left behind: what was put back, and what could not be."""

    undone: tuple[str, ...] = ()
    remains: tuple[str, ...] = ()

    def and_(self, other: Left) -> Left:
        """Return what both say, each thing once."""
        return Left(
            tuple(dict.fromkeys(self.undone + other.undone)),
            tuple(dict.fromkeys(self.remains + other.remains)),
        )


class Surroundings:
    """What a process holds now that code may change; `restore` puts it back, as often as asked.

    Generators of random numbers go back as well, and modules of the user's own that were imported
    since are forgotten, so that they begin afresh and do again what they do when imported.
    """

    def __init__(self) -> None:
        self._settings = [(what, get, put, _tried(get)) for what, get, put in _settings()]
        self._fixed = [(what, get, _tried(get)) for what, get in _fixed()]
        self._generators = [(put, get()) for get, put in _generators()]
        self._spaces = [(space, dict(vars(space))) for space in _namespaces()]
        self._modules = set(sys.modules)
        self._threads = set(threading.enumerate())
        self._children = {child.pid for child in _children()}

    def restore(self) -> Left:
        """Put back what was changed, and compare; call it on the thread that trains."""
        undone: list[str] = []
        remains = self._still_running()
        for what, get, put, before in self._settings:
            if _tried(get) != before:
                with suppress(Exception):  # the comparison below tells
                    put(before)
                if what not in _UNTOLD:
                    (undone if _tried(get) == before else remains).append(what)
        remains += [what for what, get, before in self._fixed if _tried(get) != before]
        for space, before in self._spaces:
            for name in _changed(space, before):
                place = f"{getattr(space, '__name__', space)}.{name}"
                (undone if _put_back(space, name, before) else remains).append(place)
        for put, state in self._generators:
            put(state)
        for name in set(sys.modules) - self._modules:
            if is_own(getattr(sys.modules[name], "__file__", None)):
                del sys.modules[name]
        return Left(tuple(undone), tuple(dict.fromkeys(remains)))

    def _still_running(self) -> list[str]:
        """Say which threads and processes go on; processes are ended."""
        found = []
        end = time.monotonic() + GRACE_SECONDS
        for thread in set(threading.enumerate()) - self._threads - {threading.current_thread()}:
            if type(thread).__module__.startswith(_TOLERATED):
                continue
            thread.join(max(0.0, end - time.monotonic()))
            if thread.is_alive():
                named = not thread.name.startswith("Thread-")
                found.append(f"thread {thread.name}" if named else "thread")
        for child in _children():
            if child.pid in self._children or _is_tracker(child):
                continue
            with suppress(Exception):
                child.wait(max(0.0, end - time.monotonic()))
                continue
            with suppress(Exception):
                child.kill()
                child.wait(GRACE_SECONDS)
            found.append("child process")
        return found


@contextmanager
def untouched() -> Iterator[None]:
    """Put back whatever is changed meanwhile."""
    surroundings = Surroundings()
    try:
        yield
    finally:
        surroundings.restore()


@contextmanager
def generators_kept() -> Iterator[None]:
    """Leave generators of random numbers as they were."""
    before = [(put, get()) for get, put in _generators()]
    try:
        yield
    finally:
        for put, state in before:
            put(state)


def seed_generators(seed: int) -> None:
    """Seed Python's and NumPy's generators, and PyTorch's where it is loaded."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  (a user's code may use it)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)


def is_own(file: str | None) -> bool:
    """Tell whether a file of code is the user's: no installed package, and none of the harness."""
    if not file or file.startswith("<"):
        return False
    place = os.path.realpath(file)
    return not place.startswith((*_INSTALLED, _HARNESS)) and "site-packages" not in place


_Get = Callable[[], Any]
_Put = Callable[[Any], object]


def _settings() -> list[tuple[str, _Get, _Put]]:
    """Return what can be read and put back: what it is called, and how."""
    set_locale = partial(locale.setlocale, locale.LC_ALL)  # without a value it says which it is
    found: list[tuple[str, _Get, _Put]] = [
        ("environment variables", lambda: dict(os.environ), _put_environment),
        ("working directory", os.getcwd, os.chdir),
        ("umask", _umask, os.umask),
        (
            "sys.path",
            lambda: list(sys.path),
            lambda v: operator.setitem(sys.path, slice(None), v),
        ),
        ("recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
        ("locale", set_locale, set_locale),
        ("garbage collection", gc.isenabled, lambda on: gc.enable() if on else gc.disable()),
        ("warning filters", lambda: list(warnings.filters), _put_filters),
        (
            "start method of processes",
            partial(multiprocessing.get_start_method, allow_none=True),
            partial(multiprocessing.set_start_method, force=True),
        ),
        ("NumPy's error handling", np.geterr, lambda how: np.seterr(**how)),
        ("signal handlers", _handlers, _put_handlers),
        (
            "timer",
            lambda: signal.getitimer(signal.ITIMER_REAL)[0] > 0,
            lambda _: signal.setitimer(signal.ITIMER_REAL, 0.0),
        ),
    ]
    torch = sys.modules.get("torch")
    return found + _torch_settings(torch) if torch is not None else found


def _torch_settings(torch: Any) -> list[tuple[str, _Get, _Put]]:
    backends = torch.backends
    cudnn = ("enabled", "benchmark", "deterministic")

    def put_device(device: Any) -> None:
        torch.set_default_device(None if device.type == "cpu" else device)

    def autocast() -> tuple[bool, ...]:
        return tuple(torch.is_autocast_enabled(kind) for kind in ("cpu", "cuda"))

    def put_autocast(on: tuple[bool, ...]) -> None:
        for kind, enabled in zip(("cpu", "cuda"), on, strict=True):
            torch.set_autocast_enabled(kind, enabled)

    def deterministic() -> tuple[bool, bool, bool]:
        warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
        fill = torch.utils.deterministic.fill_uninitialized_memory
        return torch.are_deterministic_algorithms_enabled(), warn_only, fill

    def put_deterministic(how: tuple[bool, bool, bool]) -> None:
        torch.use_deterministic_algorithms(how[0], warn_only=how[1])
        torch.utils.deterministic.fill_uninitialized_memory = how[2]

    def put_cudnn(flags: list[bool]) -> None:
        for name, value in zip(cudnn, flags, strict=True):
            setattr(backends.cudnn, name, value)

    def put_onednn(on: bool) -> None:
        backends.mkldnn.enabled = on

    def tiny_is_zero() -> bool:
        tiny = torch.full((), 1e-310, dtype=torch.float64, device="cpu")
        return float(tiny * 1.0) == 0.0

    return [
        ("default device", torch.get_default_device, put_device),
        ("default number type", torch.get_default_dtype, torch.set_default_dtype),
        ("deterministic mode", deterministic, put_deterministic),
        ("precision of matrix products", _precisions, _put_precisions),
        ("gradient mode", torch.is_grad_enabled, torch.set_grad_enabled),
        ("anomaly detection", torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
        ("autocast", autocast, put_autocast),
        ("cuDNN flags", lambda: [getattr(backends.cudnn, name) for name in cudnn], put_cudnn),
        ("oneDNN", lambda: backends.mkldnn.enabled, put_onednn),
        ("tiny numbers", tiny_is_zero, torch.set_flush_denormal),
        ("number of threads", torch.get_num_threads, torch.set_num_threads),
        ("hooks of all modules", _hooks, _put_hooks),
    ]  # fmt: skip


def _fixed() -> list[tuple[str, _Get]]:
    """Return what can be read and compared, but not put back."""
    torch = sys.modules.get("torch")
    return [] if torch is None else [("inter-op threads", torch.get_num_interop_threads)]


def _generators() -> list[tuple[_Get, _Put]]:
    found: list[tuple[_Get, _Put]] = [
        (random.getstate, random.setstate),
        (np.random.get_state, np.random.set_state),
    ]
    torch = sys.modules.get("torch")
    if torch is not None:
        found.append((torch.get_rng_state, torch.set_rng_state))
        if torch.cuda.is_initialized():
            found.append((torch.cuda.get_rng_state_all, torch.cuda.set_rng_state_all))
    return found


def _tried(get: _Get) -> Any:
    try:
        return get()
    except Exception as error:  # such as a working directory that is gone
        return type(error)


def _put_environment(before: Mapping[str, str]) -> None:
    for name in set(os.environ) - set(before):
        del os.environ[name]
    for name, value in before.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    time.tzset()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _put_filters(filters: list[Any]) -> None:
    warnings.filters[:] = filters  # type: ignore[index]
    with warnings.catch_warnings():  # at whose end what was shown once may be shown again
        pass


def _handlers() -> dict[int, Any]:
    return {int(number): signal.getsignal(number) for number in signal.valid_signals()}


def _put_handlers(before: Mapping[int, Any]) -> None:
    for number, handler in before.items():
        if signal.getsignal(number) is not handler and handler is not None:
            signal.signal(number, handler)


def _fp32_places() -> list[Any]:
    """Return what has a precision of products of 32-bit numbers: the default, then each device."""
    backends = sys.modules["torch"].backends
    return [backends, *(operator.attrgetter(path)(backends) for path in _FP32)]


def _precisions() -> list[str]:
    return [place.fp32_precision for place in _fp32_places()]


def _put_precisions(before: Sequence[str]) -> None:
    sys.modules["torch"].set_float32_matmul_precision("highest")
    for place, precision in zip(_fp32_places(), before, strict=True):
        place.fp32_precision = precision


def _hooks() -> dict[str, dict[Any, Any]]:
    module = sys.modules["torch.nn.modules.module"]
    return {
        name: dict(value)
        for name, value in vars(module).items()
        if name.startswith("_global_") and isinstance(value, dict)
    }


def _put_hooks(before: Mapping[str, Mapping[Any, Any]]) -> None:
    module = sys.modules["torch.nn.modules.module"]
    for name, hooks in before.items():
        held = getattr(module, name)
        held.clear()
        held.update(hooks)


def _namespaces() -> list[Any]:
    """Return the modules and classes whose functions code is most likely to replace."""
    names = ["builtins", "math", "os", "random", "time", "numpy", "numpy.random", "torch"]
    names += ["torch.nn.functional", "torch.nn.init", "torch.nn", "torch.optim", "torch.utils.data"]
    spaces: list[Any] = [sys.modules[name] for name in names if name in sys.modules]
    for name in ("torch.nn", "torch.optim", "torch.utils.data"):
        module = sys.modules.get(name)
        spaces += [v for v in vars(module).values() if isinstance(v, type)] if module else []
    torch = sys.modules.get("torch")
    return [*spaces, torch.Tensor] if torch is not None else spaces


def _changed(space: Any, before: Mapping[str, Any]) -> list[str]:
    """Return the functions that are not what they were; of modules, new ones may come by import."""
    now = vars(space)
    changed = [
        name
        for name, value in before.items()
        if now.get(name) is not value and _is_code(value) and not _is_of_torch(now.get(name))
    ]
    if isinstance(space, type):
        added = [(n, v) for n, v in now.items() if n not in before]
        changed += [n for n, v in added if is_own(_file_of(v))]
    return changed


def _put_back(space: Any, name: str, before: Mapping[str, Any]) -> bool:
    """Put a function back if it was replaced by code of the user's own; a library does it once."""
    now = vars(space).get(name)
    if now is not None and not is_own(_file_of(now)):
        return False
    try:
        setattr(space, name, before[name]) if name in before else delattr(space, name)
    except (AttributeError, TypeError):
        return False
    return True


def _is_of_torch(value: Any) -> bool:
    """Whether PyTorch itself put it there, as it does when parts of it are first used."""
    return f"{os.sep}torch{os.sep}" in (_file_of(value) or "")


def _is_code(value: Any) -> bool:
    kinds = (staticmethod, classmethod, property)
    return (callable(value) or isinstance(value, kinds)) and not isinstance(value, ModuleType)


def _file_of(value: Any) -> str | None:
    """Return the file of a function's or a class's code."""
    function = getattr(value, "__func__", None) or getattr(value, "fget", None) or value
    code = getattr(function, "__code__", None)
    if code is not None:
        return str(code.co_filename)
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    return getattr(module, "__file__", None)


def _children() -> list[Any]:
    import psutil

    return [c for c in psutil.Process().children() if c.status() != psutil.STATUS_ZOMBIE]


def _is_tracker(child: Any) -> bool:
    """Whether a process is the one with which Python frees shared memory."""
    with suppress(Exception):
        return "resource_tracker" in " ".join(child.cmdline())
    return True  # it is gone
