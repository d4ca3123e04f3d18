"""What reading samples tells of them: digests, the pixels' distribution, labels, what cannot be read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

DIGEST = 16
"""Bytes of a sample's digest."""


class Bad(NamedTuple):
    """A sample that cannot be read, and why. One that is `unlike` can, and is of another size than the others."""

    place: int
    code: str
    name: str
    reason: str
    help: tuple[str, ...] = ()
    unlike: bool = False


def digest(arrays: Sequence[np.ndarray]) -> bytes:
    """A digest of a sample's arrays, one after another, as `Split.digests` has it."""
    return blake2b(b"".join(array.tobytes() for array in arrays), digest_size=DIGEST).digest()


@dataclass
class Moments:
    """How often bytes occur in each channel, or the moments of numbers, from which mean and standard deviation follow.

    Of bytes `bins` (C, 256) has whole numbers alone, so whatever order samples come in gives the same. Of other numbers
    `count`, `mean` and `m2` (C,), the sum of squared distances from the mean, are put together pairwise in 64 bits and
    in the samples' order (Chan, Golub and LeVeque 1983, equation 2.1).
    """

    bins: np.ndarray | None = None
    count: int = 0
    mean: np.ndarray | None = None
    m2: np.ndarray | None = None
    low: float = math.inf
    high: float = -math.inf

    @classmethod
    def of(cls, array: np.ndarray) -> Moments:
        """Those of an array (…, C); a number for each sample alone is one channel."""
        import numpy as np

        flat = array.reshape(-1, array.shape[-1] if array.ndim > 1 else 1)
        if not flat.size:
            return cls()
        low, high = float(flat.min()), float(flat.max())
        if array.dtype == np.uint8:
            bins = np.stack([np.bincount(channel, minlength=256) for channel in flat.T])
            return cls(bins, len(flat), low=low, high=high)
        numbers = flat.astype(np.float64)
        mean = numbers.mean(0)
        return cls(None, len(flat), mean, np.square(numbers - mean).sum(0), low, high)

    def add(self, other: Moments) -> None:
        """Takes over what other samples have."""
        if not other.count:
            return
        if not self.count:
            self.bins, self.mean, self.m2 = other.bins, other.mean, other.m2
        elif self.bins is not None and other.bins is not None:
            self.bins = self.bins + other.bins
        else:
            assert self.mean is not None and self.m2 is not None and other.mean is not None and other.m2 is not None
            apart, share = other.mean - self.mean, other.count / (self.count + other.count)
            self.mean = self.mean + apart * share
            self.m2 = self.m2 + other.m2 + apart**2 * (self.count * share)
        self.count += other.count
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)

    def moments(self) -> tuple[list[float], list[float]]:
        """The mean and the standard deviation √(Σ(x − mean)²/n) of each channel."""
        if self.bins is None:
            assert self.mean is not None and self.m2 is not None
            return self.mean.tolist(), [math.sqrt(value / self.count) for value in self.m2.tolist()]
        means, deviations = [], []
        for row in self.bins.tolist():
            total = sum(row)
            first = sum(value * number for value, number in enumerate(row))
            second = sum(value * value * number for value, number in enumerate(row))
            means.append(float(Fraction(first, total)))
            deviations.append(math.sqrt(Fraction(second * total - first * first, total * total)))
        return means, deviations


@dataclass
class Labels:
    """How often classes occur in a target, how many numbers count for nothing, and the largest of each sample.

    `counts` are of whole numbers from 0, or of the columns (K) that are above 0 where there are several labels at once;
    of floating-point targets `values` has the distribution.
    """

    counts: np.ndarray | None = None
    uncounted: int = 0
    largest: list[np.ndarray] = field(default_factory=list)
    values: Moments | None = None

    @classmethod
    def of(cls, array: np.ndarray, *, several: bool = False) -> Labels:
        """Those of a target (n, …). With `several`, each column (n, K) is a label that is there or not."""
        import numpy as np

        if array.dtype.kind == "f":
            known = array[~np.isnan(array)] if np.isnan(array).any() else array
            columns = known if known.ndim > 1 else known.reshape(-1, 1)
            return cls(None, array.size - known.size, [], Moments.of(columns))
        if several:
            return cls((array > 0).sum(0), int((array < 0).sum()))
        flat = array.reshape(len(array), math.prod(array.shape[1:]))
        largest = flat.max(1, initial=-1)
        known = flat[flat >= 0]
        return cls(np.bincount(known), flat.size - known.size, [largest.astype(np.int32)])

    def add(self, other: Labels) -> None:
        """Takes over what other samples have."""
        import numpy as np

        if other.counts is not None:
            own = np.zeros(0, np.int64) if self.counts is None else self.counts
            made = np.zeros(max(len(own), len(other.counts)), np.int64)
            made[: len(own)] += own
            made[: len(other.counts)] += other.counts
            self.counts = made
        if other.values is not None:
            self.values = self.values or Moments()
            self.values.add(other.values)
        self.uncounted += other.uncounted
        self.largest.extend(other.largest)


@dataclass
class Facts:
    """What reading a run of samples gave. Digests are zeros where a sample cannot be read."""

    count: int
    digests: list[bytes] = field(default_factory=list)
    of_targets: dict[str, list[bytes]] = field(default_factory=dict)
    inputs: dict[str, Moments] = field(default_factory=dict)
    targets: dict[str, Labels] = field(default_factory=dict)
    files: Counter[str] = field(default_factory=Counter)
    """How many files are of a size, mode and format: "480×640 RGB JPEG"."""
    seen: dict[str, Counter[str]] = field(default_factory=dict)
    """What is to be said of samples that can be read, by the name of what they are read for."""
    bad: list[Bad] = field(default_factory=list)

    def add(self, other: Facts) -> None:
        """Takes over the facts of the samples that come next."""
        self.bad.extend(bad._replace(place=bad.place + self.count) for bad in other.bad)
        self.count += other.count
        self.digests.extend(other.digests)
        self.files.update(other.files)
        for name, own in other.of_targets.items():
            self.of_targets.setdefault(name, []).extend(own)
        for name, values in other.inputs.items():
            self.inputs.setdefault(name, Moments()).add(values)
        for name, labels in other.targets.items():
            self.targets.setdefault(name, Labels()).add(labels)
        for name, seen in other.seen.items():
            self.seen.setdefault(name, Counter()).update(seen)


def doubles(parts: Mapping[str, Sequence[bytes]]) -> Iterator[tuple[str, str, list[tuple[int, int]]]]:
    """Samples that are there already, by the part where they are and the one where they were first: pairs of places.

    A part's own come with its name twice.
    """
    first: dict[bytes, tuple[str, int]] = {}
    nothing = bytes(DIGEST)
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for part, digests in parts.items():
        for place, key in enumerate(digests):
            if key == nothing:
                continue
            known = first.setdefault(key, (part, place))
            if known != (part, place):
                found.setdefault((part, known[0]), []).append((place, known[1]))
    return ((part, other, pairs) for (part, other), pairs in found.items())
