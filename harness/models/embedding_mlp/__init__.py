"""A fully connected network that learns embeddings of the categories of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from harness.data_spec import Form
from harness.models.base import Part, Width, Work
from harness.models.mlp import MLP

if TYPE_CHECKING:
    from torch import nn

Place = Annotated[int, Field(ge=0, le=100_000)]
Columns = Annotated[list[Place], Field(min_length=2, max_length=2)]


class EmbeddingMLP(MLP):
    """The network `mlp`, which reads each category of a table by a learned embedding.

    A category is a group of neighbouring one-hot columns. They are mapped to `embedding` numbers by
    a linear layer without bias, which is what a table of embeddings is for one-hot columns (Guo and
    Berkhahn, arXiv 2016); standardized columns only shift the embeddings of a category, all alike,
    and scale them. These numbers come before the other columns, which the first hidden layer reads
    as they are.
    """

    name: Literal["embedding_mlp"]  # type: ignore[assignment]
    categories: list[Columns] = Field(
        min_length=1,
        max_length=1000,
        description="first column, from 0, and number of columns of each: [[6, 6], [12, 6]]",
    )
    embedding: Width = Field(3, description="numbers that stand for a category")

    shows: ClassVar[tuple[Part, ...]] = ()

    @model_validator(mode="after")
    def _no_column_twice(self) -> Self:
        end = 0
        for first, count in sorted(self.categories):
            if count < 2:
                raise ValueError(f"a category has two columns at least, not {count}")
            if first < end:
                raise ValueError(f"the column {first} stands in two of `categories`")
            end = first + count
        return self

    def misreads(self, form: Form) -> str | None:
        """See `Network`."""
        end = max(first + count for first, count in self.categories)
        if len(form.shape) != 1 or end > form.shape[0]:
            columns = form.shape[0] if len(form.shape) == 1 else form.shape
            return f"`categories` end at column {end - 1}, and inputs have {columns} columns"
        return super().misreads(form)

    def inner(self, form: Form) -> Form:
        """Return the form of what the first hidden layer reads."""
        columns = sum(count for _, count in self.categories)
        numbers = form.shape[0] - columns + self.embedding * len(self.categories)
        return Form((numbers,), form.outputs, form.kind)

    def build(self, form: Form) -> nn.Sequential:
        """Build the embeddings, then the layers of an `mlp`."""
        from harness.models.embedding_mlp.network import embeddings

        layers = super().build(self.inner(form))
        layers.insert(0, embeddings(self, form.shape[0]))
        return layers

    def work(self, form: Form) -> Work:
        """See `Network`."""
        found = super().work(self.inner(form))
        columns = sum(count for _, count in self.categories)
        return Work(found.layers + 1, found.products + columns * self.embedding)
