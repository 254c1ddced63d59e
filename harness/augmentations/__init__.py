"""Random changes of training examples by name, and what a study's `augmentation` may say."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import ConfigDict, create_model, model_validator

from harness.augmentations.base import Augmentation
from harness.components.base import Component
from harness.components.keyed import field_of
from harness.parsing import read_as
from harness.registry import AUGMENTATIONS, Late


def _with_others(schema: dict[str, Any]) -> None:
    """Let editors, and hints at the nearest name, know the keys of other packages."""
    for name, whole in AUGMENTATIONS.schemas().items():
        schema["properties"].setdefault(name, whole)


class Changes(Component):
    """Training examples are changed at random, anew in every epoch.

    Validation and test examples stay as they are. Each key is an augmentation
    (`harness list augmentations`): one of a single setting is written as its value, `shift: 2`,
    one of several as a mapping of them.
    """

    model_config = ConfigDict(json_schema_extra=_with_others)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            known = " or ".join(f"`{name}`" for name in AUGMENTATIONS.names())
            raise ValueError(f"changes nothing: give {known}, or leave it out")
        return self


def turned_off() -> dict[str, Any]:
    """Return what each augmentation of a single setting has where it is off, such as `shift: 0`."""
    return mapping_of(AUGMENTATIONS.own()).model_construct().model_dump(mode="json")


def augmentations(settings: Mapping[str, Any] | None) -> list[Augmentation]:
    """Return the augmentations of a resolved workload in the order in which they are applied.

    Those that are turned off are among them, where they have settings for it.
    """
    found = []
    for name, value in sorted((settings or {}).items()):
        kind = AUGMENTATIONS.find(name)
        if value is not None:
            own = value if isinstance(value, Mapping) else {kind.single(): value}
            found.append(AUGMENTATIONS.read({**own, "name": name}))
    return found


@cache
def mapping_of(names: tuple[str, ...]) -> type[Changes]:
    """Return the model of a mapping of augmentations, with a field for each."""
    fields: dict[str, Any] = {name: field_of(AUGMENTATIONS.find(name)) for name in names}
    found: type[Changes] = create_model("Augmentation", __base__=Changes, __doc__=Changes.__doc__,
                                        **fields)  # fmt: skip
    return found


class _Mapping(Late):
    """A mapping with the augmentations of ours, and those of other packages that it names."""

    def read(self, value: Any) -> Any:
        keys = set(value) if isinstance(value, Mapping) else set()
        others = sorted(keys & (set(AUGMENTATIONS.names()) - set(AUGMENTATIONS.own())))
        model = mapping_of((*AUGMENTATIONS.own(), *others))
        return value if isinstance(value, Changes) else read_as(model, value)

    def whole(self) -> Any:
        return mapping_of(AUGMENTATIONS.own())


if TYPE_CHECKING:
    AugmentationSetting = Changes
else:
    AugmentationSetting = Annotated[Any, _Mapping()]
