"""Kinds: the named alternatives of the language (layers, initialisers, optimisers, schedules, losses, metrics, tasks,
datasets, augmentations).

A kind is a pydantic model in a file of its own, `archspec/<family>/<kind>.py`, found by that file's name and
imported when a spec first names it. Other packages add kinds with an entry point in the group
`archspec.<family>` whose name is the kind's and whose value is the class; plugins.py adds those of a user's own file.
Where none of these has a name, `archspec/<family>/_optax.py` is asked, in the families of `FOUND_IN_OPTAX`.
"""

from __future__ import annotations

import os
import re
from functools import cache, lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

FAMILIES = {
    "layers": "layer",
    "initialisers": "initialiser",
    "optimisers": "optimiser",
    "schedules": "schedule",
    "losses": "loss",
    "metrics": "metric",
    "tasks": "task",
    "data": "dataset",
    "augmentations": "augmentation",
    "writers": "writer",
}
"""Folder of each family, which also gives its base class, and the word for one of its members."""

FOUND_IN_OPTAX = ("optimisers", "schedules")
"""Families whose module `_optax` has `names()` and `find(name)` of kinds made from Optax's functions."""

RESERVED = ("name", "from", "when", "weights")
"""Fields that every entry of a `layers:` list has; no kind may have its own."""

STRUCTURE = ("repeat", "parallel", "residual", "split", "separable_conv")
"""Words in `layers:` that arrange layers; no kind and no block may take these names."""

JOINS = ("concat", "add", "multiply", "maximum", "average")
"""Kinds that may join the branches of `parallel`."""
SPLIT_AXES = ("channels", "rows", "columns", "length")
"""What `split` divides: the axes of `slice`."""

SEPARABLE = {
    "depthwise": ("depthwise_conv", ("kernel", "stride", "pad", "rounding", "dilation", "multiplier", "init")),
    "pointwise": ("conv", ("filters", "bias", "init", "bias_init")),
}
"""The layers of a separable convolution by their names: their kinds, and which of its fields they take."""


class KindError(Exception):
    """A kind that another package offers cannot be used; the words say why."""


class Kind(BaseModel):
    """Base of all kinds. Its fields are the fields of the language; `kind` follows from the class's name."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)

    kind: ClassVar[str]
    main: ClassVar[str | None] = None
    """The field that a plain value sets: `dense: 84` is `dense: {units: 84}`."""

    @classmethod
    def plain_default(cls, **fields: Any) -> Self:
        """The kind with these fields and defaults for the rest, which must be right: nothing is validated.

        Building a validator takes milliseconds, which a kind that is a mere default need not cost.
        """
        return cast("Self", cls.model_construct(**fields))

    @classmethod
    def needs_validation(cls) -> bool:
        """Whether the kind can be wrong although no field is given."""
        required = any(info.is_required() for info in cls.model_fields.values())
        return required or bool(cls.__pydantic_decorators__.model_validators)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        cls.kind = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
        _keep_class_variables(cls)

    def to_plain(self) -> Any:
        """The kind as the language writes it: `relu`, or `{conv: {filters: 6, kernel: [5, 5]}}`."""
        names = sorted(type(self).model_fields, key=lambda name: not type(self).model_fields[name].is_required())
        fields = {name: plain(getattr(self, name)) for name in names if getattr(self, name) is not None}
        return {self.kind: fields} if fields else self.kind


def _keep_class_variables(kind: type[Kind]) -> None:
    """Says of the class variables that a kind declares that they are such, in what needs no evaluation.

    Pydantic evaluates the text of their annotations anew for each subclass, only to see that: a twentieth of a start.
    """
    written = kind.__dict__.get("__annotations__", {})  # noqa: RUF063 (a copy would change nothing)
    written.update(dict.fromkeys(kind.__class_vars__ & written.keys(), ClassVar))


_keep_class_variables(Kind)


def plain(value: Any) -> Any:
    """A field's value in terms of JSON and YAML: tuples become lists, kinds what the language writes."""
    if isinstance(value, Kind):
        return value.to_plain()
    if isinstance(value, BaseModel):
        return {name: plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


@cache
def builtin_kinds(family: str) -> tuple[str, ...]:
    """Kinds of a family that this package has, by the names of their files."""
    package = import_module(f"archspec.{family}")
    files = (name for folder in package.__path__ for name in os.listdir(folder))
    return tuple(sorted(name[:-3] for name in files if name.endswith(".py") and not name.startswith("_")))


@cache
def _entry_points(family: str) -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=f"archspec.{family}")}


_added: dict[str, dict[str, type[Kind]]] = {}
"""Kinds of the user's own, by family and name."""


def add_kind(family: str, kind: type[Kind]) -> None:
    """Adds a kind of the user's own, whose name `why_not` has found to be free, or to be its own before."""
    _added.setdefault(family, {})[kind.kind] = kind
    find_kind.cache_clear()


def remove_kind(family: str, name: str) -> None:
    """Takes away a kind of the user's own."""
    _added.get(family, {}).pop(name, None)
    find_kind.cache_clear()


def family_of(kind: type[Kind]) -> str | None:
    """The family that a class is of, by its base class; None where it is of none."""
    for family in FAMILIES:
        if issubclass(kind, base_of(family)):
            return family
    return None


def base_of(family: str) -> type[Kind]:
    """The base class of a family."""
    base: type[Kind] = getattr(import_module(f"archspec.{family}"), FAMILIES[family].capitalize())
    return base


