"""What a study can name: one module for each thing, found by its name, imported when it is needed.

The built-in things of a kind are the modules of its package; entry points add those of others.
"""

from __future__ import annotations

import ast
import pkgutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Union, get_args

from pydantic import (
    BaseModel,
    Discriminator,
    GetJsonSchemaHandler,
    PlainSerializer,
    Tag,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from harness.own.registered import by_address, load
from harness.parsing import read_as
from harness.plugins import Kind as PluginKind
from harness.plugins import Plugin, plugin_of, plugins

SHARED = ("base",)
"""Modules of a package that are no things of their own; so are those that begin with `_`."""

OWN = "custom"
"""What stands in error messages for a function of the user's."""


@dataclass(frozen=True)
class Family:
    """Things of a kind that have no names of ours, such as a user's own functions.

    `written` is how lists and messages show such a name, `holds` what each of them contains, and
    `module` the module of the kind's package that has their class.
    """

    written: str
    holds: str
    module: str


@dataclass(frozen=True)
class Kind:
    """A kind of things, such as tasks: the package that holds the built-in ones.

    `plugged` is the kind of entry points by which other packages add theirs, if they can; a class
    among them is derived from `base`, of the package's module of that name, or stands for a
    function where these are allowed (`functions`), as a `torch.optim.Optimizer` does;
    `families` are things that are told by the form of their names, the first that fits. Where names
    have hyphens (`hyphens`), the modules have underscores in their place.
    """

    package: str
    plugged: PluginKind | None = None
    families: tuple[Family, ...] = ()
    hyphens: bool = False
    base: str = ""
    functions: bool = False

    def own(self) -> tuple[str, ...]:
        """Return the names of the built-in things."""
        return _built_in(self.package, self.hyphens)

    def names(self) -> list[str]:
        """Return the names of all things of this kind; a built-in one goes first."""
        others = plugins(self.plugged) if self.plugged is not None else {}
        return list(dict.fromkeys([*self.own(), *others]))

    def plugin(self, name: str) -> Plugin | None:
        """Return what a package registers under a name, unless a thing of that name is built in.

        Raises:
            ValueError: if two packages register it.
        """
        if name in self.own() or self.plugged is None:
            return None
        return plugin_of(self.plugged, name)

    def find(self, name: str) -> type[Any]:
        """Import the thing of a name and return its class.

        Raises:
            KeyError: if nothing of this kind has the name.
            ValueError: if two packages register it, or what is registered is no such class.
        """
        if (module := self.module(name)) is not None:
            return _class_of(module, name if name in self.own() else None)
        plugin = self.plugin(name)
        if plugin is None or not plugin.is_class:
            raise KeyError(name)
        base = getattr(import_module(f"{self.package}.base"), self.base) if self.base else object
        return load(plugin, base, may_be_other=self.functions)

    def module(self, name: str) -> str | None:
        """Return the module of a built-in thing, or of the family that a name belongs to."""
        if name in self.own():
            return f"{self.package}.{name.replace('-', '_')}"
        family = self.family(name)
        return None if family is None else f"{self.package}.{family.module}"

    def family(self, name: str) -> Family | None:
        """Return the family that a name belongs to, if to any."""
        return next((family for family in self.families if family.holds in name), None)

    def about(self, name: str) -> str:
        """Return what a thing says of itself in a line: the first of its module, or of its class.

        Nothing is imported for a built-in one.

        Raises:
            KeyError: if nothing of this kind has the name.
            ValueError: if two packages register it.
        """
        if name not in self.own():
            return first_line(self.find(name).__doc__)
        file = _folder(self.package) / name.replace("-", "_")
        file = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
        return first_line(ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))))

    def listed(self) -> dict[str, type[Any]]:
        """Return the built-in things by name, and the families by how they are written."""
        found = {name: self.find(name) for name in self.own()}
        return found | {family.written: self.find(family.holds) for family in self.families}

    def schemas(self) -> dict[str, dict[str, Any]]:
        """Return the JSON Schema of each thing of other packages.

        It is empty for one that is not imported yet: only a study that names it does that.
        """
        others = plugins(self.plugged) if self.plugged is not None else {}
        found: dict[str, dict[str, Any]] = {}
        for name in sorted(others.keys() - set(self.own())):
            plugin, found[name] = others[name][0], {}
            if plugin.is_class and plugin.function.partition(":")[0] in sys.modules:
                with suppress(ValueError):  # a mistake in one matters only to a study that names it
                    thing = self.find(name)
                    whole = thing.model_json_schema() if issubclass(thing, BaseModel) else {}
                    found[name] = {} if "$defs" in whole else whole
        return found

    def read(self, written: str | Mapping[str, Any]) -> Any:
        """Return the thing that a name, or a name with settings, means in a resolved workload.

        Raises:
            KeyError: if nothing of this kind has the name.
            pydantic.ValidationError: if the settings are not its own.
        """
        settings = {"name": written} if isinstance(written, str) else written
        return read_as(self.find(settings["name"]), settings)


