"""What loading a dataset gives: arrays or columns by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.data._base import INPUT, LABEL
from archspec.data._columns import Column, Values, as_array, pieces

if TYPE_CHECKING:
    import numpy as np

    from archspec.images.files import Unread
    from archspec.tables.layout import Layout


class Listed(NamedTuple):
    """All samples (M,) that there were before those were left out that cannot be read."""

    read: np.ndarray
    """Which of them there are."""
    strata: np.ndarray
    """The class of each, of all of which a share is held out; 0 where there are none."""


@dataclass(frozen=True)
class Split:
    """Values of as many samples each, by name: what networks are given, and what they are to find.

    They are arrays, or columns, whose samples are read when they are asked for; targets of one or two axes are arrays.
    Inputs are images (N, H, W, C), uint8 or float32; signals (N, L, C) or vectors (N, F), float32. Targets are whole
    numbers in a signed type, of which those below 0 count for nothing, or floating-point ones, of which those that are
    not numbers (NaN) do not: (N,), (N, K), of positions (N, L), of pixels (N, H, W) or (N, H, W, C). `names` are the
    samples' files, where they have their own. `listed` is there where some samples were left out as they were read.
    """

    inputs: Mapping[str, Values]
    targets: Mapping[str, Values]
    names: tuple[str, ...] = ()
    listed: Listed | None = None

    @classmethod
    def of(cls, images: Values, labels: Values, names: tuple[str, ...] = ()) -> Split:
        """A split of one input and one target, by their usual names."""
        return cls({INPUT: images}, {LABEL: labels}, names)

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def name(self, number: int) -> str:
        """What a sample is called: its file, or its number, counted from 0 as `draw --augment` and arrays do."""
        return self.names[number] if number < len(self.names) else f"sample {number:,}"

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

    @cached_property
    def map_digests(self) -> dict[str, list[bytes]]:
        """A digest of each sample of the targets of pixels, 16 bytes; the same wherever they lie."""
        from hashlib import blake2b

        return {
            name: [blake2b(own.tobytes(), digest_size=16).digest() for piece in pieces(values) for own in piece]
            for name, values in self.targets.items()
            if values.ndim > 2
        }

    @property
    def nbytes(self) -> int:
        """What all of them take in memory, or would take."""
        return sum(values.nbytes for values in (*self.inputs.values(), *self.targets.values()))


@dataclass(frozen=True)
class Data:
    """A dataset. `name` is what diagnostics call it.

    `train` is what is trained on. `validation` is measured after every epoch, and what is chosen is chosen by it.
    `test` is measured once, at the end; it is None where a dataset holds out one part only, which is then `validation`.
    `classes` has the names of the classes of each target that has classes: of a whole number each, or of the columns
    (N, K) of several labels at once. `positions` are the targets (N, L) that have one at each position of a signal,
    whose `classes` are those of a whole number then. `columns` has the names of the numbers (N, K) of a target, where
    they have names. `notes` say what was left out, passed over or guessed, with counts. `layout` says how columns of a
    table became inputs. `left` are the files that were left out, as they cannot be read.
    """

    name: str
    train: Split
    validation: Split
    classes: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    positions: frozenset[str] = frozenset()
    layout: Layout | None = None
    test: Split | None = None
    left: tuple[Unread, ...] = ()

    @property
    def parts(self) -> dict[str, Split]:
        """The splits by the names of their parts, in order: train, validation and, where there is one, test."""
        parts = {"train": self.train, "validation": self.validation}
        return parts if self.test is None else {**parts, "test": self.test}

    def with_parts(self, splits: Iterable[Split], **changes: Any) -> Data:
        """The data with other splits, in the order of `parts`, and other fields."""
        changes.update(zip(self.parts, splits, strict=True))
        return replace(self, **changes)

    def map(self, function: Callable[[Split], Split], **changes: Any) -> Data:
        """The data with each split changed alike, and other fields."""
        return self.with_parts(map(function, self.parts.values()), **changes)

    def said(self, part: str) -> str:
        """Where samples of a part are, in words. What is held out once for all is no validation part of its own."""
        if part == "train":
            return "to train on"
        return "held out" if self.test is None else f"in the {part} part"

    def whose(self, part: str) -> str:
        """What samples and figures of a part are called: training, held-out, validation, test."""
        if part == "train":
            return "training"
        return "held-out" if self.test is None else part

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes of the one target, or of the first that has classes; none where there are none."""
        return next(iter(self.classes.values()), ())

    @property
    def class_count(self) -> int:
        return len(self.class_names)
