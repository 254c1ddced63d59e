"""How unequally a network treats groups of test examples: gaps of accuracy, recall and rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from harness.errors import nearest
from harness.lazy import numpy
from harness.metrics import Metric
from harness.probes._networks import as_array, at_rest, outputs_of, test_split
from harness.probes.base import Fitted, Measured, Probe, other_targets

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_GROUPS = 50


class GroupGaps(Probe):
    """The largest gap between groups of test examples, which a column of a table tells apart.

    `probe.group_accuracy_gap` is the highest accuracy of a group minus the lowest.
    `probe.group_recall_gap` is the same of the share that is found of the class `positive`: 0 is
    equal opportunity (Hardt, Price and Srebro 2016). `probe.group_rate_gap` is that of the share
    that is said to be of this class: 0 is demographic parity (Dwork et al. 2012).
    `probe.group_rate_gap_added` is what that gap is larger than the one of the true classes: above
    0, the network adds to the bias of its data (Zhao et al. 2017). Groups with fewer than
    `smallest` examples, or for the recall fewer of the class, are left out; a metric is absent
    where fewer than two are left. A gap is never below 0, and luck alone makes it larger the
    smaller the groups are.
    """

    name: Literal["group_gaps"]
    column: str | Annotated[int, Field(ge=0)] = Field(
        description="of the table, whose values are the groups: its name; of inputs without names "
        "its number, from 0"
    )
    edges: list[float] = Field(
        default_factory=list,
        description="for a column of many values: where one group ends and the next begins, such "
        "as [30, 40]",
    )
    positive: int = Field(1, ge=0, description="the class of recall and rate, by its number")
    smallest: int = Field(20, ge=1, description="test examples that a group needs")

    reads_data: ClassVar[bool] = True
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("group_accuracy_gap", "minimize", bounds=(0, 1), lifted=True),
        Metric("group_recall_gap", "minimize", bounds=(0, 1), lifted=True),
        Metric("group_rate_gap", "minimize", bounds=(0, 1), lifted=True),
        Metric("group_rate_gap_added", "minimize", bounds=(-1, 1)),
    )

    @field_validator("edges")
    @classmethod
    def _in_order(cls, edges: list[float]) -> list[float]:
        return sorted(set(edges))

    def refusal(self, workload: Any) -> str | None:
        """See `Probe`."""
        data = workload.data
        if (said := other_targets(workload, "class")) is not None:
            return said
        if data.guessed:
            return None
        if len(data.form.shape) != 1 or data.form.vocabulary is not None:
            return f"needs a table; the inputs of {data.name} have the shape {data.form.shape}"
        if isinstance(self.column, int) and self.column >= data.form.shape[0]:
            return f"looks at column {self.column}, and the inputs have {data.form.shape[0]}"
        if self.positive >= data.form.outputs:
            return f"looks at class {self.positive}, and the data have {data.form.outputs}"
        return None

    def measure(self, fitted: Fitted) -> Measured:
        """Give the gaps.

        Raises:
            ValueError: if there is no such column or class, or the column has too many values.
        """
        test = test_split(self, fitted)
        outputs = outputs_of(at_rest(fitted.network), test.inputs)
        rows = fitted.test_inputs(numpy.arange(len(test.targets)))
        if rows.ndim != 2 or self.positive >= outputs.shape[1]:
            raise ValueError(
                f"group_gaps needs a table with a class {self.positive}; inputs have the shape "
                f"{rows.shape[1:]}, and there are {outputs.shape[1]} classes"
            )
        groups = self.groups(rows[:, self.places(fitted.columns, rows.shape[1])])
        said, true = as_array(outputs.argmax(dim=-1)), as_array(test.targets)
        return Measured(self.gaps(groups, said, true))

    def places(self, columns: Sequence[str], inputs: int) -> list[int]:
        """Return which inputs were made of the column: several where kinds are a column each.

        Args:
            columns: of the table, of which each input was made; empty where that is not known.
            inputs: how many there are.

        Raises:
            ValueError: if there is none, or a number stands for a column that has a name.
        """
        if columns and isinstance(self.column, int):
            known = ", ".join(f"'{name}'" for name in dict.fromkeys(columns))
            raise ValueError(
                f"`column: {self.column}` of group_gaps is a number, and the columns have names, of"
                f" which an input can be one of several; say which: {known}"
            )
        if not columns and isinstance(self.column, str):
            raise ValueError(
                f"`column: {self.column}` of group_gaps is a name, and the inputs have none; say "
                f"its number, 0 to {inputs - 1}"
            )
        of = columns or range(inputs)
        found = [place for place, name in enumerate(of) if name == self.column]
        if not found:
            hint = nearest(self.column, columns) if isinstance(self.column, str) else ""
            raise ValueError(f"group_gaps finds no column '{self.column}' of {inputs} inputs{hint}")
        return found

    def groups(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the group of each example, (n,), from the inputs made of the column, (n, inputs).

        Raises:
            ValueError: if there are too many different values, and no edges; or edges of kinds.
        """
        if self.edges and values.shape[1] > 1:
            raise ValueError(f"`edges` of group_gaps: the column {self.column} holds kinds")
        if self.edges:
            return numpy.asarray(numpy.digitize(values[:, 0], self.edges))
        kinds, places = numpy.unique(values, axis=0, return_inverse=True)
        if len(kinds) > MOST_GROUPS:
            raise ValueError(
                f"column {self.column} has {len(kinds)} different values, too many for groups; "
                "give the `edges` between groups"
            )
        return numpy.asarray(places)

    def gaps(
        self, groups: NDArray[Any], said: NDArray[Any], true: NDArray[Any]
    ) -> Mapping[str, float]:
        """Return the metrics that exist.

        Args:
            groups: of each example, (n,).
            said: class that the network gives it, likewise.
            true: its class, likewise.
        """
        named, real = said == self.positive, true == self.positive
        rate, expected = self._gap(groups, named), self._gap(groups, real)
        found = {
            "group_accuracy_gap": self._gap(groups, said == true),
            "group_recall_gap": self._gap(groups[real], named[real]),
            "group_rate_gap": rate,
            "group_rate_gap_added": None if rate is None or expected is None else rate - expected,
        }
        return {name: gap for name, gap in found.items() if gap is not None}

    def _gap(self, groups: NDArray[Any], holds: NDArray[Any]) -> float | None:
        """Return the largest difference between groups of the share of which something holds."""
        kinds, sizes = numpy.unique(groups, return_counts=True)
        shares = [float(holds[groups == kind].mean()) for kind in kinds[sizes >= self.smallest]]
        return max(shares) - min(shares) if len(shares) > 1 else None
