"""Images in Parquet."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from harness.data._dataset import Dataset
from harness.data._divide import divide
from harness.data._files import Columns, column
from harness.data._pictures import Pictures, Pixels, as_dataset, stacked
from harness.data.base import DataMissingError


class ImageParquet(Pictures, Columns):
    """Images in Parquet as Hugging Face lays them out: a column of bytes, a column of labels.

    One file, or a folder whose files are called train*, validation*, test*.
    """

    name: Literal["image_parquet"]
    image: str = Field("image", description="column of images")
    label: str = Field("label", description="column of classes")

    suffixes: ClassVar[tuple[str, ...]] = (".parquet",)

    def load(self, root: Path) -> Dataset:
        """Read a column of bytes, or of structs that have them in their field `bytes`."""
        import pyarrow as pa

        table, parts = self.read_tables(root)
        known = self.labelled(table, parts, self.label)
        divided = divide(self, known, kind="class", normalization="scalar")
        encoded = column(table, self.image, self.path).combine_chunks()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = pa.concat_arrays(encoded.chunks)
        if pa.types.is_struct(encoded.type) and encoded.type.get_field_index("bytes") >= 0:
            encoded = encoded.field("bytes")
        if not (pa.types.is_binary(encoded.type) or pa.types.is_large_binary(encoded.type)):
            raise DataMissingError(
                f"{self.path}: the column '{self.image}' holds {encoded.type}; expected the bytes "
                "of images, or a struct with a field `bytes`"
            )

        def rows() -> Iterable[tuple[str, Pixels]]:
            for row in range(len(encoded)):
                name = f"{self.path}, row {row + 1},"
                if not encoded[row].is_valid:
                    raise DataMissingError(f"{name} has no image in the column '{self.image}'")
                yield name, self.decode(io.BytesIO(encoded[row].as_py()), name)

        return as_dataset(self.name, stacked(rows()), divided)
