"""The back end: of a file's operations a spec, its graph and its arrays, whatever the file's format is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from archspec.diagnostics import DataError, count, listed
from archspec.graph import Graph
from archspec.importing import kinds, neutral
from archspec.importing.draft import CannotError, Draft, Entry
from archspec.importing.finishing import Arrays, about_outputs, arrays_of, opened, rolled_up
from archspec.importing.naming import named, part
from archspec.importing.operations import UNFIT, Operation, Program
from archspec.importing.reading import counted
from archspec.importing.text import flow, head_of, lines_of, section
from archspec.importing.tidying import kept, tidy
from archspec.importing.values import Values
from archspec.kinds import plain
from archspec.loading import Spec
from archspec.spec.inputs import section_of
from archspec.weights.tensors import UnreadableError

MAX_OPERATIONS = 100_000


@dataclass(frozen=True)
class Missing:
    """An operation that no kind here is like, or a reason why it is none."""

    name: str
    said: str
    place: str
    why: str


@dataclass(frozen=True)
class Built:
    """What a program became. `graph` is None where something is missing; the spec then does not validate.

    `arrays` are by node path and array name, as `weights` has them. `notes` say what was left out, replaced or guessed.
    """

    text: str
    graph: Graph | None
    arrays: Mapping[str, np.ndarray]
    missing: Sequence[Missing]
    notes: Sequence[str]
    about: Mapping[str, Any] = field(default_factory=dict)
    unfilled: int = 0
    """Arrays that the file does not have."""
    image: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What the file says of its images, by the inputs' names."""


def built(
    program: Program,
    file: Path,
    *,
    keep_softmax: bool = False,
    input: tuple[int, ...] | None = None,
    flat: bool = False,
) -> Built:
    """Makes a spec of a program. `input` has the sizes that it leaves open: height and width, channels, or a length.

    What repeats becomes blocks and loops unless the spec is to be `flat`. Raises `DataError` where nothing can be made
    of it.
    """
    program = sized(program, file, input)
    values, outputs = _values(program, file)
    draft, inputs = values.draft, _input_names(program)
    outputs = tidy(draft, outputs, keep_softmax=keep_softmax)
    ends, output_names = _ends(program, outputs)
    numbers = kept(draft, ends)
    left = sum(1 for entry in draft.entries if entry.missing) - sum(draft.entries[n].missing for n in numbers)
    notes = [*program.notes, *_of_pixels(program, draft, inputs), *counted(draft.said)]
    if left:
        notes.append(f"{count(left, 'operation')} that no output needs {'is' if left == 1 else 'are'} left out")
    if not numbers:
        raise DataError("E565", f"{file} has no layers: its outputs are its inputs")
    paths = named([draft.entries[number] for number in numbers], inputs)
    chosen = [draft.entries[number] for number in numbers]
    missing = [_missing(entry, path) for entry, path in zip(chosen, paths, strict=True) if entry.missing]
    head = head_of(program.about, _name(program.name))
    head += _inputs(program, draft, inputs)

    own = program.about.get("outputs", {})
    more = {new: own[old] for old, new in zip(dict.fromkeys(program.outputs), output_names, strict=False) if old in own}

    def text(numbers: Sequence[int], paths: Sequence[str], ends: Sequence[int], names: Sequence[str]) -> str:
        lines = [*head, "layers:", *lines_of(draft, numbers, paths, inputs)]
        path_of = dict(zip(numbers, paths, strict=True))
        named_otherwise = draft.entries[numbers[-1]].operation.exact and list(names) != ["output"]
        if list(ends) != [numbers[-1]] or named_otherwise:
            sources = {name: path_of[end] for name, end in zip(names, ends, strict=True)}
            given = {name: {"from": source, **more.get(name, {})} for name, source in sources.items()}
            lines += section("outputs", given if any(more.get(name) for name in given) else sources)
        return "\n".join(lines) + "\n"

    whole = text(numbers, paths, ends, output_names)
    spec: Spec | None = None
    if missing:
        known = [n for n in numbers if draft.entries[n].type is not None]
        if known:
            taken = {source for n in known for source in draft.entries[n].taken}
            leaves = [n for n in known if n not in taken]
            own = [path for n, path in zip(numbers, paths, strict=True) if n in set(known)]
            spec = opened(text(known, own, leaves, [f"end{i}" for i in range(len(leaves))]), file)
    else:
        spec = opened(whole, file)
    entries = dict(zip(paths, (draft.entries[n] for n in numbers), strict=True))
    arrays, unfilled = (Arrays({}), 0) if spec is None else arrays_of(spec.graph(), entries, notes, file)
    graph = spec.graph() if spec is not None and not missing else None
    if graph is not None:
        notes += about_outputs(graph, program)
    if graph is not None and spec is not None and not flat:
        whole, graph, arrays = rolled_up(spec, whole, arrays, notes, file)
    image = {name: dict(value.image) for name, value in zip(inputs, program.inputs, strict=True) if value.image}
    return Built(whole, graph, arrays, missing, notes, program.about, unfilled, image)


