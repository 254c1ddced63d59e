"""Which files a path stands for, whether they are the ones that were meant, and tables in them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import nearest
from harness.workloads.own.divide import PARTS, Labelled, parts_of
from harness.workloads.source import Config, DataMissingError, missing

if TYPE_CHECKING:
    import pyarrow as pa

TABLES = (".csv", ".tsv", ".parquet")


def place_of(config: Config, root: Path) -> Path:
    """Return the file or folder that `path` names: here, or under the data root."""
    here = Path(config["path"]).expanduser()
    try:
        if here.is_absolute() or here.exists():
            return here
        return root / here
    except OSError:  # such as a name that is too long
        return here


def is_there(file: Path) -> bool:
    """Whether there is such a file; False for a name that no file can have."""
    try:
        return file.is_file()
    except OSError:
        return False


def shown(file: Path, config: Config, root: Path) -> str:
    """Return a file's name as errors show it: as the study file wrote it."""
    place = place_of(config, root)
    try:
        inside = file.relative_to(place)
    except ValueError:
        return file.name
    return config["path"] if str(inside) == "." else str(Path(config["path"]) / inside)


def files_under(config: Config, root: Path, suffixes: Sequence[str]) -> list[Path]:
    """Return the file, or all files of some kinds below the folder, in the order of their names."""
    place = place_of(config, root)
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


def check_files(config: Config, root: Path, files: Sequence[Path]) -> None:
    """Say that files are not there, or not the ones whose checksums were declared.

    Raises:
        DataMissingError: naming the first such file.
    """
    if not files:
        raise missing(f"there is no data in '{config['path']}', neither here nor", root,
                      "Check the path")  # fmt: skip
    if config.get("checksums") is None:
        return
    declared = _checksums(config, root)
    known = {file.resolve(): file for file in files}
    for name, (path, wanted) in declared.items():
        file = known.pop(path.resolve(), None)
        if file is None:
            continue
        with file.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
        if found != wanted:
            raise DataMissingError(
                f"{name} is not the file that {config['checksums']} declares (SHA-256 "
                f"{found[:9]}…, declared {wanted[:9]}…): it was changed or damaged"
            )
    if known:
        extra = shown(next(iter(known.values())), config, root)
        raise DataMissingError(f"{config['checksums']} says nothing of {extra}")


def _checksums(config: Config, root: Path) -> dict[str, tuple[Path, str]]:
    """Read what `sha256sum` wrote: name to (path, SHA-256). Names are relative to that file."""
    file = place_of({"path": config["checksums"]}, root)
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataMissingError(
            f"the checksums in '{config['checksums']}' cannot be read: {error}"
        ) from None
    found = {}
    for line in lines:
        digest, _, name = line.strip().partition(" ")
        name = name.lstrip(" *")
        if len(digest) != 64 or not name:
            raise DataMissingError(
                f"{config['checksums']}: '{line[:60]}' is no line as `sha256sum` writes it"
            )
        found[name] = (file.parent / name, digest.lower())
    return found


def read_table(file: Path, name: str) -> pa.Table:
    """Read a CSV, TSV or Parquet file.

    Args:
        file: its path.
        name: that errors give it.
    """
    import pyarrow as pa
    from pyarrow import csv, parquet

    try:
        if file.suffix.lower() == ".parquet":
            table = parquet.read_table(file)
        else:
            tab = "\t" if file.suffix.lower() == ".tsv" else ","
            table = csv.read_csv(
                file,
                parse_options=csv.ParseOptions(delimiter=tab, newlines_in_values=True),
                convert_options=csv.ConvertOptions(strings_can_be_null=True),
            )
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise DataMissingError(f"{name} cannot be read: {reason}") from None
    if len(set(table.column_names)) < len(table.column_names):
        raise DataMissingError(f"{name} has two columns of one name")
    return table


def read_tables(config: Config, root: Path) -> tuple[pa.Table, NDArray[Any] | None]:
    """Read one file, or the files of a folder that are named after their parts.

    Returns:
        The rows of all, and the part that each belongs to, or None for a single file.
    """
    import pyarrow as pa

    files = files_under(config, root, TABLES)
    check_files(config, root, files)
    tables, parts = [], []
    for file in files:
        name = shown(file, config, root)
        table = read_table(file, name)
        tables.append(table)
        if file != place_of(config, root):
            part = next((PARTS[s] for s in PARTS if file.name.lower().startswith(s)), None)
            if part is None:
                raise DataMissingError(
                    f"{name} is not named after a part: train*, validation* or test*"
                )
            parts += [part] * len(table)
    try:
        whole = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise DataMissingError(f"the files in '{config['path']}' do not agree: {error}") from None
    return whole, np.array(parts) if parts else None


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


def labelled(config: Config, table: pa.Table, parts: NDArray[Any] | None, label: str) -> Labelled:
    """Return what the columns of a table say of labels, parts and groups."""
    where = config["path"]
    if config.get("split_column") is not None:
        if parts is not None:
            raise DataMissingError(f"{where} is divided by its files; leave `split_column` out")
        values = whole_column(table, config["split_column"], where)
        parts = parts_of(values.tolist(), f"{where}, column '{config['split_column']}',")
    groups = None
    if config.get("group_column") is not None:
        groups = whole_column(table, config["group_column"], where)
    return Labelled(where, whole_column(table, label, where), parts, groups)
