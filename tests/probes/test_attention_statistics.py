"""Entropy and diversity of attention whose weights are known; prefixes that are cut."""

import math
from types import SimpleNamespace

import pytest
import torch

from harness.data.pairs import Pairs
from harness.data_spec import Form
from harness.models.recurrent import Recurrent
from harness.models.transformer import Transformer
from harness.probes.attention_statistics import AttentionStatistics, _diversity, _entropy
from harness.probes.cut_prefixes import CutPrefixes
from harness.probes.free_running import FreeRunning

FORM = Form((8,), 6, "sequence", 8)
EVERY = torch.ones(1, 1, 4, 4, dtype=torch.bool)


def fitted(network, initial=None):
    data = Pairs(name="pairs", length=4, symbols=6, examples=20, test=12).load(None)
    test = SimpleNamespace(
        inputs=torch.from_numpy(data.test.inputs), targets=torch.from_numpy(data.test.targets)
    )
    return SimpleNamespace(network=network, initial=initial, splits=SimpleNamespace(test=test))


def make(**settings):
    torch.manual_seed(0)
    return Transformer(name="transformer", width=16, **settings).build(FORM).eval()


def test_entropy_is_one_where_all_weights_are_equal_and_zero_at_one_step():
    equal = torch.full((2, 3, 4, 4), 0.25, dtype=torch.float64)
    assert _entropy([(equal, EVERY)]) == pytest.approx(1)
    assert _entropy([(torch.eye(4).double().expand(2, 3, 4, 4), EVERY)]) == 0
    causal = torch.ones(4, 4).tril().double()
    causal = (causal / causal.sum(1, keepdim=True)).expand(2, 3, 4, 4)
    assert _entropy([(causal, EVERY.tril())]) == pytest.approx(1)


def test_diversity_is_zero_of_equal_heads_and_one_bit_of_heads_that_never_meet():
    eye = torch.eye(4).double()
    same = torch.stack([eye, eye])[None]
    apart = torch.stack([eye, eye.roll(1, 1)])[None]
    assert _diversity([(same, EVERY)]) == 0
    assert _diversity([(apart, EVERY)]) == pytest.approx(1)
    assert _diversity([(same, EVERY), (apart, EVERY)]) == pytest.approx(0.5)


def test_the_probe_looks_before_and_after():
    probe = AttentionStatistics(name="attention_statistics", examples=12)
    found = probe.measure(fitted(make(), make(layers=1))).metrics
    assert set(found) == {"attention_entropy", "attention_entropy_start", "head_diversity"}
    assert all(0 < value < 1 for value in found.values())
    assert "head_diversity" not in probe.measure(fitted(make(heads=1))).metrics


def test_scores_that_are_not_scaled_sharpen_attention():
    probe = AttentionStatistics(name="attention_statistics", examples=12)
    entropies = []
    for scaling in (True, False):
        torch.manual_seed(0)
        model = Transformer(name="transformer", width=256, heads=1, scaling=scaling)
        entropies.append(probe.measure(fitted(model.build(FORM))).metrics["attention_entropy"])
    assert entropies[1] < entropies[0] - 0.1


@pytest.mark.parametrize(("causal", "sees"), [(True, False), (False, True)])
def test_a_network_that_looks_ahead_loses_by_the_cut(causal, sees):
    found = CutPrefixes(name="cut_prefixes").measure(fitted(make(causal=causal))).metrics
    assert found["prefix_bits"] > 0
    assert (abs(found["lookahead_bits"]) > 1e-3) == sees
    assert 0 <= found["prefix_accuracy"] <= 1


def test_a_recurrent_network_is_cut_alike():
    network = Recurrent(name="recurrent", width=8, embedding=4).build(FORM).eval()
    found = CutPrefixes(name="cut_prefixes", positions=2).measure(fitted(network)).metrics
    assert found["lookahead_bits"] == pytest.approx(0, abs=1e-6)


class Reverser(torch.nn.Module):
    """Writes the source backwards, but takes symbol 0 for symbol 1."""

    def forward(self, inputs):
        scores = torch.zeros(*inputs.shape, 6)
        for place in range(4, inputs.shape[1]):
            symbol = inputs[:, 7 - place] - 2
            symbol = torch.where(symbol == 0, 1, symbol)
            scores[torch.arange(len(inputs)), place, symbol] = 1.0
        return scores


def test_exact_match_asks_for_every_symbol():
    given = fitted(Reverser())
    found = FreeRunning(name="free_running", examples=12).measure(given).metrics
    sources = given.splits.test.inputs[:, :4] - 2
    zeros = sources == 0
    assert found["exact_match"] == pytest.approx(float((~zeros.any(1)).double().mean()))
    assert found["free_accuracy"] == pytest.approx(1 - float(zeros.double().mean()))
    assert found["exposure_gap"] == pytest.approx(0)
    assert 0 < found["exact_match"] < 1
    assert not math.isnan(found["free_accuracy"])
