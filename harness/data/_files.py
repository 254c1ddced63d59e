"""Data in files: which ones a path stands for, whether they are those that were meant, columns."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from harness.components.base import unsaid
from harness.data._divide import PARTS, Labelled, OwnData, parts_of
from harness.data.base import DataMissingError, missing
from harness.errors import nearest
from harness.lazy import numpy as np
from harness.own.lookup import CodeMissingError, beside, one_of

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

TABLES = (".csv", ".tsv", ".parquet")


Separator = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=1,
        exclude_if=unsaid,
        description="what divides the columns of a CSV file, such as ';'; a comma unless given",
    ),
]
Decimal = Annotated[
    Literal[".", ","] | None,
    Field(exclude_if=unsaid, description="what stands before the decimals in a CSV file"),
]


class OwnFiles(OwnData):
    """Data in files."""

    path: str = Field(
        min_length=1,
        max_length=4096,
        description="here, beside the study file, under the data root, or absolute",
    )
    checksums: str | None = Field(
        None,
        description="a file as `sha256sum` writes it: data that differ are refused, by their name",
    )

    suffixes: ClassVar[tuple[str, ...]]
    """What the names of data files end in."""

    def place(self, root: Path) -> Path:
        """Return the file or folder that `path` names."""
        return _place(self.path, root)

    def says(self, file: Path, root: Path) -> str:
        """Return a file's name as errors show it: as the study file wrote it."""
        try:
            inside = file.relative_to(self.place(root))
        except ValueError:
            return file.name
        return self.path if str(inside) == "." else str(Path(self.path) / inside)

    def files(self, root: Path) -> list[Path]:
        """See `Data`; the path itself where nothing is there."""
        return self.below(root) or [self.place(root)]

    def below(self, root: Path, suffixes: Sequence[str] = ()) -> list[Path]:
        """Return the file, or all files of some kinds below the folder, by their names."""
        place, suffixes = self.place(root), suffixes or self.suffixes
        try:
            if place.is_file():
                return [place]
            found = [
                file
                for file in place.rglob("*")
                if file.suffix.lower() in suffixes
                and file.is_file()
                and not any(part.startswith(".") for part in file.relative_to(place).parts)
            ]
        except OSError:
            found = []
        return sorted(found, key=lambda file: file.relative_to(place).parts)

    def are_there(self, files: Sequence[Path], root: Path) -> bool:
        """See `Data`; whoever names a path means that it is there."""
        self.check([file for file in files if _is_there(file)], root)
        return True

    def check(self, files: Sequence[Path], root: Path) -> None:
        """Say that files are not there, or not the ones whose checksums were declared.

        Raises:
            DataMissingError: naming the first such file.
        """
        if not files:
            places = "neither here, nor beside the study file, nor"
            raise missing(f"there is no data in '{self.path}', {places}", root, "Check the path")
        if self.checksums is None:
            return
        known = {file.resolve(): file for file in files}
        for name, (path, wanted) in _checksums(self.checksums, root).items():
            file = known.pop(path.resolve(), None)
            if file is None:
                continue
            with file.open("rb") as content:
                found = hashlib.file_digest(content, "sha256").hexdigest()
            if found != wanted:
                raise DataMissingError(
                    f"{name} is not the file that {self.checksums} declares (SHA-256 "
                    f"{found[:9]}…, declared {wanted[:9]}…): it was changed or damaged"
                )
        if known:
            extra = self.says(next(iter(known.values())), root)
            raise DataMissingError(f"{self.checksums} says nothing of {extra}")


class Columns(OwnFiles):
    """Files with columns."""

    split_column: str | None = Field(
        None, description="column that says train, validation or test of each row"
    )
    group_column: str | None = Field(
        None,
        description="column, such as a patient, whose rows never stand in two of train, "
        "validation and test",
    )

    separator: Separator = None
    decimal: Decimal = None

    suffixes: ClassVar[tuple[str, ...]] = TABLES

    def read_tables(self, root: Path) -> tuple[pa.Table, NDArray[Any] | None]:
        """Read one file, or the files of a folder that are named after their parts.

        Returns:
            The rows of all, and the part that each belongs to, or None for a single file.
        """
        import pyarrow as pa

        files = self.below(root, TABLES)
        self.check(files, root)
        tables, parts = [], []
        for file in files:
            name = self.says(file, root)
            table = _read_table(file, name, self)
            tables.append(table)
            if file != self.place(root):
                part = next((PARTS[s] for s in PARTS if file.name.lower().startswith(s)), None)
                if part is None:
                    raise DataMissingError(
                        f"{name} is not named after a part: train*, validation* or test*"
                    )
                parts += [part] * len(table)
        try:
            whole = pa.concat_tables(tables, promote_options="permissive")
        except pa.ArrowException as error:
            raise DataMissingError(f"the files in '{self.path}' do not agree: {error}") from None
        return whole, np.array(parts) if parts else None

    def labelled(self, table: pa.Table, parts: NDArray[Any] | None, label: str) -> Labelled:
        """Return what the columns of a table say of labels, parts and groups."""
        if self.split_column is not None:
            if parts is not None:
                raise DataMissingError(
                    f"{self.path} is divided by its files; leave `split_column` out"
                )
            values = whole_column(table, self.split_column, self.path)
            parts = parts_of(values.tolist(), f"{self.path}, column '{self.split_column}',")
        groups = None
        if self.group_column is not None:
            groups = whole_column(table, self.group_column, self.path)
        return Labelled(self.path, whole_column(table, label, self.path), parts, groups)


