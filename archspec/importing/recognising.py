"""Layers that a file has in pieces, found in the operations of whatever format and put together.

What pieces compute decides, not how they are written. A stretch of operations number by number, from one value to one
value, is a function of one number: it is computed in 64 bits at many places and held to the functions of the kinds.
Normalisations are sums, differences and roots in an order that all exporters share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from math import erf, prod
from typing import Any, NamedTuple

import numpy as np

from archspec.importing.operations import Operation, Order
from archspec.weights.tensors import Tensor

PIECES = (
    "expand",
    "square_root",
    "exponential",
    "logarithm",
    "error_function",
    "negate",
    "reciprocal",
    "absolute",
    "max",
    "norm",
    "window_mean",
)
"""Operations that readers give to be parts of layers here; by themselves there is nothing like them."""
MAX_PIECES = 24
"""Operations that one function is made of."""

Shape = tuple[int, ...]

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
        return "leaky_relu", {"slope": _short(slope)}
    if at[-80.0] < 0 and _alike(y, np.where(_X > 0, _X, -at[-80.0] * np.expm1(np.minimum(_X, 0)))):
        return "elu", {"alpha": _short(-at[-80.0])}
    amplitude = at[80.0]
    if amplitude > 0 and 0 < at[1.0] < amplitude:
        inner = float(np.arctanh(at[1.0] / amplitude))
        if _alike(y, amplitude * np.tanh(inner * _X)):
            return "scaled_tanh", {"amplitude": _short(amplitude), "slope": _short(inner)}
    return None


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two functions are one, but for factors that a file has in 32 bits."""
    return bool(np.all(abs(one - other) <= 2e-6 * np.maximum(1, abs(other)) + 1e-7))


def _short(value: float) -> float:
    return float(f"{value:.6g}")


