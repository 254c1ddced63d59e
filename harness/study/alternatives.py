"""One explanation where a value had several forms to choose from and fits none.

Pydantic reports a failed union once for every member. A reader wants to hear about the form that
they meant: the one with the fewest mistakes. Where several are equally far off, as for a word in
the place of a number or a list, one sentence names them all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Location = tuple[str | int, ...]
Item = dict[str, Any]


def closest(errors: Sequence[Item], is_member: Callable[[str | int], bool]) -> list[list[Item]]:
    """Group errors that are one mistake, and leave out those of forms that were not meant.

    Args:
        errors: as pydantic lists them.
        is_member: whether a part of a location is the name of a union's member.

    Returns:
        Groups in the order of the errors; most hold one, several if forms are equally far off.
    """
    unions: dict[Location, dict[str | int, list[Item]]] = {}
    groups: list[list[Item] | Location] = []
    for error in errors:
        place = next((i for i, part in enumerate(error["loc"]) if is_member(part)), None)
        if place is None:
            groups.append([error])
            continue
        union = error["loc"][:place]
        if union not in unions:
            groups.append(union)
        unions.setdefault(union, {}).setdefault(error["loc"][place], []).append(error)
    found: list[list[Item]] = []
    for group in groups:
        found += [group] if isinstance(group, list) else _nearest_members(unions[group])
    return found


def _nearest_members(members: dict[str | int, list[Item]]) -> list[list[Item]]:
    fewest = min(len(errors) for errors in members.values())
    nearest = [errors for errors in members.values() if len(errors) == fewest]
    if fewest == 1 and len(nearest) > 1:
        return [[errors[0] for errors in nearest]]
    return [[error] for error in nearest[0]]
