"""The tensors anywhere in a checkpoint, and what they are called.

Objects of classes that are not known are passed through for the tensors that they hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from archspec.diagnostics import article
from archspec.weights.pickles import Global, Made
from archspec.weights.storages import ARRAYS, Storage, array_of
from archspec.weights.tensors import Tensor, TensorFile, UnreadableError

MAX_VISITED = 5_000_000
"""Values of a checkpoint that are looked at for tensors."""
MAX_DEPTH = 32
"""Levels of a checkpoint that are looked at for tensors."""


def tensors_in(content: Any, path: Path) -> TensorFile:
    """The tensors anywhere in a checkpoint, named by the keys that lead to them.

    What lies there several times is found once, where it comes first: checkpoints may hold themselves.
    """
    tensors: dict[str, Tensor] = {}
    containers: dict[str, str] = {}
    stack: list[tuple[tuple[str, ...], int, Any]] = [((), 0, content)]
    visited = 0
    seen: set[int] = set()
    while stack:
        keys, module, value = stack.pop()
        tensor = _tensor(value)
        if tensor is not None:
            name = ".".join(keys)
            if name in tensors:
                raise UnreadableError(f"has two tensors called {name[:100]}")
            tensors[name] = tensor
            containers[name] = ".".join(keys[: module or len(keys) - 1])
            continue
        if not _is_module(value):  # modules may share one, whose tensors have the names of both
            if id(value) in seen:
                continue
            seen.add(id(value))
        inner = list(_inside(value)) if len(keys) < MAX_DEPTH else []
        visited += len(inner)
        if visited > MAX_VISITED:
            raise UnreadableError(f"holds more than {MAX_VISITED:,} values")
        # The tensors of a module are one state_dict, however deep its modules lie.
        within = (module or len(keys) or -1) if _is_module(value) else module
        stack.extend(((*keys, *path), max(within, 0), item) for path, item in reversed(inner))
    return TensorFile(path, tensors, containers=containers, keys=tuple(_keys(content)))


def _is_module(value: Any) -> bool:
    return isinstance(value, Made) and isinstance(value.state, dict) and "_modules" in value.state


def _inside(value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """What lies in a value, and by which keys; numbers and text are passed over."""
    pairs: Iterator[tuple[Any, Any]] | Any
    if isinstance(value, Made):
        state = value.state
        if _is_module(value):
            for part in ("_parameters", "_buffers", "_modules"):
                yield from _inside(state.get(part))
            return
        yield from _inside(value.items)
        for part in state if isinstance(state, tuple) else (state,):
            yield from _inside(part) if isinstance(part, dict) else ()
        return
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list | tuple) and not isinstance(value, Global | Storage):
        pairs = enumerate(value)
    else:
        return
    for key, item in pairs:
        if isinstance(item, dict | list | tuple | Made | Tensor):
            yield (str(key)[:500],), item


def _tensor(value: Any) -> Tensor | None:
    if isinstance(value, Tensor):
        return value
    if isinstance(value, Made) and value.name in ARRAYS:
        return array_of(value)
    return None


def _keys(content: Any) -> Iterator[str]:
    """What lies at a checkpoint's top, in words: `epoch (int)`."""
    if isinstance(content, Made):
        yield f"an object of {content.name}"
        content = content.state if isinstance(content.state, Mapping) else content.items
    if isinstance(content, Mapping):
        for key, value in content.items():
            kind = value.name if isinstance(value, Made) else type(value).__name__
            yield f"{str(key)[:60]} ({kind[:60]})"
    elif not isinstance(content, str | bytes) and isinstance(content, list | tuple):
        yield f"{article(type(content).__name__)} of {len(content)}"
