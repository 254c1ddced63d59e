"""Where results come from: the version of the code, of packages, and the machine."""

from __future__ import annotations

import hashlib
import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


@cache
def package_version() -> str:
    """Hash the whole package (16 hexadecimal digits): equal ones make equal plans and reports."""
    package = Path(__file__).parent
    hashed = hashlib.sha256()
    for file in sorted(file for file in package.rglob("*") if file.is_file()):
        if "__pycache__" not in file.parts:
            hashed.update(str(file.relative_to(package)).encode())
            hashed.update(file.read_bytes())
    return hashed.hexdigest()[:16]


PACKAGES = (
    "harness", "torch", "torchvision", "numpy", "scipy", "scikit-learn", "optuna", "ray", "mlflow",
    "pandas", "transformers",
)  # fmt: skip


def environment() -> dict[str, str]:
    """Return versions and the kind of machine; host names, users and paths stay out."""
    found = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count()),
        "code": package_version(),
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