NETWORKS = Kind("harness.models", "models", base="Network", functions=True)
TASKS = Kind("harness.tasks", "tasks", base="Task")
PROBES = Kind("harness.probes", "probes", base="Probe")
OPTIMIZERS = Kind(
    "harness.optimizers",
    "optimizers",
    (Family("torch.optim.Class", "torch.optim.", "_torch"),
     Family("package.module:Class", ":", "_own")),
    base="Optimizer", functions=True,
)  # fmt: skip
ADAPTERS = Kind("harness.adapters", "adapters", base="Adapter")
SCHEDULES = Kind("harness.schedules", "schedules", base="Schedule")
AUGMENTATIONS = Kind("harness.augmentations", "augmentations", base="Augmentation")
LOSSES = Kind(
    "harness.losses", "losses", (Family("package.module:function", ":", "_own"),),
    base="Loss", functions=True,
)  # fmt: skip
DATA = Kind("harness.data", "data", base="Data", functions=True)
MEASURES = Kind("harness.measures", "measures", base="Measure")
HYPOTHESES = Kind("harness.hypotheses", "hypotheses", base="Hypothesis")
DESIGNS = Kind("harness.designs", "designs", hyphens=True, base="Design")
SAMPLERS = Kind("harness.samplers", "samplers", base="Sampler")
PRUNERS = Kind("harness.pruners", "pruners", base="Pruner")
KINDS: Mapping[str, Kind] = {
    str(kind.plugged): kind
    for kind in (
        DATA, NETWORKS, ADAPTERS, TASKS, PROBES, OPTIMIZERS, SCHEDULES, AUGMENTATIONS, LOSSES,
        DESIGNS, SAMPLERS, PRUNERS, MEASURES, HYPOTHESES,
    )
}  # fmt: skip
"""All that a study can name, by what the entry points of other packages call them."""
DATA_OPTIONS = Kind("harness.data._options")
FIGURES = Kind("harness.figures", "figures")
PANELS = Kind("harness.report.panels", "panels")
LAUNCHERS = Kind("harness.launch", "launchers", hyphens=True, base="Launcher")


@cache
def _built_in(package: str, hyphens: bool) -> tuple[str, ...]:
    names = sorted(module.name for module in pkgutil.iter_modules([str(_folder(package))]))
    own = [name for name in names if name not in SHARED and not name.startswith("_")]
    return tuple(name.replace("_", "-") if hyphens else name for name in own)


def _folder(package: str) -> Path:
    """Return the folder of a package of ours; importing a package to find it may take seconds."""
    return Path(__file__).parent.joinpath(*package.split(".")[1:])


@cache
def _class_of(module: str, name: str | None) -> type[Any]:
    """Return the class of a module whose `name`, a field or of the class, has this one value.

    Without a name, the class whose `name` has a pattern.
    """
    for value in vars(import_module(module)).values():
        if isinstance(value, type) and _says(value, name):
            return value
    wanted = "a pattern for its `name`" if name is None else f"the `name` '{name}'"
    raise LookupError(f"{module} has no class with {wanted}")


def _says(value: type[Any], name: str | None) -> bool:
    field = value.model_fields.get("name") if issubclass(value, BaseModel) else None
    if field is None:
        return name is not None and vars(value).get("name") == name
    return bool(field.metadata) if name is None else get_args(field.annotation) == (name,)


class Late:
    """What pydantic is told of a field whose type is made when it is first needed.

    A study file is then read by the classes that it names, and no other is imported.
    """

    def read(self, value: Any) -> Any:
        """Return what a value means.

        Raises:
            pydantic.ValidationError: if it is wrong.
        """
        raise NotImplementedError

    def whole(self) -> Any:
        """Return all that the field may hold, as a type; asked for the JSON Schema."""
        raise NotImplementedError

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        del source, handler
        as_it_is = core_schema.simple_ser_schema("any")
        return core_schema.no_info_plain_validator_function(self.read, serialization=as_it_is)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        del schema
        whole: Any = self.whole() | None  # a model alone would lose its name among `$defs`
        found: dict[str, Any] = handler(TypeAdapter(whole).core_schema)["anyOf"][0]
        return found


@dataclass(frozen=True, eq=False)
class Named(Late):
    """A field that holds the settings of one thing, whose name is the field's."""

    kind: Kind
    name: str

    def read(self, value: Any) -> Any:
        """Read the settings."""
        return read_as(self.whole(), value)

    def whole(self) -> Any:
        """Return the thing's class."""
        return self.kind.find(self.name)


