"""Optax's optimisers by their names, made into kinds from the signatures in the installed version's source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, cast

from pydantic import Field, create_model, model_validator

from archspec.fields import NonNegativeInt, NonNegativeNumber, PositiveNumber
from archspec.optimisers._base import Optimiser
from archspec.optimisers._states import STATES, Shape
from archspec.signatures import REQUIRED, Argument, Function, field_of, first_sentence, functions

if TYPE_CHECKING:
    import optax

RATE, DECAY, SPARES = "learning_rate", "weight_decay", "decay"


class FromOptax(Optimiser):
    """Base of the kinds that are functions of Optax.

    The schedule gives the learning rate, the argument that Optax takes a schedule for. Weight decay is Optax's own
    where the function has such an argument, else L2 regularisation.
    """

    function: ClassVar[Function]
    arguments: ClassVar[dict[str, str]] = {}
    """The function's arguments by the names of the fields; `learning_rate` and `weight_decay` may have others there."""
    scheduled: ClassVar[bool] = True
    """Whether the function takes a schedule as its learning rate."""
    own_decay: ClassVar[bool] = False
    mask_argument: ClassVar[str | None] = None
    """The function's argument that says which arrays decay."""
    searches: ClassVar[bool] = False
    """Whether it measures the loss along its step."""

    @model_validator(mode="after")
    def _check(self) -> FromOptax:
        if self.searches and self.weight_decay:
            raise ValueError("its line search measures the loss, of which `weight_decay` is no part")
        return self

    @property
    def called(self) -> str:
        return self.kind if self.kind in STATES else f"{self.kind} (its state is not known: taken as Adam's)"

    def state_numbers(self, shapes: Sequence[Shape]) -> int:
        known = STATES.get(self.kind)
        return known(self, shapes) if known is not None else super().state_numbers(shapes)

    def build(self, schedule: Callable[[Any], Any]) -> optax.GradientTransformation:
        import optax

        if not self.own_decay:
            return optax.chain(*self.l2(), self._made(schedule, None))
        if self.decay == "weights" and self.weight_decay and self.mask_argument is None:
            # Two optimisers, of which one decays: its function has nothing that spares arrays.
            groups = {"decays": self._made(schedule, self.weight_decay), "spared": self._made(schedule, 0.0)}
            return optax.partition(
                groups,
                lambda params: {name: "decays" if own else "spared" for name, own in self.mask(params).items()},
            )
        return self._made(schedule, self.weight_decay)

    def _made(self, schedule: Callable[[Any], Any], decay: float | None) -> optax.GradientTransformation:
        """What the function gives, with a strength of its own weight decay where it has such."""
        import warnings

        import optax

        fields: dict[str, Any] = {argument: getattr(self, field) for field, argument in self.arguments.items()}
        fields[self.arguments[RATE]] = self.rate(schedule) if self.scheduled else self.learning_rate
        if decay is not None:
            fields[self.arguments[DECAY]] = decay
            if self.mask_argument is not None:
                fields[self.mask_argument] = self.mask
        with warnings.catch_warnings():
            # What Optax deprecates, it still offers.
            warnings.simplefilter("ignore", DeprecationWarning)
            made = getattr(optax, self.function.name)(**fields)
        return made if self.scheduled else optax.chain(made, optax.scale_by_schedule(schedule))


@cache
def _all() -> dict[str, Function]:
    return {
        name: function
        for name, function in functions("optax", "__init__.py", "alias").items()
        if "GradientTransformation" in function.returns
        and all(item.writable or item.default is not REQUIRED for item in function.arguments)
        and _rate_of(function) is not None
    }


def _rate_of(function: Function) -> Argument | None:
    """The argument that a schedule is for: the learning rate, or the first that may be one."""
    named = [item for item in function.arguments if item.name == RATE]
    return next(
        (item for item in (*named, *function.arguments) if item.writable and (item in named or _is_rate(item))), None
    )


def _is_rate(argument: Argument) -> bool:
    return "ScalarOrSchedule" in argument.words


def names() -> tuple[str, ...]:
    """Every optimiser that Optax offers by an alias."""
    return tuple(_all())


@cache
def find(name: str) -> type[FromOptax] | None:
    """The kind of an optimiser of Optax's; None where it has none of that name."""
    function = _all().get(name)
    return None if function is None else _kind(function)


def _kind(function: Function) -> type[FromOptax]:
    rate = _rate_of(function)
    assert rate is not None
    arguments, fields, left = {RATE: rate.name}, dict[str, Any](), list[Argument]()
    decay = mask = None
    for argument in function.arguments:
        if "mask" in argument.name and "trust" not in argument.name:
            mask = argument
        elif argument.name == rate.name:
            continue
        elif not argument.writable:
            left.append(argument)
        elif argument.name.startswith(DECAY):
            decay = argument
        elif argument.name == "key" and argument.default is None:
            fields["key"] = (NonNegativeInt, Field(default=0, description="number that its random numbers follow from"))
        else:
            fields[argument.name] = field_of(argument)
    arguments |= {name: name for name in fields}
    other = f"; Optax calls it `{rate.name}`" if rate.name != RATE else ""
    described = f"peak step size, scaled by the schedule{other}"
    default = ... if rate.default is REQUIRED else rate.default if rate.default is not None else 1.0
    own: dict[str, Any] = {RATE: (PositiveNumber, Field(default=default, description=described))}
    if decay is not None:
        arguments[DECAY] = decay.name
        other = f"; Optax calls it `{decay.name}`" if decay.name != DECAY else ""
        text = f"{first_sentence(decay.text)}{other}"
        own[DECAY] = (NonNegativeNumber, Field(default=decay.default or 0.0, description=text))
    made = create_model(
        "".join(part.capitalize() for part in function.name.split("_")),
        __base__=FromOptax,
        __module__=__name__,
        __doc__=_documentation(function, decay, left),
        **own,
        **fields,
    )
    kind = cast("type[FromOptax]", made)
    kind.kind, kind.function, kind.arguments = function.name, function, arguments
    kind.scheduled = _is_rate(rate)
    kind.own_decay, kind.mask_argument = decay is not None, mask.name if mask is not None else None
    kind.searches = any(argument.name == "linesearch" for argument in function.arguments)
    return kind


def _documentation(function: Function, decay: Argument | None, left: list[Argument]) -> str:
    words = [f"Optax's `{function.name}`. {function.summary}"]
    searches = any(argument.name == "linesearch" for argument in function.arguments)
    if not searches:
        words.append("Weight decay is Optax's own." if decay else "Weight decay is L2.")
    gone = [argument.name for argument in left if "deprecated" not in argument.text.lower()]
    if gone:
        words.append(f"Not to be written in a spec, and as Optax has it: {', '.join(gone)}.")
    return "\n\n".join(words)
