"""The studies that come with the package, by name."""

from __future__ import annotations

from pathlib import Path

from harness.errors import InputError, Problem, nearest

FOLDER = Path(__file__).parent.parent / "bundled"
"""A link to `studies/` in the repository; the files themselves in an installed package."""
SOURCES = "sources.toml"
"""The file beside studies that says what their sources are (`harness.report.sources`)."""


def bundled_studies() -> dict[str, Path]:
    """Return the bundled study files by name."""
    return {file.stem: file for file in sorted(FOLDER.glob("*.yaml"))}


def find_study(name: str) -> Path:
    """Return the file that a command line means: a path, or the name of a bundled study.

    Raises:
        InputError: if there is neither.
    """
    path = Path(name)
    if path.exists() or path.suffix or path.name != name:
        return path
    known = bundled_studies()
    if name not in known:
        message = (
            f"is neither a file nor a bundled study ({', '.join(known)}){nearest(name, known)}"
        )
        raise InputError([Problem(message, name)])
    here = Path("studies") / f"{name}.yaml"
    return here if here.is_file() and here.samefile(known[name]) else known[name]
