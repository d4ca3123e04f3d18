"""Optax's schedules by their names, made into kinds from the signatures in the installed version's source."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, ClassVar, cast

from pydantic import Field, create_model

from archspec.fields import NonNegativeNumber
from archspec.schedules._base import MAX_EPOCHS, Epochs, Schedule
from archspec.signatures import REQUIRED, Argument, Function, field_of, first_sentence, functions

NonNegativeEpochs = Annotated[float, Field(strict=True, ge=0, le=MAX_EPOCHS, allow_inf_nan=False)]


class FromOptax(Schedule):
    """Base of the kinds that are functions of Optax.

    Their values are factors of the optimiser's peak. What Optax counts in steps is in epochs: `transition_steps` is
    `transition_epochs` here, and so on; all steps after the warm-up where it is left out. Steps count from the
    warm-up's end.
    """

    function: ClassVar[Function]
    arguments: ClassVar[dict[str, Argument]] = {}
    """The function's arguments by the names of the fields."""

    def after_warmup(self, steps: int, steps_per_epoch: int) -> Callable[[Any], Any]:
        import optax

        given: dict[str, Any] = {}
        for field, argument in self.arguments.items():
            value = getattr(self, field)
            if _counts(argument):
                value = steps if value is None else round(value * steps_per_epoch)
                if not argument.name.endswith(_BEGIN):
                    value = max(1, value)
            elif "dict" in argument.words:
                value = _in_steps(value, steps_per_epoch)
            given[argument.name] = value
        made: Callable[[Any], Any] = getattr(optax, self.function.name)(**given)
        return made


_BEGIN = "begin"


def _counts(argument: Argument) -> bool:
    """Whether an argument is a number of steps."""
    return argument.words == {"int"} and argument.name.endswith(("_steps", _BEGIN))


def _in_epochs(name: str) -> str:
    return name.removesuffix("_steps") + "_epochs" if name.endswith("_steps") else name


def _in_steps(value: Any, steps_per_epoch: int) -> Any:
    """Mappings with steps where a spec has epochs: as keys that are numbers, and under names that end in `_epochs`."""
    if value is None:
        return None
    if isinstance(value, tuple):
        return [_in_steps(item, steps_per_epoch) for item in value]
    made: dict[Any, float] = {}
    for key, number in value.items():
        name, dot, _ = key.partition("_epochs")
        if dot:
            made[f"{name}_steps"] = max(1, round(number * steps_per_epoch))
        elif key.replace(".", "", 1).isdigit():
            made[round(float(key) * steps_per_epoch)] = number
        else:
            made[key] = number
    return made


@cache
def _all() -> dict[str, Function]:
    return {
        name: function
        for name, function in functions("optax", "schedules/__init__.py", "_schedule").items()
        if function.returns.endswith("Schedule")
        and all(item.writable or item.default is not REQUIRED for item in function.arguments)
    }


def names() -> tuple[str, ...]:
    """Every schedule that Optax has a function for whose arguments can be written."""
    return tuple(_all())


@cache
def find(name: str) -> type[FromOptax] | None:
    """The kind of a schedule of Optax's; None where it has none of that name."""
    function = _all().get(name)
    return None if function is None else _kind(function)


def _kind(function: Function) -> type[FromOptax]:
    given = [argument for argument in function.arguments if argument.writable]
    # The value that the learning rate's peak is: where the schedule has one of its own, else where it begins.
    top = next((name for name in ("peak_value", "init_value", "value") if any(item.name == name for item in given)), "")
    fields: dict[str, Any] = {}
    for argument in given:
        if _counts(argument):
            fields[_in_epochs(argument.name)] = _time(argument)
        elif argument.name.endswith("value"):
            kind, info = field_of(argument)
            text = f"{info.description}; a factor of the optimiser's peak"
            if argument.name == top:
                fields[argument.name] = (NonNegativeNumber, Field(default=1.0, description=text))
            else:
                default = ... if argument.default is REQUIRED else argument.default
                kind = NonNegativeNumber | None if argument.optional else NonNegativeNumber
                fields[argument.name] = (kind, Field(default=default, description=text))
        else:
            kind, info = field_of(argument)
            if "dict" in argument.words:
                info = Field(
                    default=... if argument.default is REQUIRED else argument.default,
                    description=f"{info.description}; steps are in epochs",
                )
            fields[argument.name] = (kind, info)
    made = create_model(
        "".join(part.capitalize() for part in function.name.split("_")),
        __base__=FromOptax,
        __module__=__name__,
        __doc__=f"Optax's `{function.name}`. {function.summary}\n\n"
        "Values are factors of the optimiser's peak. What Optax counts in steps is in epochs, from the warm-up's end.",
        **fields,
    )
    kind_ = cast("type[FromOptax]", made)
    kind_.kind, kind_.function = function.name, function
    kind_.arguments = {_in_epochs(argument.name): argument for argument in given}
    return kind_


def _time(argument: Argument) -> tuple[Any, Any]:
    """The field of what Optax counts in steps."""
    text = f"{first_sentence(argument.text)}; in epochs"
    if argument.default is not REQUIRED:
        return NonNegativeEpochs, Field(default=float(argument.default), description=text)
    if argument.name.startswith("warm"):
        return Epochs, Field(description=text)
    return Epochs | None, Field(default=None, description=f"{text}, all after the warm-up if left out")
