"""What each switch of the Transformer does."""

import itertools
import math

import pytest
import torch

from harness.data_spec import Form
from harness.layers.sequences import sinusoids
from harness.models.transformer import Transformer
from harness.models.transformer.network import Attention, turned

VOCABULARY, STEPS = 12, 10
TOKENS = Form((STEPS,), 3, vocabulary=VOCABULARY)
SEQUENCE = Form((STEPS,), VOCABULARY, "sequence", VOCABULARY)
NUMBERS = Form((STEPS, 2), 4, "numbers")


def make(form=TOKENS, **settings):
    torch.manual_seed(0)
    return Transformer(name="transformer", width=16, **settings).build(form).eval()


def draw(form=TOKENS, count=6):
    generator = torch.Generator().manual_seed(1)
    if form.vocabulary:
        return torch.randint(1, form.vocabulary, (count, *form.shape), generator=generator)
    return torch.randn(count, *form.shape, generator=generator)


@pytest.mark.parametrize(
    ("form", "shape"), [(TOKENS, (6, 3)), (SEQUENCE, (6, STEPS, VOCABULARY)), (NUMBERS, (6, 4))]
)
def test_shapes(form, shape):
    assert make(form)(draw(form)).shape == shape


@pytest.mark.parametrize("positions", ["none", "sinusoidal", "learned"])
@pytest.mark.parametrize("form", [TOKENS, NUMBERS])
def test_only_positions_tell_the_order(form, positions):
    network, inputs = make(form, positions=positions), draw(form)
    turned = network(inputs.flip(1))
    if positions == "none":
        torch.testing.assert_close(network(inputs), turned)
    else:
        assert not torch.allclose(network(inputs), turned, atol=1e-3)


def test_without_positions_each_state_follows_its_step():
    network, inputs = make(SEQUENCE, positions="none", causal=False), draw(SEQUENCE)
    order = torch.randperm(STEPS, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(network(inputs)[:, order], network(inputs[:, order]))


@pytest.mark.parametrize("attention", ["fused", "plain"])
@pytest.mark.parametrize("norm", ["pre", "post", "none"])
def test_no_position_sees_later_ones(attention, norm):
    network, inputs = make(SEQUENCE, attention=attention, norm=norm), draw(SEQUENCE)
    assert network.causal
    changed = inputs.clone()
    changed[:, 6:] = (changed[:, 6:] % (VOCABULARY - 1)) + 1
    torch.testing.assert_close(network(inputs)[:, :6], network(changed)[:, :6])
    later = (network(inputs) - network(changed))[:, 6:].abs().amax(dim=-1)
    assert bool((later > 1e-5).all())


def test_whoever_may_look_ahead_does():
    network, inputs = make(SEQUENCE, causal=False), draw(SEQUENCE)
    changed = inputs.clone()
    changed[:, -1] = changed[:, -1] % (VOCABULARY - 1) + 1
    assert not torch.allclose(network(inputs)[:, 0], network(changed)[:, 0], atol=1e-4)
    assert not make(TOKENS).causal


@pytest.mark.parametrize("pooling", ["mean", "first", "last"])
@pytest.mark.parametrize("attention", ["fused", "plain"])
@pytest.mark.parametrize("causal", ["auto", True])
def test_padding_changes_nothing(pooling, attention, causal):
    if causal is True and pooling == "first":
        return
    network = make(pooling=pooling, attention=attention, causal=causal)
    text = draw()[:, :7]
    padded = torch.cat([text, torch.zeros(6, 3, dtype=torch.int64)], dim=1)
    torch.testing.assert_close(network(text), network(padded))
    assert torch.isfinite(network(torch.zeros_like(padded))).all()  # nothing but padding


def test_padding_in_a_sequence_changes_no_earlier_output():
    network, text = make(SEQUENCE), draw()[:, :7]
    padded = torch.cat([text, torch.zeros(6, 3, dtype=torch.int64)], dim=1)
    torch.testing.assert_close(network(text), network(padded)[:, :7])


@pytest.mark.parametrize(
    ("scaling", "causal", "masked"), list(itertools.product([True, False], repeat=3))
)
def test_both_attentions_are_the_formula(scaling, causal, masked):
    if causal and masked:
        return
    states = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
    seen = (
        torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]).bool()[:, None, None] if masked else None
    )
    results = []
    for fused in (True, False):
        torch.manual_seed(0)
        attention = Attention(8, 2, scaling=scaling, fused=fused)
        results.append(attention(states, seen, causal))
    query, key, value = attention.joint(states).chunk(3, dim=-1)
    heads = []
    for head in (slice(0, 4), slice(4, 8)):
        scores = query[..., head] @ key[..., head].mT
        scores = scores / 2 if scaling else scores  # the square root of four numbers a head
        if causal:
            scores = scores.masked_fill(torch.ones(5, 5).triu(1).bool(), -math.inf)
        if masked:
            scores[0, :, 3:] = -math.inf
        heads.append(scores.softmax(-1) @ value[..., head])
    expected = attention.output(torch.cat(heads, dim=-1))
    for result in results:
        torch.testing.assert_close(result, expected)