def why_not(family: str, kind: type[Kind]) -> str | None:
    """Why a kind cannot be added to a family beside those of this package and others; None where it can."""
    if kind.kind in builtin_kinds(family) or (family == "layers" and kind.kind in STRUCTURE):
        return f"archspec has a kind `{kind.kind}` of its own"
    point = _entry_points(family).get(kind.kind)
    if point is not None:
        return f"{point.dist.name if point.dist else 'another package'} has a kind `{kind.kind}`"
    return _reserved(family, kind)


def _reserved(family: str, kind: type[Kind]) -> str | None:
    taken = [name for name in RESERVED if name in kind.model_fields] if family == "layers" else []
    return f"it has a field called {', '.join(taken)}, which every entry of `layers:` has" if taken else None


@cache
def is_foreign(kind: type[Kind]) -> bool:
    """Whether a kind is not this package's own, so that what fails in it is its author's to mend."""
    return not kind.__module__.startswith("archspec.")


def kind_names(family: str) -> list[str]:
    """Every kind of a family, the user's own included, and other packages' where they load."""
    others = (name for name in _entry_points(family) if is_known(family, name))
    return sorted({*builtin_kinds(family), *_added.get(family, ()), *others, *_optax_names(family)})


def _optax_names(family: str) -> tuple[str, ...]:
    """Functions of Optax that are kinds of a family, found in its source."""
    if family not in FOUND_IN_OPTAX:
        return ()
    names: tuple[str, ...] = import_module(f"archspec.{family}._optax").names()
    return names


def is_known(family: str, name: str) -> bool:
    """Whether there is such a kind; another package's that does not load is none."""
    try:
        return find_kind(family, name) is not None
    except KindError:
        return False


@lru_cache(4096)
def find_kind(family: str, name: str) -> type[Kind] | None:
    """The class of a kind, or None if there is none of that name. A built-in kind cannot be replaced."""
    if name in builtin_kinds(family):
        module = import_module(f"archspec.{family}.{name}")
        for value in vars(module).values():
            is_kind = isinstance(value, type) and issubclass(value, Kind) and value.__module__ == module.__name__
            if is_kind and value.kind == name:
                kind: type[Kind] = value
                return kind
        raise ImportError(f"{module.__name__} defines no kind `{name}`")
    if name in _added.get(family, ()):
        return _added[family][name]
    point = _entry_points(family).get(name)
    if point is not None:
        return _loaded(point, family)
    if family not in FOUND_IN_OPTAX:
        return None
    found: type[Kind] | None = import_module(f"archspec.{family}._optax").find(name)
    return found


def _loaded(point: EntryPoint, family: str) -> type[Kind]:
    """Another package's kind. Raises `KindError` when it does not load or is none."""
    offered = f"the kind `{point.name}` of {point.dist.name if point.dist else 'another package'}"
    try:
        loaded = point.load()
    except Exception as error:
        raise KindError(f"{offered} does not load: {type(error).__name__}: {str(error)[:200]}") from error
    base = base_of(family)
    if not (isinstance(loaded, type) and issubclass(loaded, base)):
        raise KindError(f"{offered} is no subclass of archspec.{family}.{base.__name__}")
    kind: type[Kind] = loaded
    if kind.kind != point.name:
        raise KindError(f"{offered} is a class of the kind `{kind.kind}`: entry point and class must agree")
    reserved = _reserved(family, kind)
    if reserved is not None:
        raise KindError(f"{offered} cannot be used: {reserved}")
    return kind


def plural(word: str) -> str:
    """The word for several members of a family: losses, tasks."""
    return f"{word}es" if word.endswith("s") else f"{word}s"


class KindOf:
    """Marks a field that holds a kind of a family: `Annotated[Initialiser, *kind_of("initialisers")]`."""

    def __init__(self, family: str) -> None:
        self.family = family

    def __call__(self, value: Any) -> Any:
        """Turns what the language writes (`he_normal`, `{normal: 0.01}`) into the kind, for use from Python."""
        if isinstance(value, Kind) or value is None:
            return value
        word = FAMILIES[self.family]
        name: Any = value
        content: Any = None
        if isinstance(value, dict) and len(value) == 1:
            name, content = next(iter(value.items()))
        kind = find_kind(self.family, name) if isinstance(name, str) else None
        if kind is None:
            raise PydanticCustomError("kind", "is not one of the {words}", {"words": plural(word)})
        if content is None:
            content = {}
        elif not isinstance(content, dict):
            content = {kind.main or "": content}
        return kind.model_validate(content)


def kind_of(family: str) -> tuple[KindOf, BeforeValidator]:
    """Metadata for a field that holds a kind of this family."""
    marker = KindOf(family)
    return marker, BeforeValidator(marker, json_schema_input_type=Any)


class KindsOf(KindOf):
    """Marks a field that holds several kinds of a family: a list, of which a single kind stands for one of length 1."""

    def __call__(self, value: Any) -> Any:
        items = value if isinstance(value, (list, tuple)) else (value,)
        return None if value is None else tuple(KindOf.__call__(self, item) for item in items)


def kinds_of(family: str) -> tuple[KindsOf, BeforeValidator]:
    """Metadata for a field that holds a list of kinds of this family."""
    marker = KindsOf(family)
    return marker, BeforeValidator(marker, json_schema_input_type=Any)


def family_of_field(metadata: list[Any]) -> str | None:
    """The family of a field that holds a kind; None for every other field."""
    return next((item.family for item in metadata if isinstance(item, KindOf)), None)


def takes_several(metadata: list[Any]) -> bool:
    """Whether a field that holds kinds holds a list of them."""
    return any(isinstance(item, KindsOf) for item in metadata)
