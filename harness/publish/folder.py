"""The published files of a folder, each of which is read when it is asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Set
from pathlib import Path

from harness.publish.read import PublishedFile, data_of, read_file
from harness.publish.unpack import PublishedError, mentions, names_in
from harness.publish.write import SUFFIX

KEPT = 4  # files as a whole: one can take a hundred megabytes


class Published:
    """The published files of a folder, in the order of their names.

    What names a study can be told from the names of the files. To read all of them takes a hundred
    times as long as one, and most questions are about one study, and about those that share its
    data. Only the last few are kept as a whole; of others, what tells which trials they looked at.

    Attributes:
        files: where they lie.
        errors: what is wrong with each file that was to be read and cannot be used.
    """

    def __init__(self, folder: Path | None = None, files: Iterable[PublishedFile] = ()):
        self.errors: list[PublishedError] = []
        self._given: dict[Path, PublishedFile] = {file.file: file for file in files}
        self._whole: OrderedDict[Path, PublishedFile] = OrderedDict()  # the last one asked for last
        self._slim: dict[Path, PublishedFile] = {}
        self._unusable: set[Path] = set()
        self._data: dict[Path, set[str]] = {}
        found = sorted(folder.glob(f"*{SUFFIX}")) if folder is not None else []
        self.files = [*self._given, *found]

    def __bool__(self) -> bool:
        return bool(self.files)

    @property
    def studies(self) -> set[str]:
        """The studies that there are files of, as their names say."""
        return {names_in(file)[0] for file in self.files}

    def of(self, studies: Collection[str] | None = None) -> list[PublishedFile]:
        """Return the files of some studies, or all."""
        wanted = [f for f in self.files if studies is None or names_in(f)[0] in studies]
        return [read for file in wanted if (read := self._find(file)) is not None]

    def with_data(self, fingerprints: Set[str]) -> list[PublishedFile]:
        """Return the files of the trainings on any of these data sets.

        They tell of what was confirmed and timed; candidates, curves and outcomes may be left out.
        """
        wanted = [file for file in self.files if not fingerprints.isdisjoint(self._data_of(file))]
        found = (self._slim.get(file) or self._find(file) for file in wanted)
        return [read for read in found if read is not None]

    def mentioning(self, text: str) -> Published:
        """Return those that have a text anywhere, such as the beginning of a trial's id."""
        some = Published()
        for file in self.files:
            try:
                if mentions(file, text):
                    some.files.append(file)
            except PublishedError as error:
                error.file = file
                some.errors.append(error)
        return some

    def check(self, study: str) -> None:
        """Read the files of a study.

        Raises:
            PublishedError: if one cannot be used; those of others are no matter here.
        """
        self.of({study})
        for error in self.errors:
            if error.names[0] == study:
                raise error

    def _find(self, file: Path) -> PublishedFile | None:
        if file in self._given:
            return self._given[file]
        if file not in self._whole and file not in self._unusable:
            try:
                self._whole[file] = read = read_file(file)
                self._slim.setdefault(file, read.slim())
            except PublishedError as error:
                self._broken(file, error)
        if file in self._whole:
            self._whole.move_to_end(file)
        while len(self._whole) > KEPT:
            self._whole.popitem(last=False)
        return self._whole.get(file)

    def _data_of(self, file: Path) -> set[str]:
        if file not in self._data:
            read = self._given.get(file) or self._slim.get(file)
            try:
                self._data[file] = data_of(file) if read is None else read.data
            except PublishedError as error:
                self._broken(file, error)
        return self._data[file]

    def _broken(self, file: Path, error: PublishedError) -> None:
        error.file = file
        self.errors.append(error)
        self._unusable.add(file)
        self._data[file] = set()
