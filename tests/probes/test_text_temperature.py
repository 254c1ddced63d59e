"""Texts of a model whose next character is known."""

import math
from types import SimpleNamespace

import pytest
import torch

from harness.metrics import metric_of
from harness.probes.text_temperature import TextTemperature, drawn

TOKENS = ["", "\ufffd", "a", "b", " "]


class Cycle(torch.nn.Module):
    """Says a, b, space, a, ... with a chance that grows as temperature falls."""

    def forward(self, inputs):
        scores = torch.zeros(*inputs.shape, 7)
        following = torch.where(inputs == 4, 2, inputs + 1).clamp(max=4)
        return scores.scatter(-1, following[..., None], 4.0)


def fitted():
    text = torch.tensor([2, 3, 4] * 11)[:32].expand(4, 32)
    splits = SimpleNamespace(
        train=SimpleNamespace(inputs=text), validation=SimpleNamespace(inputs=text)
    )
    return SimpleNamespace(
        network=Cycle(), tokens=TOKENS, splits=splits, seed=0, form=SimpleNamespace(shape=(32,))
    )


def test_low_temperatures_write_real_words_and_high_ones_vary():
    probe = TextTemperature(name="text_temperature", temperatures=[0.1, 1.0, 5.0])
    found = probe.measure(fitted()).metrics
    assert set(found) == set(probe.measures)
    assert found["real_words_10"] == 1
    assert found["text_entropy_10"] == pytest.approx(0, abs=1e-6)
    assert found["real_words_10"] > found["real_words_100"] > found["real_words_500"]
    chance = math.exp(0.8) / (math.exp(0.8) + 2)
    entropy = -chance * math.log2(chance) - (1 - chance) * math.log2((1 - chance) / 2)
    assert found["text_entropy_500"] == pytest.approx(entropy)
    assert found == probe.measure(fitted()).metrics


def test_no_character_is_drawn_that_does_not_exist():
    draws = torch.Generator().manual_seed(0)
    ids, _ = drawn(Cycle(), torch.tensor([[2, 3]]), 300, (5.0, 5, 8), draws)
    assert ids.shape == (1, 300)
    assert set(ids.unique().tolist()) == {2, 3, 4}


def test_its_metrics_are_known_by_name():
    assert metric_of("probe.real_words_150").bounds == (0, 1)
    assert metric_of("probe.text_entropy_50").unit == "bits"
