"""The pytest plugin: runs the tests of a suite on each of its cases.

It is loaded in every session of pytest where this package is installed, and so imports nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.register_assert_rewrite(
    *(f"harness.testing.{suite}" for suite in ("models", "data", "optimizers", "objectives"))
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give the tests of a suite their cases."""
    cases = getattr(metafunc.cls, "harness_cases", None)
    if cases is not None and "case" in metafunc.fixturenames:
        metafunc.parametrize("case", cases, ids=_label, scope="class")


def _label(case: object) -> str:
    config = case[0] if isinstance(case, tuple) else case
    return "-".join(map(str, config.values())) if isinstance(config, dict) else str(config)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Train on one thread: small networks are slower on several."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
