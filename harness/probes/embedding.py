"""The last hidden layer: how well it keeps classes apart, and what it looks like on a map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.formatting import number, plural, wrapped
from harness.lazy import numpy
from harness.metrics import Metric
from harness.probes._networks import as_array, at_rest, evenly, outputs_of, test_split
from harness.probes._pictures import MOST_PANELS, base, left_out, lines, style, whose
from harness.probes.base import Fitted, Measured, Showing, Shown, other_targets
from harness.seeding import stream

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.textpath import TextPath
    from numpy.typing import NDArray

    from harness.evidence import Evidence
    from harness.figures.base import Picture

MEASURED, DRAWN = 2_000, 400
"""At most so many examples of the test split are measured, and drawn."""
NEIGHBOURS = 10
MOST_NUMERALS = 20
"""Classes up to which an example is drawn as the numeral of its class."""
_NUMERAL_LENGTH = 2
_SIDE = 4.2


class Embedding(Showing):
    """The last hidden layer as a map (t-SNE), and how well it keeps classes apart.

    On the test split: `probe.neighbour_purity`, the share of the ten nearest neighbours that are of
    the same class, and `probe.silhouette` (Rousseeuw 1987), of all seeds and before the map is
    made; the map (van der Maaten and Hinton 2008, started from principal components) of the first.
    """

    name: Literal["embedding"]
    perplexity: float = Field(30.0, ge=2, le=200, description="neighbours that t-SNE thinks of")

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("neighbour_purity", bounds=(0, 1)),
        Metric("silhouette", bounds=(-1, 1)),
    )
    parts: ClassVar[tuple[str, ...]] = ("places", "classes", "predicted", "measures")

    def refusal(self, workload: Any) -> str | None:
        """It needs classes, and a hidden layer."""
        if not workload.model.has_hidden_layer:
            return f"needs a hidden layer; this {workload.model.name} has none"
        return other_targets(workload, "class")

    def measure(self, fitted: Fitted) -> Measured:
        """Give neighbour purity and silhouette of every seed, and the map of those that are shown.

        Nothing is given of a network without a linear layer or convolution.
        """
        test, network = test_split(self, fitted), at_rest(fitted.network)
        index = evenly(len(test), MEASURED).to(test.targets.device)
        from harness.layers import last_hidden

        hidden = last_hidden(network, test.inputs[index])
        if hidden is None:
            return Measured()
        features, classes = as_array(hidden.double()), as_array(test.targets[index])
        metrics = {"neighbour_purity": neighbour_purity(features, classes)}
        if 1 < len(numpy.unique(classes)) < len(classes):
            from sklearn.metrics import silhouette_score

            metrics["silhouette"] = float(silhouette_score(features, classes))
        if not self.shows(fitted):
            return Measured(metrics)
        predicted = as_array(outputs_of(network, test.inputs[index]).argmax(dim=-1))
        drawn = evenly(len(classes), DRAWN).numpy()
        places, trust = tsne(features[drawn], self.perplexity, fitted.seed)
        artifact = {
            "places": numpy.round(places, 2),
            "classes": classes[drawn],
            "predicted": predicted[drawn],
            "measures": numpy.array([metrics["neighbour_purity"], trust]),
        }
        return Measured(metrics, artifact)

    def draw(self, shown: Sequence[Shown], evidence: Evidence) -> Picture | None:
        """Draw the map of the last hidden layer of each arm that has one."""
        del evidence
        found = [one for one in shown if _fits(one)]
        if not found:
            return None
        with style.theme():
            panels = tuple(_panel(one) for one in found[:MOST_PANELS])
        return base.Picture(
            self.name,
            "The last hidden layer, as a map",
            f"{whose(found)}: test examples placed by t-SNE so that neighbours in the last hidden"
            " layer stay neighbours; distances between groups mean little. A numeral is an"
            f" example's true class{key_of(found[0])}; rings mark wrong predictions. Purity: the"
            " share of the ten nearest neighbours, in the layer itself, that are of the same class."
            " Trustworthiness: how far neighbours on the map are neighbours in the layer (1: all)."
            f"{left_out(len(found))}",
            f"Maps of the last hidden layer of {plural(len(panels), 'network')}. "
            + " ".join(
                f"{one.arm}: neighbour purity {number(float(one.parts['measures'][0]))}."
                for one in found[:MOST_PANELS]
            ),
            panels,
            columns=min(2, len(panels)),
        )


# --- what is measured -----------------------------------------------------------------------------
def neighbour_purity(features: NDArray[Any], classes: NDArray[Any]) -> float:
    """Return the mean share of the ten nearest neighbours that are of a point's own class.

    Also known as neighbourhood hit (Paulovich and Minghim 2008). Distances are Euclidean.

    Args:
        features: of shape (n, features), n at least 2.
        classes: of shape (n,).
    """
    from sklearn.neighbors import NearestNeighbors

    count = min(NEIGHBOURS, len(classes) - 1)
    search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(features)
    places = search.kneighbors(return_distance=False)  # a point is no neighbour of its own
    return float((classes[places] == classes[:, None]).mean())


def tsne(features: NDArray[Any], perplexity: float, seed: int) -> tuple[NDArray[Any], float]:
    """Return a map (n, 2) of points by t-SNE, and how far neighbours on it are neighbours indeed.

    It starts from principal components (Kobak and Berens 2019). The second number is the
    trustworthiness of Venna and Kaski (2001), 0 to 1. On one thread, so that the same numbers give
    the same map.
    """
    from sklearn.manifold import TSNE, trustworthiness
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        places = TSNE(
            perplexity=min(perplexity, (len(features) - 1) / 3),
            init="pca" if min(features.shape) >= 2 else "random",
            random_state=stream(seed, "embedding") % 2**32,
        ).fit_transform(features)
        count = min(NEIGHBOURS, max(1, len(features) // 2 - 1))
        trust = float(trustworthiness(features, places, n_neighbors=count))
    return places.astype(numpy.float64), trust


# --- what is drawn --------------------------------------------------------------------------------
def key_of(shown: Shown) -> str:
    """Say which numeral stands for which class, where classes have names."""
    classes = [int(label) for label in numpy.unique(shown.parts["classes"])]
    named = [f"{label} {shown.class_name(label)}" for label in classes if _long(shown, label)]
    return f" ({', '.join(named)})" if named else ""


def _long(shown: Shown, label: int) -> bool:
    return len(shown.class_name(label)) > _NUMERAL_LENGTH


def _fits(shown: Shown) -> bool:
    parts = shown.parts
    count = len(parts["classes"])
    same = len(parts["predicted"]) == count and parts["places"].shape == (count, 2)
    return count > 0 and same and len(parts["measures"]) == 2


def _panel(shown: Shown) -> Figure:
    purity, trust = (number(float(value)) for value in shown.parts["measures"])
    return drawn_map(shown, f"Purity {purity}, trustworthiness of the map {trust}")


def drawn_map(shown: Shown, said: str) -> Figure:
    """Return examples at their `places`, each as the numeral of its class, rings where it is wrong.

    Args:
        shown: with `places` (n, 2) and `classes` (n,), perhaps `predicted` (n,).
        said: below the map.
    """
    parts = shown.parts
    places = parts["places"].astype(float)
    figure = style.new_figure(_SIDE, _SIDE)
    axes = style.new_axes(figure, (0.1, 0.1, 0.3, 0.34))
    axes.set_xlim(*lines.padded(places[:, 0], 0.05))
    axes.set_ylim(*lines.padded(places[:, 1], 0.05))
    axes.set_xticks([])
    axes.set_yticks([])
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    for label in numpy.unique(parts["classes"]):
        name = str(label) if _long(shown, int(label)) else shown.class_name(int(label))
        _class(axes, places[parts["classes"] == label], int(label), name)
    wrong = places[parts["classes"] != parts.get("predicted", parts["classes"])]
    axes.plot(
        wrong[:, 0], wrong[:, 1], linestyle="none", marker="o", markersize=9,
        markerfacecolor="none", markeredgecolor=style.MUTED, markeredgewidth=0.9,
    )  # fmt: skip
    axes.set_title(wrapped(f"{shown.arm}, seed {shown.seed}", 40, 1), pad=6)
    axes.set_xlabel(said, labelpad=4)
    return figure


def _class(axes: Axes, places: NDArray[Any], index: int, name: str) -> None:
    numeral, colours = index < MOST_NUMERALS, style.CLASS_COLOURS
    marker = _numeral(name) if numeral else style.MARKERS[index % len(style.MARKERS)]
    axes.plot(
        places[:, 0], places[:, 1], linestyle="none", marker=marker,
        markersize=5.5 if numeral else 3.5, color=colours[index % len(colours)], markeredgewidth=0,
    )  # fmt: skip


def _numeral(name: str) -> TextPath:
    """Return a text as a marker around its own middle."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    font = FontProperties(family=["DejaVu Sans"], weight="bold")
    path = TextPath((0, 0), name, size=10, prop=font)
    box = path.get_extents()
    centre = ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)
    return TextPath((-centre[0], -centre[1]), name, size=10, prop=font)
