"""Records that travel with the code: one small file for each study and profile.

A published file holds everything that verdicts and reports rest on, so that they can be recomputed
on a fresh clone. A run never takes a record from it.
"""

from harness.publish.folder import Published
from harness.publish.read import PublishedFile, read_file
from harness.publish.unpack import PublishedError
from harness.publish.write import publishable, write_file

FOLDER = "published"
"""The folder of published files inside a folder of results."""

__all__ = [
    "FOLDER",
    "Published",
    "PublishedError",
    "PublishedFile",
    "publishable",
    "read_file",
    "write_file",
]
