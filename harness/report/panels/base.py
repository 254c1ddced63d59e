"""What every panel of a report is: a section, its place, and what it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from harness.report.blocks import Block

if TYPE_CHECKING:
    from harness.report.view import ProfileView


class Panel:
    """A section of a report; the module that holds it has its name.

    Attributes:
        name: the module, and the section's address on the page.
        title: the heading.
        contents: the entry in the table of contents, if it is not the title.
        order: its place on the page, among those of the built-in panels: 10, 20, ... 140.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    contents: ClassVar[str] = ""
    order: ClassVar[int] = 95

    def blocks(self, report: ProfileView) -> Sequence[Block | None]:
        """Return what the section shows, for the page, Markdown and exports alike.

        The figures of the section follow, except those that stand among the blocks already. A
        section without any block and figure is left out of the page. What `report.part` makes is
        left out if it fails, and the report says so; so is the whole section if this fails.
        """
        del report
        return ()
