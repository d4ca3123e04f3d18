"""The values of a file while its operations are gone through: where each comes from, and which are constants."""

from __future__ import annotations

from collections import Counter

import numpy as np

from archspec.diagnostics import count
from archspec.importing.draft import CannotError, Draft, Entry, Flow, inputs_of
from archspec.importing.operations import Operation, Program
from archspec.importing.views import made_of, shape_in_file, simplified
from archspec.types import TensorType

TO_FIRST, TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)


class Values:
    """What the names in a program stand for.

    A value that comes of an operation that was not imported has no type, and what depends on its shape says so.
    """

    def __init__(self, program: Program) -> None:
        last = {value.name: _has_last(value.name, program) for value in program.inputs}
        self.program = program
        self.draft = Draft(program.order, inputs_of(program.inputs, last))
        self.constants = dict(program.constants)
        self.uses = Counter(name for operation in program.operations for name in operation.inputs)
        self.uses.update(program.outputs)
        for place, value in enumerate(program.inputs):
            self.draft.flows[value.name] = Flow(-1 - place, last[value.name])

    def flow(self, name: str) -> Flow:
        """What makes a value. Raises `CannotError` where nothing in the file does, or it is a constant."""
        if name in self.constants:
            raise CannotError(f"takes the constant `{name[:60]}`, which no layer here does")
        if name not in self.draft.flows:
            raise CannotError(f"takes `{name[:60]}`, which nothing before it makes")
        return self.draft.flows[name]

    def type_of(self, flow: Flow) -> TensorType | None:
        return self.draft.type_of(flow.source)

    def made(self, name: str, operation: Operation) -> Flow:
        """A value without reshapes and transpositions that wait: these become layers. Raises `CannotError`."""
        flow = self.flow(name)
        kind = self.type_of(flow)
        if not flow.steps or kind is None:
            return flow
        made = made_of(flow, kind, usual=self.draft.last)
        source = flow.source
        for layer, fields in made.layers:
            source = self.draft.add(layer, fields, [source], operation)
        flow = Flow(source, made.last)
        self.draft.flows[name] = flow
        return flow

    def shape(self, flow: Flow) -> tuple[int, ...]:
        """The shape in the file, without the batch's axis. Raises `CannotError` where it is not known."""
        kind = self.type_of(flow)
        if kind is None:
            raise CannotError("needs the shape of what it takes, which is not known behind what was not imported")
        return shape_in_file(kind, flow)

    def step(self, operation: Operation, step: str, numbers: tuple[int, ...]) -> None:
        """Puts off a reshape or a transposition of the first input until somebody takes the value."""
        flow = self.flow(operation.inputs[0])
        kind = self.type_of(flow)
        assert kind is not None
        own = numbers != tuple(range(len(numbers))) if step == "transpose" else numbers != self.shape(flow)
        put_off = Flow(flow.source, flow.last, (*flow.steps, (step, numbers))) if own else flow
        self.draft.flows[operation.outputs[0]] = simplified(put_off, kind)

    def give(self, operation: Operation, source: int, last: bool) -> None:
        """All outputs of an operation are what a layer gives."""
        for name in operation.outputs:
            self.draft.flows[name] = Flow(source, last)

    def maker(self, name: str) -> Entry | None:
        """The layer that makes a value, so that it may be changed: nobody else takes that or its arrays."""
        flow = self.draft.flows.get(name)
        if flow is None or flow.source < 0 or flow.steps or self.uses[name] != 1 or flow.source in self.draft.shared:
            return None
        entry = self.draft.entries[flow.source]
        alone = sum(other == flow for other in self.draft.flows.values()) == 1
        return entry if alone and entry.shares is None and not entry.missing else None

    def constant(self, name: str) -> np.ndarray:
        """The numbers of a constant. Raises `CannotError` where they are no real numbers."""
        tensor = self.constants[name]
        if tensor.fault is not None and not tensor.kind.startswith(("int", "uint", "bool")):
            raise CannotError(f"takes the constant `{name[:60]}`, {tensor.fault}")
        return np.asarray(tensor.load())

    def along_channels(self, array: np.ndarray, flow: Flow) -> np.ndarray:
        """A constant that is broadcast to a value as one number for each channel, or one number for all.

        Raises `CannotError` where it is neither.
        """
        shape = self.shape(flow)
        rank = len(shape) + 1
        full = (1,) * (rank - array.ndim) + array.shape
        axis = rank - 1 if flow.last or rank == 2 else 1
        if len(full) != rank or any(size != 1 for place, size in enumerate(full) if place != axis):
            raise CannotError(f"takes a constant of the shape {list(array.shape)}, not one number for each channel")
        if full[axis] not in (1, shape[axis - 1]):
            raise CannotError(f"takes {count(full[axis], 'constant')} for {count(shape[axis - 1], 'channel')}")
        return array.reshape(-1) if full[axis] > 1 or shape[axis - 1] == 1 else array.reshape(())


def _has_last(name: str, program: Program) -> bool:
    """Whether the file has an input with channels last: as all of it, unless each user begins with turning it."""
    usual = program.order == "channels_last"
    users = [operation for operation in program.operations if name in operation.inputs]
    turn = TO_FIRST if not usual else TO_LAST
    turned = bool(users) and name not in program.outputs
    for operation in users:
        turned = turned and operation.kind == "transpose" and tuple(operation.fields.get("axes", ())) == turn
    return usual != turned