@dataclass(frozen=True, eq=False)
class _Setting(Late):
    """A field that names a thing of a kind; see `setting`."""

    kind: Kind
    own: type[BaseModel] | None
    others: Mapping[str, type[BaseModel]]
    alone: bool

    def read(self, value: Any) -> Any:
        """Read the settings by the class of the name that is written."""
        if isinstance(value, str):
            value = {"name": value}
        name = value.get("name") if isinstance(value, dict) else getattr(value, "name", None)
        if name is None:
            raise PydanticKnownError("union_tag_not_found", {"discriminator": "`name`"})
        tag, model = self._model(str(name))
        if model is None and (plugin := self.kind.plugin(str(name))) is not None:
            found = self.kind.find(plugin.name) if plugin.is_class else None
            if found is not None and issubclass(found, BaseModel):
                tag, model = plugin.name, found
            elif isinstance(value, dict):  # a function, or such as a torch.optim.Optimizer
                value = {**value, "name": plugin.function}
                tag, model = self._model(plugin.function)
        elif ":" in str(name) and (
            said := by_address(str(name), self.kind.plugged, self.kind.find)
        ):
            raise ValueError(said)
        if model is None:
            known = ", ".join(f"'{one}'" for one in self._tags())
            told = {"discriminator": "`name`", "tag": str(name), "expected_tags": known}
            raise PydanticKnownError("union_tag_invalid", told)
        try:
            return read_as(model, value)
        except ValidationError as error:
            below: list[Any] = [{**item, "loc": (tag, *item["loc"])} for item in error.errors()]
            raise ValidationError.from_exception_data(tag, below) from None

    def _model(self, name: str) -> tuple[str, type[BaseModel] | None]:
        """Return the class that reads a name of ours, and what stands for it in error messages."""
        family = self.kind.family(name)
        if family is not None:
            return family.written, self.kind.find(family.holds)
        if ":" in name:
            return OWN, self.own
        if name in self.others:
            return name, self.others[name]
        return name, self.kind.find(name) if name in self.kind.own() else None

    def _tags(self) -> list[str]:
        families = [family.written for family in self.kind.families]
        return [*self.kind.own(), *families, *self.others, *([OWN] if self.own else [])]

    def whole(self) -> Any:
        """Return the union of the built-in things and of what stands for others."""
        classes = self.kind.listed() | dict(self.others) | ({OWN: self.own} if self.own else {})
        tagged: Any = tuple(Annotated[one, Tag(name)] for name, one in classes.items())
        return Annotated[Union[tagged], Discriminator(str)]  # noqa: UP007

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Add to the built-in things what editors are told beside: a name alone, others' things.

        The settings of another package's class are known where a study has named it.
        """
        forms = [{"type": "string"}, super().__get_pydantic_json_schema__(schema, handler)]
        for name, whole in self.kind.schemas().items():
            named = {"properties": {"name": {"const": name}}, "required": ["name"]}
            forms.append({"type": "object", **(whole or named)})
        if not self.alone:
            return {"anyOf": forms}
        names, own = self.kind.names(), self.kind.own()
        plain = all(set(self.kind.find(name).model_fields) == {"name"} for name in own)
        others = [name for name in names if plain or name not in own]
        known: list[Any] = [{"enum": names, "type": "string"}]
        known += [] if plain else [{"anyOf": forms}]
        if others:
            only = {"name": {"enum": others}}
            known.append({"type": "object", "properties": only, "required": ["name"]})
        return {"anyOf": known}


def setting(
    kind: Kind,
    *,
    own: type[BaseModel] | None = None,
    alone: bool = False,
    **others: type[BaseModel],
) -> Any:
    """Return the type of a field that names a thing of a kind, as pydantic checks it.

    A thing is imported where a study names it, and never for a study that does not.

    Args:
        kind: of the things.
        own: settings of a function of the user's, by address or as it is registered.
        alone: write a thing without settings as its name.
        others: things by name that are no module of the kind's package.
    """
    found: Any = Annotated[Any, _Setting(kind, own, others, alone)]
    return Annotated[found, PlainSerializer(written)] if alone else found


def written(thing: BaseModel) -> Any:
    """Return what a study says to name a thing: its name, with settings where it has any."""
    alone = set(type(thing).model_fields) == {"name"}
    return thing.name if alone else thing.model_dump(mode="json")  # type: ignore[attr-defined]


def first_line(text: str | None) -> str:
    """Return the first line of a docstring; empty if there is none."""
    return (text or "").strip().partition("\n")[0]