def _place(path: str, root: Path) -> Path:
    """Return the file or folder that a path names; see `found_at`."""
    here = Path(path).expanduser()
    try:
        return here if here.is_absolute() else found_at(path, root)
    except OSError:  # such as a name that is too long
        return here


def found_at(path: str, root: Path) -> Path:
    """Return where a path is: here, beside the study file, or else under the data root.

    Raises:
        DataMissingError: if it is here and beside the study file, and these are not the same.
    """
    try:
        found = one_of([path, *(os.path.join(folder, path) for folder in beside())], path)
    except CodeMissingError as error:
        raise DataMissingError(str(error)) from None
    return root / path if found is None else Path(found)


def _is_there(file: Path) -> bool:
    """Whether there is such a file; False for a name that no file can have."""
    try:
        return file.is_file()
    except OSError:
        return False


def _checksums(path: str, root: Path) -> dict[str, tuple[Path, str]]:
    """Read what `sha256sum` wrote: name to (path, SHA-256). Names are relative to that file."""
    file = _place(path, root)
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataMissingError(f"the checksums in '{path}' cannot be read: {error}") from None
    found = {}
    for line in lines:
        digest, _, name = line.strip().partition(" ")
        name = name.lstrip(" *")
        if len(digest) != 64 or not name:
            raise DataMissingError(f"{path}: '{line[:60]}' is no line as `sha256sum` writes it")
        found[name] = (file.parent / name, digest.lower())
    return found


def _read_table(file: Path, name: str, how: Columns) -> pa.Table:
    """Read a CSV, TSV or Parquet file.

    Args:
        file: its path.
        name: that errors give it.
        how: columns are divided, and decimals written.
    """
    import pyarrow as pa
    from pyarrow import csv, parquet

    try:
        if file.suffix.lower() == ".parquet":
            table = parquet.read_table(file)
        else:
            usual = "\t" if file.suffix.lower() == ".tsv" else ","
            divider = how.separator or usual
            table = csv.read_csv(
                file,
                parse_options=csv.ParseOptions(delimiter=divider, newlines_in_values=True),
                convert_options=csv.ConvertOptions(
                    strings_can_be_null=True, decimal_point=how.decimal or "."
                ),
            )
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).strip().partition("\n")[0]
        hint = other_separator(first_line(file), how.separator) if how.separator is None else ""
        raise DataMissingError(f"{name} cannot be read: {reason}{hint}") from None
    if len(table.column_names) == 1:
        hint = other_separator(table.column_names[0], how.separator)
        if hint:
            raise DataMissingError(f"{name} has one column only{hint}")
    if len(set(table.column_names)) < len(table.column_names):
        raise DataMissingError(f"{name} has two columns of one name")
    return table


def first_line(file: Path) -> str:
    """Return the first line of a file of text; empty if it is none."""
    try:
        with file.open(encoding="utf-8-sig", errors="replace") as lines:
            return lines.readline().strip()
    except OSError:
        return ""


def other_separator(header: str, separator: str | None) -> str:
    """Say by what columns seem to be divided, where it is not what they were read by."""
    likely = likely_separator(header, separator or ",")
    if likely is None:
        return ""
    return f"; columns seem to be divided by {likely!r}: say `separator: {json.dumps(likely)}`"


def likely_separator(header: str, used: str = ",") -> str | None:
    """Return what divides the columns of a header most often, but for what was used."""
    counted = {one: header.count(one) for one in ";\t|," if one != used}
    likely = max(counted, key=lambda one: counted[one])
    return likely if counted[likely] else None


def column(table: pa.Table, name: str, where: str) -> pa.ChunkedArray:
    """Return a column, or say which ones there are."""
    if name not in table.column_names:
        names = ", ".join(table.column_names[:30])
        raise DataMissingError(
            f"{where} has no column '{name}' (it has: {names}){nearest(name, table.column_names)}"
        )
    return table.column(name)


def whole_column(table: pa.Table, name: str, where: str) -> NDArray[Any]:
    """Return the values of a column that may not lack any."""
    values = column(table, name, where)
    if values.null_count:
        row = next(i for i, value in enumerate(values) if not value.is_valid)
        raise DataMissingError(f"{where}: row {row + 1} has no value in the column '{name}'")
    found: NDArray[Any] = np.array(values.to_pylist())
    return found
