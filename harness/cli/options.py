"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.study.bundled import find_study

StudyFiles = Annotated[
    list[Path],
    typer.Argument(
        metavar="STUDY...", help="study files, or names of bundled ones", parser=find_study
    ),
]
StudyFile = Annotated[
    Path,
    typer.Argument(
        metavar="STUDY", help="a study file, or the name of a bundled one", parser=find_study
    ),
]
Profile = Annotated[str | None, typer.Option(help="a profile of the study")]
ProfilePattern = Annotated[
    str | None, typer.Option("--profile", help="a profile of the study, or a pattern: 'digits-*'")
]
AllProfiles = Annotated[
    bool, typer.Option("--all-profiles", help="every profile, one after the other")
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="change one setting")
]
Results = Annotated[Path, typer.Option(help="folder of the records")]
Reports = Annotated[Path, typer.Option("--out", help="folder of the reports")]
DataRoot = Annotated[
    Path | None, typer.Option(help="folder of the data files; or set HARNESS_DATA")
]
TrackingUri = Annotated[
    str | None, typer.Option(help="where runs were logged; or set MLFLOW_TRACKING_URI")
]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON document and nothing else")]

RESULTS = Path("results")
REPORTS = Path("reports")
