"""Names of layers from what exporters call operators: the path of a module, and often an operator's name behind."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from archspec.importing.operations import Operation

ENDS = (".weight", ".kernel", "/kernel", "/weight", ".gamma", "/gamma")
"""How the names of the array end whose module's name stands before."""


def named(operations: Sequence[Operation], arrays: Mapping[str, str], known: Collection[str] = ()) -> list[Operation]:
    """Operations with names that a person would give: their module's where it is one operation, or their kind's.

    `arrays` are names of the first array of an operation by its output, which tell of the module where it does not.
    Those whose output is `known` have the names that they are to have.
    """
    paths = [_path(operation, arrays.get(operation.outputs[0], "")) for operation in operations]
    inside = Counter(path[:depth] for path in paths for depth in range(1, len(path)))
    used: Counter[tuple[str, ...]] = Counter()
    found = []
    for operation, path in zip(operations, paths, strict=True):
        if operation.outputs[0] in known:
            found.append(operation)
            continue
        own = path
        if path and _is_general(path[-1], operation):
            if len(path) > 1 and inside[path[:-1]] == 1:
                own = path[:-1]
            elif operation.kind is not None:
                whole = (*path[:-1], operation.kind)
                used[whole] += 1
                own = whole if used[whole] == 1 else (*path[:-1], f"{operation.kind}_{used[whole] - 1}")
                own = own if len(path) > 1 else ()
        found.append(replace(operation, scope=own[:-1], name=own[-1] if own else ""))
    return found


def _path(operation: Operation, array: str) -> tuple[str, ...]:
    """The modules around an operation, and its own name."""
    parts: list[str] = []
    for word in (*operation.scope, operation.name):
        if not word:
            continue
        # A module within a list may be named with the list's name again: layer1, layer1.0.
        if parts and word.startswith(f"{parts[-1]}."):
            parts[-1] = word
        else:
            parts.append(word)
    plain = len(parts) <= 1 and (not parts or _is_general(parts[0], operation))
    if plain and array.endswith(ENDS):
        module = array[: -len(next(end for end in ENDS if array.endswith(end)))]
        return tuple(part for part in re.split(r"[./]", module) if part)
    return tuple(piece for part in parts for piece in part.split(".") if piece)


def _is_general(name: str, operation: Operation) -> bool:
    """Whether a name is the operator's own, with a number at most: `Conv`, `Conv_12`, `node_conv2d_3`."""
    word = operation.said.rpartition(".")[2]
    return re.fullmatch(rf"(?:node_)?{re.escape(word)}(?:_?\d+)?", name, re.IGNORECASE) is not None