_FUNCTIONS: Mapping[str, Callable[..., np.ndarray]] = {
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


class Uses(NamedTuple):
    """Which operation makes each value, and which take it, by their number."""

    maker: dict[str, int]
    takers: dict[str, list[int]]


def recognised(
    operations: Sequence[Operation],
    constants: Mapping[str, Tensor],
    outputs: Sequence[str],
    shapes: Mapping[str, Shape | None],
    order: Order = "channels_first",
) -> list[Operation]:
    """The operations with layers in the place of their pieces; `shapes` are with the batch's axis."""
    work = _Work(list(operations), constants, outputs, shapes, last=order == "channels_last")
    work.each(work.spread)
    work.each(work.biased)
    work.each(work.normalisation)
    work.each(work.grouped)
    work.each(work.unit_length)
    work.each(work.response)
    work.functions()
    return [
        replace(operation, kind=None, why=operation.why or "") if operation.kind in PIECES else operation
        for operation in work.all()
    ]


class _Work:
    """Operations while some of them are put together. What is put together goes, and a layer stands for the last."""

    def __init__(
        self,
        operations: list[Operation],
        constants: Mapping[str, Tensor],
        outputs: Sequence[str],
        shapes: Mapping[str, Shape | None],
        *,
        last: bool,
    ) -> None:
        self.last = last
        self.operations: list[Operation | None] = list(operations)
        self.constants = constants
        self.outputs = set(outputs)
        self.shapes = shapes
        self._look()

    def _look(self) -> None:
        maker: dict[str, int] = {}
        takers: dict[str, list[int]] = {}
        for number, operation in enumerate(self.operations):
            if operation is None:
                continue
            maker.update(dict.fromkeys(operation.outputs, number))
            referred = [str(operation.fields[name]) for name in ("indices", "like") if name in operation.fields]
            for name in (*operation.inputs, *referred):
                takers.setdefault(name, []).append(number)
        self.uses = Uses(maker, takers)

    def all(self) -> list[Operation]:
        return [operation for operation in self.operations if operation is not None]

    def each(self, rule: Callable[[int, Operation], bool]) -> None:
        """Tries a rule at every operation, from the last on."""
        for number in reversed(range(len(self.operations))):
            operation = self.operations[number]
            if operation is not None:
                rule(number, operation)

    # --- Looking around --------------------------------------------------------------------------------------------

    def made_by(self, name: str, *kinds: str) -> Operation | None:
        """What makes a value, if it is of these kinds."""
        number = self.uses.maker.get(name)
        operation = None if number is None else self.operations[number]
        return operation if operation is not None and operation.kind in kinds else None

    def number(self, name: str) -> float | None:
        """The only number of a constant, None where it has several or is none."""
        tensor = self.constants.get(name)
        return float(np.asarray(tensor.load()).reshape(())) if tensor is not None and prod(tensor.shape) == 1 else None

    def inner(self, pieces: Iterable[Operation], last: Operation) -> bool:
        """Whether no other operation and no output takes what pieces give, but for the last one's."""
        numbers = {self.uses.maker[piece.outputs[0]] for piece in pieces}
        return all(
            set(self.uses.takers.get(piece.outputs[0], ())) <= numbers and piece.outputs[0] not in self.outputs
            for piece in pieces
            if piece is not last
        )

    def put(self, last: Operation, pieces: Sequence[Operation], layer: Operation) -> None:
        """A layer in the place of pieces."""
        for piece in pieces:
            self.operations[self.uses.maker[piece.outputs[0]]] = None
        self.operations[self.uses.maker[last.outputs[0]]] = layer
        self._look()

    def split(self, operation: Operation) -> tuple[str, str] | None:
        """A value and a constant that an operation takes, in whatever order."""
        if len(operation.inputs) != 2:
            return None
        one, other = operation.inputs
        if (one in self.constants) == (other in self.constants):
            return None
        return (other, one) if one in self.constants else (one, other)

    def along(self, axis: int, rank: int) -> dict[str, int]:
        """The field that says along which axis an operation works, where that is not the channels' by the order."""
        return {} if axis == (rank - 1 if self.last else 1) else {"axis": axis}

    def one_taker(self, name: str, *kinds: str) -> Operation | None:
        """The operation that alone takes a value, if it is of these kinds."""
        takers = set(self.uses.takers.get(name, ()))
        if len(takers) != 1 or name in self.outputs:
            return None
        operation = self.operations[takers.pop()]
        return operation if operation is not None and operation.kind in kinds else None

    # --- What is spread over an axis -------------------------------------------------------------------------------

    def spread(self, number: int, last: Operation) -> bool:
        """A value that is spread over the shape of another, with which it is joined: joining spreads it anyway."""
        changed = False
        for place, name in enumerate(last.inputs):
            before = self.made_by(name, "expand") if last.kind in _FUNCTIONS and len(last.inputs) > 1 else None
            others = [self.shapes.get(other) for other in last.inputs if other != name]
            if before is None or self.shapes.get(name) not in others:
                continue
            inputs = list(last.inputs)
            inputs[place] = before.inputs[0]
            last = replace(last, inputs=tuple(inputs))
            self.operations[number] = last
            self._look()
            if not self.uses.takers.get(name) and name not in self.outputs:
                self.operations[self.uses.maker[name]] = None
                self._look()
            changed = True
        return changed

    def biased(self, number: int, last: Operation) -> bool:
        """A dense layer without a bias, and a constant for each of its units added behind it."""
        parts = self.split(last) if last.kind == "add" else None
        before = self.made_by(parts[0], "dense") if parts is not None else None
        if parts is None or before is None or before.fields.get("bias") or not self.inner([before, last], last):
            return False
        tensor, units = self.constants[parts[1]], before.fields["units"]
        if tensor.shape[-1:] != (units,) or prod(tensor.shape) != units:
            return False
        arrays = {**before.arrays, "bias": tensor.shaped((units,))}
        layer = _in_place(last, "dense", before.inputs, {**before.fields, "bias": True}, arrays)
        self.put(last, [before, last], replace(layer, said=before.said, name=before.name, scope=before.scope))
        return True

    # --- Normalisations --------------------------------------------------------------------------------------------

    def normalisation(self, number: int, last: Operation) -> bool:
        """(x − mean)/√(mean((x − mean)²) + ε), with factors and summands behind it: a layer_norm."""
        if last.kind not in ("divide", "multiply") or len(last.inputs) != 2:
            return False
        for difference, root in (last.inputs, last.inputs[::-1]):
            pieces = [last]
            centred = self.made_by(difference, "subtract")
            under = self.made_by(root, "square_root") if last.kind == "divide" else self.made_by(root, "reciprocal")
            if centred is None or under is None or (last.kind == "divide" and difference != last.inputs[0]):
                continue
            pieces += [centred, under]
            if last.kind == "multiply":
                inner = self.made_by(under.inputs[0], "square_root")
                if inner is None:
                    continue
                under = inner
                pieces.append(under)
            summed = self.made_by(under.inputs[0], "add")
            parts = self.split(summed) if summed is not None else None
            variance = self.made_by(parts[0], "mean") if parts is not None else None
            epsilon = self.number(parts[1]) if parts is not None else None
            mean = self.made_by(centred.inputs[1], "mean")
            if summed is None or variance is None or epsilon is None or mean is None or not epsilon > 0:
                continue
            square = self.made_by(variance.inputs[0], "power", "multiply")
            if square is None or mean.inputs[0] != centred.inputs[0]:
                continue
            # Exporters may make the difference twice.
            again = self.made_by(square.inputs[0], "subtract")
            if again is None or again.inputs != centred.inputs:
                continue
            by_two = square.kind == "power" and self.number(square.inputs[1]) == 2
            by_itself = square.kind == "multiply" and square.inputs[0] == square.inputs[1]
            axes = mean.fields.get("axes")
            if not (by_two or by_itself) or axes != variance.fields.get("axes"):
                continue
            if not (mean.fields.get("keep") and variance.fields.get("keep")):
                continue
            pieces += [summed, variance, mean, square, *([again] if again is not centred else [])]
            if self.inner(pieces, last) and self._normalised(
                last, pieces, centred.inputs[0], list(axes or ()), epsilon
            ):
                return True
        return False

    def _normalised(self, last: Operation, pieces: list[Operation], x: str, axes: list[int], epsilon: float) -> bool:
        shape = self.shapes.get(x)
        if shape is None:
            return False
        rank = len(shape)
        axes = sorted(axis % rank for axis in axes)
        arrays: dict[str, Tensor] = {}
        end = last
        for name, kind in (("scale", "multiply"), ("bias", "add")):
            taker = self.one_taker(end.outputs[0], kind)
            parts = self.split(taker) if taker is not None else None
            if taker is None or parts is None:
                continue
            tensor = self.constants[parts[1]]
            full = (1,) * (rank - len(tensor.shape)) + tensor.shape
            own = tuple(size if axis in axes else 1 for axis, size in enumerate(shape))
            if full != own:
                continue
            arrays[name] = tensor.shaped(tuple(shape[axis] for axis in axes))
            pieces.append(taker)
            end = taker
        fields: dict[str, Any] = {"epsilon": _short(epsilon), "scale": "scale" in arrays, "bias": "bias" in arrays}
        if len(axes) == 1:
            fields.update(self.along(axes[0], rank))
        elif axes == list(range(1, rank)):
            fields["axes"] = "all"
        else:
            return False
        layer = _in_place(end, "layer_norm", (x,), fields, arrays)
        self.put(end, pieces, layer)
        return True

    def grouped(self, number: int, norm: Operation) -> bool:
        """A map whose groups of channels are normalised as channels, and then is a map again: a group_norm."""
        if norm.kind != "instance_norm" or self.last:
            return False
        before = self.made_by(norm.inputs[0], "reshape")
        after = self.one_taker(norm.outputs[0], "reshape")
        if before is None or after is None:
            return False
        shape, inner = self.shapes.get(before.inputs[0]), self.shapes.get(before.outputs[0])
        if shape is None or inner is None or len(shape) < 3 or shape != self.shapes.get(after.outputs[0]):
            return False
        groups = inner[1]
        arrays = {name: np.asarray(norm.arrays[name].load()) for name in ("scale", "bias") if name in norm.arrays}
        # Of groups, and not of channels, numbers that are not 1 and 0 would be something else.
        if shape[1] % groups or (arrays["scale"] != 1).any() or (arrays["bias"] != 0).any():
            return False
        pieces = [before, norm, after]
        if not self.inner(pieces, after):
            return False
        end, own = after, {}
        for name, kind in (("scale", "multiply"), ("bias", "add")):
            taker = self.one_taker(end.outputs[0], kind)
            parts = self.split(taker) if taker is not None else None
            if taker is None or parts is None:
                break
            tensor = self.constants[parts[1]]
            full = (1,) * (len(shape) - len(tensor.shape)) + tensor.shape
            if full != tuple(size if axis == 1 else 1 for axis, size in enumerate(shape)):
                break
            own[name] = tensor.shaped((shape[1],))
            pieces.append(taker)
            end = taker
        fields = {
            "groups": groups,
            "epsilon": norm.fields.get("epsilon", 1e-5),
            "scale": "scale" in own,
            "bias": "bias" in own,
        }
        self.put(end, pieces, _in_place(end, "group_norm", (before.inputs[0],), fields, own))
        return True

    def unit_length(self, number: int, last: Operation) -> bool:
        """x / max(‖x‖, ε)."""
        if last.kind != "divide" or len(last.inputs) != 2:
            return False
        x, below = last.inputs
        pieces, epsilon = [last], 1e-12
        bounded = self.made_by(below, "clip")
        if bounded is not None and bounded.fields.get("high") is None and bounded.fields.get("low"):
            pieces.append(bounded)
            epsilon, below = float(bounded.fields["low"]), bounded.inputs[0]
        length = self.made_by(below, "norm")
        shape = self.shapes.get(x)
        if length is None or shape is None or length.inputs[0] != x or not length.fields.get("keep"):
            return False
        axes = [axis % len(shape) for axis in length.fields["axes"]]
        pieces.append(length)
        if len(axes) != 1 or not self.inner(pieces, last):
            return False
        fields = {"epsilon": epsilon, **self.along(axes[0], len(shape))}
        self.put(last, pieces, _in_place(last, "l2_normalise", (x,), fields, {}))
        return True

    def response(self, number: int, last: Operation) -> bool:
        """x / (k + alpha·mean of x² of neighbouring channels)^beta: an lrn."""
        if last.kind != "divide" or len(last.inputs) != 2:
            return False
        x, below = last.inputs
        power = self.made_by(below, "power")
        summed = self.made_by(power.inputs[0], "add") if power is not None else None
        parts = self.split(summed) if summed is not None else None
        scaled = self.made_by(parts[0], "multiply") if parts is not None else None
        own = self.split(scaled) if scaled is not None else None
        mean = self.made_by(own[0], "window_mean") if own is not None else None
        squared = self.made_by(mean.inputs[0], "multiply") if mean is not None else None
        if power is None or summed is None or parts is None or scaled is None or own is None:
            return False
        if mean is None or squared is None or squared.inputs != (x, x):
            return False
        k, alpha, beta = self.number(parts[1]), self.number(own[1]), self.number(power.inputs[1])
        pieces = [last, power, summed, scaled, mean, squared]
        if k is None or alpha is None or beta is None or not self.inner(pieces, last):
            return False
        fields = {"size": mean.fields["size"], "alpha": _short(alpha), "beta": _short(beta), "k": _short(k)}
        self.put(last, pieces, _in_place(last, "lrn", (x,), fields, {}))
        return True

    # --- Functions of one number -------------------------------------------------------------------------------------

    def functions(self) -> None:
        """Stretches of operations number by number that are the function of a kind."""
        for number in reversed(range(len(self.operations))):
            last = self.operations[number]
            if last is None or last.kind not in (*_FUNCTIONS, "clip"):
                continue
            for x, pieces in sorted(self._stretches(last), key=lambda found: -len(found[1])):
                if len(pieces) > 1 and not self._a_row_of_layers(pieces) and self.inner(pieces, last):
                    found = self._function(x, pieces)
                    if found is not None:
                        self.put(last, pieces, _in_place(last, found[0], (x,), found[1], {}))
                        break

    def _a_row_of_layers(self, pieces: Sequence[Operation]) -> bool:
        """Whether all of them are functions with a kind of their own, one behind another."""
        return all(piece.kind in _KNOWN and len(piece.inputs) == 1 for piece in pieces)

    def _stretches(self, last: Operation) -> list[tuple[str, list[Operation]]]:
        """Values of which alone an operation's is a function, and the operations between, in order."""
        found = []
        pieces: dict[int, Operation] = {}
        open_: set[str] = {last.outputs[0]}
        while len(pieces) < MAX_PIECES:
            # The value that is made last is taken apart, so that one that all paths go through is found.
            numbers = [self.uses.maker[name] for name in open_ if name in self.uses.maker]
            if not numbers:
                break
            number = max(numbers)
            operation = self.operations[number]
            if operation is None or operation.kind not in (*_FUNCTIONS, "clip") or len(operation.outputs) != 1:
                break
            values = [name for name in operation.inputs if name not in self.constants]
            if any(self.number(name) is None for name in operation.inputs if name in self.constants):
                break
            pieces[number] = operation
            open_.discard(operation.outputs[0])
            open_.update(values)
            if len(open_) == 1:
                found.append((next(iter(open_)), [pieces[key] for key in sorted(pieces)]))
        return found

    def _function(self, x: str, pieces: Sequence[Operation]) -> tuple[str, dict[str, Any]] | None:
        values: dict[str, np.ndarray] = {x: _X}
        with np.errstate(all="ignore"):
            for piece in pieces:
                taken = [
                    values[name] if name in values else np.float64(self.number(name) or 0.0) for name in piece.inputs
                ]
                if piece.kind == "clip":
                    low, high = piece.fields.get("low"), piece.fields.get("high")
                    result = np.clip(taken[0], -np.inf if low is None else low, np.inf if high is None else high)
                elif piece.kind == "gelu" and piece.fields:
                    return None
                else:
                    assert piece.kind is not None
                    result = _FUNCTIONS[piece.kind](*taken)
                values[piece.outputs[0]] = np.asarray(result, np.float64)
        y = values[pieces[-1].outputs[0]]
        return _named(y) if y.shape == _X.shape else None


def _in_place(
    last: Operation, kind: str, inputs: tuple[str, ...], fields: Mapping[str, Any], arrays: Mapping[str, Tensor]
) -> Operation:
    """A layer whose output is that of the last of its pieces."""
    return replace(last, kind=kind, inputs=inputs, fields=fields, arrays=arrays, why="")
