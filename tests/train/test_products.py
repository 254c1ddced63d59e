"""Large products of matrices by oneDNN, where a processor of AMD is wider than MKL believes."""

import pytest
import torch
from torch import Tensor

from harness.train import products
from harness.train.graph_capture import capture
from harness.train.products import is_large, multiply


@pytest.fixture
def preferred(monkeypatch):
    if not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        pytest.skip("this PyTorch is without oneDNN")
    monkeypatch.setattr(products, "prefers_onednn", lambda: True)


def factors(members: int, m: int, k: int, n: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    draw = [
        torch.randn(*shape, generator=generator) for shape in ((members, m, k), (members, k, n))
    ]
    return draw[0], draw[1]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("members", [1, 3])
def test_products_are_those_of_bmm(members, turned):
    left, right = factors(members, 54, 300, 200)
    if turned:  # gradients come as transposed views
        left, right = right.mT, left.mT
    product = multiply(left, right)
    assert product.is_contiguous()
    torch.testing.assert_close(product, torch.bmm(left, right), rtol=1e-4, atol=1e-4)


def test_a_member_is_multiplied_as_it_would_be_alone():
    left, right = factors(5, 54, 300, 200)
    together = multiply(left, right)
    for i in range(5):
        assert torch.equal(together[i : i + 1], multiply(left[i : i + 1].clone(), right[i : i + 1]))


def test_only_large_products_of_single_precision_go_to_onednn(preferred):
    assert is_large(*factors(1, 64, 784, 64))
    assert is_large(*factors(8, 64, 784, 64))
    assert not is_large(*factors(64, 64, 64, 64))
    assert not is_large(*(factor.double() for factor in factors(1, 64, 784, 64)))


def test_other_processors_keep_their_library(monkeypatch):
    monkeypatch.setattr(products, "processor", lambda: "Intel(R) Xeon(R) Platinum")
    products.prefers_onednn.cache_clear()
    try:
        assert not is_large(*factors(1, 64, 784, 64))
    finally:
        products.prefers_onednn.cache_clear()


def test_recordings_of_steps_use_it_and_others_do_not(preferred, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "harness.train.graph_capture.multiply", lambda *given: seen.append(1) or multiply(*given)
    )
    given = factors(2, 64, 784, 64)
    usual, quick = (
        capture(lambda a, b: [torch.bmm(a, b)], given, quick_products=quick)
        for quick in (False, True)
    )
    assert torch.equal(usual.run(*given)[0], torch.bmm(*given))
    assert not seen
    torch.testing.assert_close(quick.run(*given)[0], torch.bmm(*given), rtol=1e-4, atol=1e-4)
    assert seen
