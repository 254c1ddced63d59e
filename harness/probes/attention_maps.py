"""How much each step of a Transformer attends to each other one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.formatting import number, plural, wrapped
from harness.lazy import numpy, torch
from harness.probes._networks import as_array, at_rest, outputs_of, test_split
from harness.probes._pictures import MOST_PANELS, base, left_out, style, whose
from harness.probes.base import Fitted, Measured, Showing, Shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor, nn

    from harness.evidence import Evidence
    from harness.figures.base import Picture

MOST_MAPS = 12
LOOKED_AT = 200
"""Test examples among which one is chosen."""
_SIDE = 3.2
_SIGNS = {" ": "␣", "\n": "↵", "\t": "⇥", "": "·"}


class AttentionMaps(Showing):
    """How much each step attends to each other one, head by head, on one test example."""

    name: Literal["attention_maps"]
    steps: int = Field(32, ge=2, le=64, description="of the example, from its start")

    parts: ClassVar[tuple[str, ...]] = ("maps", "heads", "steps", "tokens")
    texts: ClassVar[tuple[str, ...]] = ("tokens",)

    def refusal(self, workload: Any) -> str | None:
        """It needs the built-in Transformer, whose attention it knows."""
        return no_attention(workload)

    def measure(self, fitted: Fitted) -> Measured:
        """Give the weights of every head on one test example, in thousandths, and its tokens.

        Of inputs that are tokens the example is the one with most different ones at its start, so
        that there is something to attend to; else it is the first.
        """
        from harness.layers.sequences import lengths_of

        if not self.shows(fitted):
            return Measured()
        inputs = test_split(self, fitted).inputs[:LOOKED_AT]
        with_tokens = fitted.form.vocabulary is not None
        index = most_varied(inputs[:, : self.steps]) if with_tokens else 0
        example = inputs[index : index + 1]
        maps = attention_maps(at_rest(fitted.network), example)
        whole = int(lengths_of(example)) if with_tokens else maps.shape[-1]
        steps = min(whole, self.steps)
        layers, heads = maps.shape[:2]
        shown = maps.flatten(0, 1)[:MOST_MAPS, :steps, :steps]
        names = [(layer, head) for layer in range(layers) for head in range(heads)][:MOST_MAPS]
        return Measured(
            artifact={
                "maps": as_array((1000 * shown).round().short()),
                "heads": numpy.array(names) + 1,
                "steps": numpy.array([steps, whole]),
                "tokens": _tokens(fitted.tokens, example[0], steps),
            }
        )

    def draw(self, shown: Sequence[Shown], evidence: Evidence) -> Picture | None:
        """Draw the attention weights of every head on one test example."""
        del evidence
        found = [one for one in shown if _fits(one)]
        if not found:
            return None
        every = [(one, index) for one in found for index in range(len(one.parts["maps"]))]
        with style.theme():
            longest = max(len(_label(token)) for one in found for token in one.parts["tokens"])
            panels = tuple(_panel(one, index, longest) for one, index in every[:MOST_PANELS])
        steps, whole = (int(value) for value in found[0].parts["steps"])
        cut = f" Shown are the first {steps} of {whole} steps." if steps < whole else ""
        return base.Picture(
            self.name,
            "What attends to what",
            f"{whose(found)}, one test example: each row is a step that attends, each column a step"
            " that is attended to; a row sums to 1 over the whole example. The darker, the larger"
            f" the weight, up to the largest of each head.{cut}{left_out(len(every))}",
            f"Attention of {plural(len(panels), 'head')} on the example "
            f"“{''.join(map(str, found[0].parts['tokens']))}”.",
            panels,
            columns=min(2 if len(panels) in (2, 4) else 3, len(panels)),
        )


def no_attention(workload: Any) -> str | None:
    """Say that a network has no attention that a probe knows; None where it has."""
    if "attention" not in workload.model.shows:
        return f"needs the built-in transformer; this is {workload.model.name}"
    if workload.model.attention == "none":
        return "needs attention, and this transformer has `attention: none`"
    return None


# --- what is measured -----------------------------------------------------------------------------
def most_varied(tokens: Tensor) -> int:
    """Return which row of token ids (n, steps) has most different ones; the first of equals."""
    return int(numpy.argmax([len(row.unique()) for row in tokens]))


def attention_maps(network: nn.Module, inputs: Tensor) -> Tensor:
    """Return the attention weights for one input (1, ...): (layers, heads, steps, steps).

    Rows attend to columns and sum to 1.
    """
    from harness.models.transformer.network import Attention

    seen: list[Tensor] = []

    def keep(module: nn.Module, arguments: tuple[Any, ...]) -> None:
        assert isinstance(module, Attention)
        seen.append(module.weights(*arguments)[0].detach())

    layers = [module for module in network.modules() if isinstance(module, Attention)]
    handles = [layer.register_forward_pre_hook(keep) for layer in layers]
    outputs_of(network, inputs)
    for handle in handles:
        handle.remove()
    return torch.stack(seen)


def _tokens(known: Sequence[str], example: Tensor, steps: int) -> list[str]:
    """Return the text of each step: of its token, or its number where inputs are no tokens."""
    if example.is_floating_point():
        return [str(step + 1) for step in range(steps)]
    ids = example[:steps].tolist()
    return [known[id_] if id_ < len(known) else f"#{id_}" for id_ in ids]


# --- what is drawn --------------------------------------------------------------------------------
def _fits(shown: Shown) -> bool:
    maps, steps = shown.parts["maps"], len(shown.parts["tokens"])
    count = len(shown.parts["heads"])
    return maps.shape == (count, steps, steps) and count > 0 and len(shown.parts["steps"]) == 2


def _label(token: object) -> str:
    """Write a token so that it can be seen, and is not too long."""
    return wrapped(_SIGNS.get(str(token), str(token)), 12, 1)


def _panel(shown: Shown, index: int, longest: int) -> Figure:
    weights = shown.parts["maps"][index].astype(float) / 1000
    tokens = [_label(token) for token in shown.parts["tokens"]]
    room = 0.12 + 0.062 * longest
    figure = style.new_figure(_SIDE + room, _SIDE + room + 0.44)
    axes = style.new_axes(figure, (room, 0.1, room + 0.24, 0.3))
    most = max(weights.max(), 1e-3)
    axes.imshow(weights, cmap="rocket_r", vmin=0, vmax=most, interpolation="none")
    axes.grid(visible=False)
    ticks = range(len(tokens))
    size = min(7.0, 160 / len(tokens))
    axes.set_xticks(ticks, tokens, fontsize=size)
    axes.set_yticks(ticks, tokens, fontsize=size)
    if longest > 1:
        axes.tick_params(axis="x", rotation=90)
    axes.tick_params(length=0, pad=1.5)
    layer, head = (int(value) for value in shown.parts["heads"][index])
    title = f"{shown.arm}, layer {layer}, head {head}"
    axes.set_title(wrapped(title, 34, 1), pad=6)
    largest = number(float(numpy.max(weights)), 2)
    axes.set_xlabel(f"Attended to; the largest weight is {largest}", labelpad=2)
    return figure