def test_scaling_softens_attention():
    assert Attention(64, 4, scaling=True, fused=True).scale == 0.25
    assert Attention(64, 4, scaling=False, fused=True).scale == 1.0


def test_without_the_residual_path_nothing_of_the_input_is_left():
    for residual in (True, False):
        network = make(residual=residual, norm="none", layers=1)
        layer = network.layers[0]
        for part in (layer.attention.output, layer.outer):
            torch.nn.init.zeros_(part.weight)
        states = torch.randn(2, 5, 16)
        expected = states if residual else torch.zeros_like(states)
        assert torch.equal(layer(states, None, False), expected)


def test_norms_stand_where_they_are_asked_for():
    states = 5 + 3 * torch.randn(2, 5, 16)
    after = make(norm="post").layers[0](states, None, False)
    torch.testing.assert_close(after.mean(-1), torch.zeros(2, 5), atol=1e-5, rtol=0)
    before = make(norm="pre").layers[0](states, None, False)
    assert float((before - states).detach().std()) < float(states.std())  # the sum is not normed
    assert make(norm="none").norm is None
    assert not any(isinstance(m, torch.nn.LayerNorm) for m in make(norm="none").modules())


def test_embedded_tokens_are_as_large_as_their_positions():
    settings = Transformer(name="transformer", width=64, positions="none")
    network = settings.build(Form((50,), 2, vocabulary=5000))
    states, lengths = network._embed(torch.arange(1, 4951).view(99, 50))
    assert float(states.detach().std()) == pytest.approx(1, rel=0.02)
    assert lengths.tolist() == [50] * 99
    joint = network.layers[0].attention.joint.weight.detach()
    for part in joint.chunk(3):  # each Xavier's own
        assert float(part.var()) == pytest.approx(1 / 64, rel=0.1)


def test_sinusoids_are_the_papers():
    code = sinusoids(7, 6)
    for step, pair in itertools.product(range(7), range(3)):
        angle = step / 10_000 ** (2 * pair / 6)
        assert float(code[step, 2 * pair]) == pytest.approx(math.sin(angle), abs=1e-5)
        assert float(code[step, 2 * pair + 1]) == pytest.approx(math.cos(angle), abs=1e-5)
    assert sinusoids(4, 5).shape == (4, 5)


def test_patches_are_squares_of_the_image():
    network = make(Form((2, 4, 6), 3), patch=2)
    seen = []
    network.projection.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    image = torch.arange(48.0).view(1, 2, 4, 6)
    network(image)
    assert seen[0].shape == (1, 6, 8)
    assert seen[0][0, 1].tolist() == [*image[0, :, :2, 2:4].flatten().tolist()]


def test_parts_that_are_removed_are_gone():
    def sizes(**settings):
        return {name for name, _ in make(**settings).named_parameters()}

    whole = sizes(layers=1)
    without = whole - sizes(layers=1, attention="none")
    assert without == {
        f"layers.0.{part}.{kind}"
        for part in ("attention.joint", "attention.output", "attention_norm")
        for kind in ("weight", "bias")
    }
    assert whole - sizes(layers=1, feedforward=0) == {
        f"layers.0.{part}.{kind}"
        for part in ("inner", "outer", "feedforward_norm")
        for kind in ("weight", "bias")
    }


def test_without_attention_no_step_sees_another():
    network, inputs = make(SEQUENCE, attention="none"), draw(SEQUENCE)
    changed = inputs.clone()
    changed[:, 3] = changed[:, 3] % (VOCABULARY - 1) + 1
    different = (network(inputs) - network(changed)).abs().amax(dim=(0, 2)) > 0
    assert different.tolist() == [step == 3 for step in range(STEPS)]


def test_rotary_products_depend_on_the_distance_alone():
    states = torch.randn(1, 1, 1, 8).expand(-1, -1, STEPS, -1)
    products = turned(states, sinusoids(STEPS, 8)) @ turned(2 * states, sinusoids(STEPS, 8)).mT
    for gap in range(STEPS):
        diagonal = products[0, 0].diagonal(gap)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal))
    assert abs(float(products[0, 0, 0, 0] - products[0, 0, 0, 3])) > 1e-3


def test_with_rotary_positions_order_matters():
    network, inputs = make(positions="rotary", heads=2, pooling="mean"), draw()
    assert not torch.allclose(network(inputs), network(inputs.flip(1)), atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"attention": "none", "feedforward": 0}, "attention or a feed-forward"),
        ({"attention": "none", "positions": "rotary"}, "need attention"),
        ({"heads": 16, "positions": "rotary"}, "even width"),
    ],
)
def test_layers_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)
