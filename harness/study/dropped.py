"""Options of data, such as wrong labels, that are lost where other data are named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from harness.data import data_of
from harness.formatting import level_text
from harness.study.design import is_within


def dropped(before: Mapping[str, Any], after: Mapping[str, Any], given: Sequence[str]) -> str:
    """Say which option is lost from one setting of data to another; empty if none is.

    Args:
        before: the data, as they are without a change.
        after: what they are changed to.
        given: the paths that the change sets, such as `data.label_noise`.
    """
    if before.get("name") == after.get("name"):
        return ""
    try:
        data = data_of(dict(before))
    except ValidationError:  # the study as it stands is wrong, and another check says so
        return ""
    for option in data.options:
        if not any(is_within(path, f"data.{option.name}") for path in given):
            was = level_text(before[option.name])
            usual = type(data).model_fields[option.name].default
            return (
                f"and so drops `{option.name}: {was}` of the workload; write it here too, or"
                f" `{option.name}: {level_text(usual)}` if it shall not hold here"
            )
    return ""
