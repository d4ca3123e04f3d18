"""Where JAX's errors become sentences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jax

from archspec.diagnostics import DataError

OUT_OF_MEMORY = ("RESOURCE_EXHAUSTED", "out of memory", "failed to allocate")
"""What XLA says where memory has run out; capitals make no difference."""

_MAX_SAID = 200


@contextmanager
def in_words(*help: str) -> Iterator[None]:
    """Raises `SpecError` for what JAX and its compiler raise inside, and where there is not enough memory.

    `help` is what makes less memory do. Serves as a decorator too.
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


def _no_memory(said: str, help: tuple[str, ...]) -> DataError:
    words = _first_line(said)
    return DataError("E902", "there is not enough memory" + (f": {words}" if words else ""), help=help)


def _first_line(text: str) -> str:
    line = text.strip().splitlines()[0] if text.strip() else ""
    return line if len(line) <= _MAX_SAID else line[:_MAX_SAID] + "…"
