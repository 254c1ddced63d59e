"""Tables of OpenML by their number."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Literal
from urllib.parse import urlparse

from pydantic import Field

from harness.data._dataset import Dataset
from harness.data._divide import Labelled
from harness.data._files import whole_column
from harness.data._table_columns import TableColumns
from harness.data.base import DATA_ROOT_VARIABLE, DataMissingError, OfLibrary
from harness.errors import nearest

_CACHE = Path("openml", "openml.org")
"""Where scikit-learn keeps what it fetched, below the folder of data files."""


class OpenmlData(TableColumns, OfLibrary):
    """A table of OpenML (Vanschoren et al. 2013) by its number, as on openml.org/d/37.

    scikit-learn fetches it and keeps it in the folder of data files. A number is one version of a
    table, which does not change.
    """

    name: Literal["openml"]
    id: int = Field(ge=1, description="number of the table: 37 is openml.org/d/37")
    target: str | None = Field(
        None, description="column to be predicted; the one that OpenML declares unless given"
    )

    @property
    def where(self) -> str:
        """See `TableColumns`."""
        return f"OpenML's table {self.id}"

    def fetched(self, root: Path, *, download: bool) -> Dataset:
        """See `OfLibrary`."""
        import pyarrow as pa
        from sklearn.datasets import fetch_openml

        if not download and not self._is_kept(root):
            raise self._missing(root, "it was not fetched yet")
        wanted = "default-target" if self.target is None else self.target
        try:
            found = fetch_openml(
                data_id=self.id, data_home=str(root), target_column=wanted, as_frame=True,
                parser="pandas",
            )  # fmt: skip
        except KeyError as error:  # of a target that there is not
            raise DataMissingError(f"{self.where}: {error.args[0]}") from None
        except Exception as error:  # the library's own, network's and others' mean the same here
            reason = str(error).strip().partition("\n")[0]
            raise self._missing(root, f"{type(error).__name__}: {reason}") from None
        if len(found.target_names) != 1:
            raise DataMissingError(
                f"{self.where} declares {len(found.target_names)} targets; say which by `target`"
            )
        table = pa.Table.from_pandas(found.frame, preserve_index=False)
        (target,) = found.target_names
        for name in self.features or ():
            if name not in found.feature_names:
                raise DataMissingError(
                    f"{self.where} has no column '{name}'{nearest(name, found.feature_names)}"
                )
        labels = Labelled(self.where, whole_column(table, target, self.where))
        return self.made_of(table, self.features or found.feature_names, labels)

    def _is_kept(self, root: Path) -> bool:
        """Whether the rows, which are fetched last, were fetched before."""
        said = root / _CACHE / f"api/v1/json/data/{self.id}.gz"
        try:
            with gzip.open(said) as text:
                url = json.load(text)["data_set_description"]["url"]
        except (OSError, ValueError, KeyError):
            return False
        return (root / _CACHE / f"{urlparse(url).path.lstrip('/')}.gz").is_file()

    def _missing(self, root: Path, reason: str) -> DataMissingError:
        return DataMissingError(
            f"{self.where} is not under '{root}' and could not be had ({reason}); name the folder "
            f"that holds it with --data-root or ${DATA_ROOT_VARIABLE}"
        )
