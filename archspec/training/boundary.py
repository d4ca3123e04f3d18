"""Where JAX's errors become sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import jax

from archspec.diagnostics import DataError
from archspec.figures.memory import Memory
from archspec.graph import Graph
from archspec.images.limits import machine_memory

OUT_OF_MEMORY = ("RESOURCE_EXHAUSTED", "out of memory", "failed to allocate")
"""What XLA says where memory has run out; capitals make no difference."""

_MAX_SAID = 200


@contextmanager
def in_words(help: Callable[[], Sequence[str]] | str) -> Iterator[None]:
    """Raises `SpecError` for what JAX and its compiler raise inside, and where there is not enough memory.

    `help` is what makes less memory do, or gives it. Serves as a decorator too.
    """
    try:
        yield
    except MemoryError as error:
        raise _no_memory(str(error), help).located(None) from error
    except jax.errors.JaxRuntimeError as error:
        said = str(error).strip() or type(error).__name__
        if any(words.lower() in said.lower() for words in OUT_OF_MEMORY):
            raise _no_memory(said, help).located(None) from error
        raise DataError(
            "E522",
            f"JAX fails: {_first_line(said)}",
            help=["`archspec doctor` shows the devices; with JAX_PLATFORMS=cpu in the environment none is used"],
        ).located(None) from error


def what_needs_less(graph: Graph, memory: Memory, smaller: str) -> list[str]:
    """`smaller`, which says how fewer samples are computed at once, unless one alone is too much for this machine."""
    one, whole = memory.at(1), machine_memory()
    if whole is None or one <= whole:
        return [smaller]
    return [
        f"one sample of {' and '.join(str(item.type) for item in graph.inputs)} alone needs {one / 2**30:,.4g} GiB, as "
        f"`archspec report --memory` counts; this machine has {whole / 2**30:,.4g} GiB",
        "a smaller input or network needs less; `train` and `weights import` take `--input HxW`",
    ]


def _no_memory(said: str, help: Callable[[], Sequence[str]] | str) -> DataError:
    words = _first_line(said)
    advice = [help] if isinstance(help, str) else help()
    return DataError("E902", "there is not enough memory" + (f": {words}" if words else ""), help=advice)


def _first_line(text: str) -> str:
    line = text.strip().splitlines()[0] if text.strip() else ""
    return line if len(line) <= _MAX_SAID else line[:_MAX_SAID] + "…"
