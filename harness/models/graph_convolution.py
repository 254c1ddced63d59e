"""Graph convolution: each node takes the mean of its neighbours."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.data_spec import Form, Kind
from harness.models.base import Activation, Network, Width, Work

if TYPE_CHECKING:
    from torch import nn


class GraphConvolution(Network):
    """Graph convolution, which answers at each node of a graph (Kipf and Welling 2017).

    A layer multiplies the nodes' states by D^-½ (A + I) D^-½, where A are the edges and D how many
    each node has with the one to itself, then maps each node by the same weights.
    """

    name: Literal["graph_convolution"]
    layers: int = Field(2, ge=1, le=200, description="so many edges away a node still has a say")
    width: Width = Field(32, description="numbers for each node, between layers")
    activation: Activation = Field("relu", description="between layers")
    neighbours: bool = Field(True, description="false: nodes see nothing but themselves")
    residual: bool = Field(False, description="add a layer's inputs to its outputs, where it can")

    targets: ClassVar[tuple[Kind, ...]] = ("sequence",)
    shows: ClassVar = ()

    def build(self, form: Form) -> nn.Module:
        """See `harness.layers.graphs.GraphNetwork`."""
        from harness.layers.graphs import GraphNetwork

        return GraphNetwork(form, self)

    def misreads(self, form: Form) -> str | None:
        """Say that inputs are no graphs."""
        if (reason := super().misreads(form)) is not None:
            return reason
        if form.kind != "sequence" or len(form.shape) != 2 or form.shape[1] <= form.shape[0]:
            return (
                "graph_convolution reads graphs, a row for each node with its edges to all nodes, "
                f"then its features, and a class at each; these inputs are {form.shape}"
            )
        return None

    def work(self, form: Form) -> Work:
        """See `Network`."""
        nodes, features = form.shape[0], form.shape[1] - form.shape[0]
        sizes = [features, *[self.width] * (self.layers - 1), form.outputs]
        products = sum(a * b + nodes * b for a, b in pairwise(sizes))
        return Work(3 * self.layers + 3, float(nodes * products))