def sized(program: Program, file: Path, size: tuple[int, ...] | None) -> Program:
    """The program with the sizes of inputs that are open, below 1, filled in.

    Raises `DataError` where some stay open (E565), and where `size` is that of no input: the file has others (E113).
    """
    filled, taken = [], size is None
    for value in program.inputs:
        shape = list(value.shape)
        first = 1 if program.order == "channels_first" else 0
        places = [*range(first, len(shape) - 1 + first), 0 if first else len(shape) - 1]
        for place, number in zip(places, size or (), strict=False):
            if shape[place] < 1:
                shape[place] = number
        asked = size or ()
        taken |= len(asked) <= len(places) and all(shape[at] == own for at, own in zip(places, asked, strict=False))
        if any(number < 1 for number in shape):
            said = "×".join(str(number) if number > 0 else "?" for number in shape)
            raise DataError(
                "E565",
                f"{file} does not say how large its input `{value.name[:60]}` is: {said}",
                help=["--input 224x224 says it, or 224x224x3 with channels"],
            )
        filled.append(value._replace(shape=tuple(shape)))
    if not taken:
        own = listed([f"`{value.name[:60]}` is {'×'.join(map(str, value.shape))}" for value in filled])
        raise DataError(
            "E113",
            f"{file} says its sizes itself: {own}; --input is for sizes that a file leaves open",
            help=["leave out --input, and change `input` in the spec that is written"],
        )
    return replace(program, inputs=tuple(filled))


def _values(program: Program, file: Path) -> tuple[Values, list[int]]:
    """Goes through the operations; gives the values, and what makes the outputs."""
    if len(program.operations) > MAX_OPERATIONS:
        raise DataError("E564", f"{file} has {len(program.operations):,} operations; up to {MAX_OPERATIONS:,} are read")
    try:
        values = Values(program)
    except CannotError as error:
        raise DataError("E565", f"{file}: {error}") from None
    for operation in program.operations:
        _take(values, operation)
    outputs = []
    for name in program.outputs:
        last = Operation(None, (name,), (), said=f"the output `{name[:60]}`")
        try:
            outputs.append(values.made(name, last).source)
        except CannotError as error:
            if name not in values.draft.flows:
                raise DataError("E565", f"{file}: the output `{name[:60]}` {error}") from None
            outputs.append(values.draft.give_up(last, [values.draft.flows[name].source], str(error)))
    if not outputs:
        raise DataError("E565", f"{file} names no output")
    return values, outputs


def _take(values: Values, operation: Operation) -> None:
    """Takes one operation in, or marks it as not imported."""
    draft = values.draft
    before = len(draft.entries)
    taken = {name: draft.flows[name] for name in operation.inputs if name in draft.flows}
    try:
        if operation.kind is None:
            raise CannotError(operation.why or "has no kind here")
        if not operation.exact and neutral.is_neutral(values, operation):
            neutral.handle(values, operation)
        else:
            kinds.handle(values, operation)
        _check_shape(values, operation)
        return
    except CannotError as error:
        why = str(error)
    except (UnreadableError, *UNFIT) as error:
        why = f"cannot be read: {str(error)[:200]}"
    draft.forget(before)
    draft.flows.update(taken)
    sources = [flow.source for flow in taken.values()]
    values.give(operation, draft.give_up(operation, sources, why), draft.last)


def _check_shape(values: Values, operation: Operation) -> None:
    """Raises `CannotError` where what comes out has not the shape that the file says."""
    if operation.shape is None or not operation.outputs or operation.outputs[0] not in values.draft.flows:
        return
    flow = values.flow(operation.outputs[0])
    if values.type_of(flow) is None:
        return
    found = values.shape(flow)
    if found != operation.shape:
        made, wanted = ("×".join(map(str, shape)) for shape in (found, operation.shape))
        raise CannotError(f"gives {wanted} in the file, and {operation.kind} would give {made}")


def _missing(entry: Entry, path: str) -> Missing:
    operation = entry.operation
    return Missing(path, operation.said or str(operation.kind), operation.place, entry.why)


def _ends(program: Program, outputs: Sequence[int]) -> tuple[list[int], list[str]]:
    """The outputs, each once, and their names."""
    ends: list[int] = []
    names: list[str] = []
    for number, name in zip(outputs, program.outputs, strict=True):
        if number in ends:
            continue
        own = part(name.split(":")[0]) or "output"
        own = own if own[0].isalpha() or own[0] == "_" else f"output_{own}"
        while own in names:
            own += "_"
        ends.append(number)
        names.append(own)
    return ends, names


def _name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[:100].strip("-.") or "imported"


def _input_names(program: Program) -> list[str]:
    """Names of the network's inputs: `input` for the only one."""
    if len(program.inputs) == 1:
        return ["input"]
    names: list[str] = []
    for value in program.inputs:
        own = part(value.name) or "image"
        own = f"input_{own}" if own in ("previous", "input") or not (own[0].isalpha() or own[0] == "_") else own
        while own in names:
            own += "_"
        names.append(own)
    return names


def _of_pixels(program: Program, draft: Draft, names: Sequence[str]) -> list[str]:
    """What is said of images of which the file does not say what is done to their pixels."""
    open_ = [
        f"`{name}`"
        for name, value, given in zip(names, program.inputs, draft.inputs, strict=True)
        if value.image is None and given.type.is_map and given.type.channels in (1, 3, 4)
    ]
    if not open_:
        return []
    return [
        f"the file does not say what is done to the pixels of {listed(open_)}: the spec has them from 0 to 1, and "
        "`range`, `mean`, `std` and `order` of the input say otherwise"
    ]


def _inputs(program: Program, draft: Draft, names: Sequence[str]) -> list[str]:
    sections = {}
    for name, value, given in zip(names, program.inputs, draft.inputs, strict=True):
        usual = plain(section_of(given.type))
        sizes = {key: usual[key] for key in ("height", "width", "length", "channels", "features") if key in usual}
        sections[name] = {**sizes, **plain(dict(value.image or {}))}
    if len(sections) == 1:
        return [f"input: {flow(sections['input'])}"]
    return section("inputs", sections)
