"""What loading a dataset gives: arrays or columns by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from archspec.data._base import INPUT, LABEL
from archspec.data._columns import Column, Values, as_array, pieces

if TYPE_CHECKING:
    import numpy as np

    from archspec.tables.layout import Layout


@dataclass(frozen=True)
class Split:
    """Values of as many samples each, by name: what networks are given, and what they are to find.

    They are arrays, or columns, whose samples are read when they are asked for; targets of one or two axes are arrays.
    Inputs are images (N, H, W, C), uint8 or float32; signals (N, L, C) or vectors (N, F), float32. Targets are whole
    numbers in a signed type, of which those below 0 count for nothing, or floating-point ones, of which those that are
    not numbers (NaN) do not: (N,), (N, K), of positions (N, L), of pixels (N, H, W) or (N, H, W, C). `names` are the
    samples' files, where they have their own.
    """

    inputs: Mapping[str, Values]
    targets: Mapping[str, Values]
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, images: Values, labels: Values, names: tuple[str, ...] = ()) -> Split:
        """A split of one input and one target, by their usual names."""
        return cls({INPUT: images}, {LABEL: labels}, names)

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    @property
    def images(self) -> np.ndarray:
        """The one input in memory; a column is read. Raises `ValueError` where there are several."""
        (values,) = self.inputs.values()
        return as_array(values)

    @property
    def labels(self) -> np.ndarray:
        """The one target in memory; a column is read. Raises `ValueError` where there are several, or none."""
        (values,) = self.targets.values()
        return as_array(values)

    @property
    def is_streamed(self) -> bool:
        """Whether some of its values are read when they are asked for."""
        return any(isinstance(values, Column) for values in (*self.inputs.values(), *self.targets.values()))

    @cached_property
    def digests(self) -> list[bytes]:
        """A digest of all inputs of each sample, 16 bytes; the same whether they are streamed or lie in memory."""
        from hashlib import blake2b

        # Pieces of one size, whatever each input's samples take.
        parts = zip(*(pieces(values, 64) for values in self.inputs.values()), strict=True)
        samples = (sample for part in parts for sample in zip(*part, strict=True))
        return [blake2b(b"".join(own.tobytes() for own in sample), digest_size=16).digest() for sample in samples]

    @property
    def nbytes(self) -> int:
        """What all of them take in memory, or would take."""
        return sum(values.nbytes for values in (*self.inputs.values(), *self.targets.values()))


@dataclass(frozen=True)
class Data:
    """A dataset. `name` is what diagnostics call it.

    `classes` has the names of the classes of each target that has classes: of a whole number each, or of the columns
    (N, K) of several labels at once. `positions` are the targets (N, L) that have one at each position of a signal,
    whose `classes` are those of a whole number then. `columns` has the names of the numbers (N, K) of a target, where
    they have names. `notes` say what was left out, passed over or guessed, with counts. `layout` says how columns of a
    table became inputs.
    """

    name: str
    train: Split
    test: Split
    classes: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    positions: frozenset[str] = frozenset()
    layout: Layout | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes of the one target, or of the first that has classes; none where there are none."""
        return next(iter(self.classes.values()), ())

    @property
    def class_count(self) -> int:
        return len(self.class_names)
