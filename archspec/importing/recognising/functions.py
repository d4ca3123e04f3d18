"""Stretches of operations number by number that are the function of a kind.

What pieces compute decides, not how they are written: a stretch from one value to one value is a function of one
number, which is computed in 64 bits at many places and held to the functions of the kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import erf, prod
from typing import Any

import numpy as np

from archspec.importing.operations import Operation
from archspec.importing.recognising.work import Work, in_place, short

MAX_PIECES = 24
"""Operations that one function is made of."""

_X = np.concatenate([np.linspace(-12, 12, 481), [-80.0, -30.0, 30.0, 80.0, 1e-3, -1e-3]])
"""Where functions are held to one another."""


def _erf(x: np.ndarray) -> np.ndarray:
    return np.array([erf(value) for value in np.ravel(x)]).reshape(np.shape(x))


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.logaddexp(0, x))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(-_softplus(-x)))


def _relu6(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(x, 0, 6))


_KNOWN: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": _relu6,
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "silu": lambda x: x * _sigmoid(x),
    "hard_sigmoid": lambda x: _relu6(x + 3) / 6,
    "hard_swish": lambda x: x * _relu6(x + 3) / 6,
    "mish": lambda x: x * np.tanh(_softplus(x)),
    "softplus": _softplus,
    "gelu": lambda x: x * 0.5 * (1 + _erf(x / np.sqrt(2))),
}


def _named(y: np.ndarray) -> tuple[str, dict[str, Any]] | None:
    """The kind whose function gives these numbers at `_X`, with its fields."""
    if not np.isfinite(y).all():
        return None
    for kind, function in _KNOWN.items():
        if _alike(y, function(_X)):
            return kind, {}
    if _alike(y, _X * 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (_X + 0.044715 * _X**3)))):
        return "gelu", {"approximate": True}
    at = {value: float(y[int(np.argmin(abs(_X - value)))]) for value in (-80.0, -1.0, 1.0, 80.0, 1e-3)}
    slope = -at[-1.0]
    if _alike(y, slope * _X):
        return None
    if _alike(y, np.where(_X > 0, _X, slope * _X)):
        return "leaky_relu", {"slope": short(slope)}
    if at[-80.0] < 0 and _alike(y, np.where(_X > 0, _X, -at[-80.0] * np.expm1(np.minimum(_X, 0)))):
        return "elu", {"alpha": short(-at[-80.0])}
    amplitude = at[80.0]
    if amplitude > 0 and 0 < at[1.0] < amplitude:
        inner = float(np.arctanh(at[1.0] / amplitude))
        if _alike(y, amplitude * np.tanh(inner * _X)):
            return "scaled_tanh", {"amplitude": short(amplitude), "slope": short(inner)}
    return None


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two functions are one, but for factors that a file has in 32 bits."""
    return bool(np.all(abs(one - other) <= 2e-6 * np.maximum(1, abs(other)) + 1e-7))


FUNCTIONS: Mapping[str, Callable[..., np.ndarray]] = {
    **_KNOWN,
    "add": lambda *xs: sum(xs[1:], xs[0]),
    "subtract": np.subtract,
    "multiply": lambda *xs: prod(xs[1:], start=xs[0]),
    "divide": np.divide,
    "power": np.power,
    "maximum": lambda *xs: np.maximum.reduce(np.broadcast_arrays(*xs)),
    "square_root": np.sqrt,
    "exponential": np.exp,
    "logarithm": np.log,
    "error_function": _erf,
    "negate": np.negative,
    "reciprocal": np.reciprocal,
    "absolute": np.abs,
}


def functions(work: Work) -> None:
    """Stretches of operations number by number that are the function of a kind."""
    for number in reversed(range(len(work.operations))):
        last = work.operations[number]
        if last is None or last.kind not in (*FUNCTIONS, "clip"):
            continue
        for x, pieces in sorted(_stretches(work, last), key=lambda found: -len(found[1])):
            if len(pieces) > 1 and not _a_row_of_layers(pieces) and work.inner(pieces, last):
                found = _function(work, x, pieces)
                if found is not None:
                    work.put(last, pieces, in_place(last, found[0], (x,), found[1], {}))
                    break


def _a_row_of_layers(pieces: Sequence[Operation]) -> bool:
    """Whether all of them are functions with a kind of their own, one behind another."""
    return all(piece.kind in _KNOWN and len(piece.inputs) == 1 for piece in pieces)


def _stretches(work: Work, last: Operation) -> list[tuple[str, list[Operation]]]:
    """Values of which alone an operation's is a function, and the operations between, in order."""
    found = []
    pieces: dict[int, Operation] = {}
    open_: set[str] = {last.outputs[0]}
    while len(pieces) < MAX_PIECES:
        # The value that is made last is taken apart, so that one that all paths go through is found.
        numbers = [work.uses.maker[name] for name in open_ if name in work.uses.maker]
        if not numbers:
            break
        number = max(numbers)
        operation = work.operations[number]
        if operation is None or operation.kind not in (*FUNCTIONS, "clip") or len(operation.outputs) != 1:
            break
        values = [name for name in operation.inputs if name not in work.constants]
        if any(work.number(name) is None for name in operation.inputs if name in work.constants):
            break
        pieces[number] = operation
        open_.discard(operation.outputs[0])
        open_.update(values)
        if len(open_) == 1:
            found.append((next(iter(open_)), [pieces[key] for key in sorted(pieces)]))
    return found


def _function(work: Work, x: str, pieces: Sequence[Operation]) -> tuple[str, dict[str, Any]] | None:
    values: dict[str, np.ndarray] = {x: _X}
    with np.errstate(all="ignore"):
        for piece in pieces:
            taken = [values[name] if name in values else np.float64(work.number(name) or 0.0) for name in piece.inputs]
            if piece.kind == "clip":
                low, high = piece.fields.get("low"), piece.fields.get("high")
                result = np.clip(taken[0], -np.inf if low is None else low, np.inf if high is None else high)
            elif piece.kind == "gelu" and piece.fields:
                return None
            else:
                assert piece.kind is not None
                result = FUNCTIONS[piece.kind](*taken)
            values[piece.outputs[0]] = np.asarray(result, np.float64)
    y = values[pieces[-1].outputs[0]]
    return _named(y) if y.shape == _X.shape else None
