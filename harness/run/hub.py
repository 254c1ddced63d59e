"""Published records, their pages and model cards to a data set repository of Hugging Face."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import InputError
from harness.formatting import listed, plural, why
from harness.publish import FOLDER
from harness.report.card import card_of, write_card
from harness.report.verdicts import ORDER
from harness.report.view import ProfileResult

CARD = """---
{front_matter}
---

# {title}

{counts} All records are here, so that every verdict can be computed again
without training anything. Claims that were changed after their evidence was seen are marked.

| Study | Profile | Claims | Supported | Refuted | Inconclusive | Incomplete |
| --- | --- | ---: | ---: | ---: | ---: | ---: |
{rows}

- `results/published/` holds the records: one file for each study and profile.
- `reports/published/` holds a page for each study{board}.
- `cards/` holds a model card of the best arm of each study.

To check the verdicts, install the harness and run:

```bash
hf download {repository} --repo-type dataset --local-dir evidence
harness verify --results evidence/results --out evidence/reports
```
"""


@dataclass(frozen=True)
class Staged:
    """A folder that looks as the repository will."""

    folder: Path
    files: Sequence[Path]  # relative to it

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum((self.folder / file).stat().st_size for file in self.files)


def check_name(repository: str) -> None:
    """See that a repository can have this name.

    Raises:
        InputError: if it cannot.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise InputError(f"--hub {repository}: {error}") from None
    if "/" not in repository:
        raise InputError(f"--hub {repository}: expected OWNER/NAME, such as my-lab/{repository}")


def stage(
    into: Path,
    repository: str,
    files: Path,
    pages: Path,
    judged: Sequence[ProfileResult],
) -> Staged:
    """Lay out what the repository will hold.

    Args:
        into: an empty folder.
        repository: its owner and name.
        files: the folder of the published files; those of the studies judged are taken.
        pages: the folder of the pages.
        judged: the studies and profiles.
    """
    studies = sorted({result.study for result in judged})
    records = into / "results" / FOLDER
    records.mkdir(parents=True)
    for file in sorted(files.iterdir()):
        if file.name.partition(".")[0] in studies:
            shutil.copy2(file, records / file.name)
    for study in studies:
        shutil.copytree(pages / study, into / "reports" / FOLDER / study)
    whole = len(list(records.iterdir())) == len(list(files.iterdir()))
    if whole:  # it speaks of all studies, and leads to their pages
        for name in ("index.md", "syllabus.md"):
            shutil.copy2(pages / name, into / "reports" / FOLDER / name)
    _write_cards(into / "cards", judged)
    (into / "README.md").write_text(_card(repository, judged, whole), encoding="utf-8")
    found = sorted(file.relative_to(into) for file in into.rglob("*") if file.is_file())
    return Staged(into, found)


def _write_cards(folder: Path, judged: Sequence[ProfileResult]) -> None:
    """Write a card of the best arm of each study and profile whose networks were trained here."""
    for result in judged:
        try:
            write_card(card_of(result), folder / result.study)
        except (
            InputError
        ):  # it has no network to speak of: other code trained it, or none completed
            continue


def _card(repository: str, judged: Sequence[ProfileResult], whole: bool) -> str:
    from huggingface_hub import DatasetCardData

    studies = sorted({result.study for result in judged})
    claims = [verdict for result in judged for verdict in result.verdicts]
    rows = []
    for result in judged:
        counts = [sum(v.verdict == kind for v in result.verdicts) for kind in ORDER]
        place = f"[{result.study}](reports/{FOLDER}/{result.study}/report.md)"
        cells = [place, result.profile, len(result.verdicts), *counts]
        rows.append(f"| {' | '.join(map(str, cells))} |")
    number = plural(len(studies), "study", "studies")
    title = f"Ablation studies: {listed(studies) if len(studies) < 4 else number}"
    front = DatasetCardData(
        pretty_name=title, tags=["ablation-study", "benchmark", *studies], license="unknown"
    )
    return CARD.format(
        front_matter=front.to_yaml(),
        title=title,
        counts=f"{plural(len(claims), 'verdict')} in {number}.",
        rows="\n".join(rows),
        board=f", and [all verdicts](reports/{FOLDER}/index.md)" if whole else "",
        repository=repository,
    )


def upload(staged: Staged, repository: str, studies: Collection[str]) -> str:
    """Upload a folder in one commit, and return the address of the repository.

    A repository that is not there is made, and is private until its owner says otherwise. The
    token is that of `hf auth login`, or of the variable HF_TOKEN.

    Raises:
        InputError: if the hub refuses, cannot be reached, or nobody is logged in.
    """
    from huggingface_hub import HfApi, get_token

    if get_token() is None:
        raise InputError("nobody is logged in to the hub: run `hf auth login`, or set HF_TOKEN")
    hub = HfApi()
    try:
        address = hub.create_repo(repository, repo_type="dataset", private=True, exist_ok=True)
        hub.upload_folder(
            repo_id=repository,
            repo_type="dataset",
            folder_path=staged.folder,
            commit_message=f"Evidence of {listed(sorted(studies))}",
        )
    except Exception as error:  # the hub's, the network's and the library's own
        raise InputError(f"the hub did not take {repository}: {why(error)}") from None
    return str(address)
