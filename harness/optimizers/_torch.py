"""Any optimizer of PyTorch by its class, checked without importing PyTorch.

Importing PyTorch takes seconds, and a study file is checked in an editor's time. So the names and
signatures of the classes are read from the installed sources.
"""

from __future__ import annotations

import ast
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from harness.errors import nearest
from harness.lazy import torch
from harness.optimizers._own import OfTorch

PREFIX = "torch.optim."
_NO_CHOICE = {"self", "params", "lr"}
_REFUSED = {
    "LBFGS": "it computes the loss several times a step (it needs a closure)",
    "SparseAdam": "it takes sparse gradients only",
    "Muon": "it takes matrices only, and networks have biases",
    "Optimizer": "it is the base class of the optimizers",
}


class TorchOptimizer(OfTorch):
    """Any class of torch.optim by name; its networks are trained alone, not in packs."""

    name: str = Field(pattern=r"^torch\.optim\.\w+$", description="such as torch.optim.Adadelta")
    lr: float = Field(gt=0, description="learning rate")

    def found(self) -> Any:
        """See `OfTorch`."""
        return getattr(torch.optim, self.name.removeprefix(PREFIX))

    @field_validator("name")
    @classmethod
    def _exists(cls, name: str) -> str:
        known, short = torch_optimizers(), name.removeprefix(PREFIX)
        if short in _REFUSED:
            raise ValueError(f"{name} cannot train here: {_REFUSED[short]}")
        if known and short not in known:
            suggestion = nearest(short, known)
            raise ValueError(f"torch.optim has no optimizer '{short}'{suggestion}")
        return name

    @model_validator(mode="after")
    def _known_settings(self) -> Self:
        known = torch_optimizers().get(self.name.removeprefix(PREFIX))
        for key in self.settings if known is not None else ():
            if key == "lr":
                raise ValueError("`lr` stands beside `settings`, not in them")
            if key not in known:  # type: ignore[operator]
                listed = ", ".join(sorted(known or ()))
                raise ValueError(
                    f"{self.name} has no setting '{key}'{nearest(key, known or ())}"
                    f" (known: {listed})"
                )
        return self


@cache
def torch_optimizers() -> dict[str, frozenset[str] | None]:
    """Return the optimizers of the installed PyTorch and the settings that each takes.

    None stands for settings that the source does not show. Empty where PyTorch is not installed.
    """
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return {}
    folder = Path(spec.origin).parent / "optim"
    found: dict[str, frozenset[str] | None] = {}
    for node in _parse(folder / "__init__.py").body:
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith(PREFIX):
            continue
        names = {item.name for item in node.names} - _REFUSED.keys()
        file = folder / f"{(node.module or '').removeprefix(PREFIX)}.py"
        if not any(name[0].isupper() for name in names) or not file.is_file():
            continue
        for part in _parse(file).body:
            if isinstance(part, ast.ClassDef) and part.name in names:
                found[part.name] = _arguments(part)
    return found


def _parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _arguments(defined: ast.ClassDef) -> frozenset[str] | None:
    """Return the names that the class's own constructor takes, None if it has none."""
    for part in defined.body:
        if isinstance(part, ast.FunctionDef) and part.name == "__init__":
            every = [*part.args.posonlyargs, *part.args.args, *part.args.kwonlyargs]
            return frozenset(argument.arg for argument in every) - _NO_CHOICE
    return None
