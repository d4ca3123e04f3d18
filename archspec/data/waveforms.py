"""Waveforms in noise, composed, for networks of one axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from archspec.data._base import LABEL, Dataset
from archspec.data._digits import check_sizes
from archspec.data._split import Data, Split
from archspec.diagnostics import DataError
from archspec.fields import NonNegativeInt, NonNegativeNumber, PositiveInt

if TYPE_CHECKING:
    import numpy as np

SHAPES = ("sine", "square", "sawtooth", "triangle", "chirp")
"""The classes in their order."""
LEAST_LENGTH = 32
"""So many numbers a signal, or a piece of it, has at least."""
MAX_VALUES = 2**28
"""So many numbers all signals together may have."""


class Waveforms(Dataset):
    """Signals of one channel whose waveform is to be told: sine, square, sawtooth, triangle or chirp, in noise.

    Each has a period of its own, between a 16th and a quarter of its length, and a phase; half are turned upside down.
    Without noise, values have the mean square 1, so that no class is louder; white noise of the standard deviation
    `noise` is added. A chirp is a sine whose frequency grows fourfold along the signal. Every class is as frequent as
    the others, or has one signal more. Float32, (N, length, 1), and the classes as whole numbers.

    With `pieces`, a signal is so many waveforms one after another, no two neighbours of one class, and the target is
    the class at each position, (N, length). Pieces are between a half and three halves of length/pieces long, and what
    is said of a signal's length above is so of theirs.
    """

    length: Annotated[PositiveInt, Field(description="numbers in a signal, 32 or more")] = 256
    noise: Annotated[NonNegativeNumber, Field(description="standard deviation of the noise; a waveform's is 1")] = 0.5
    pieces: Annotated[
        PositiveInt | None,
        Field(description="waveforms in a signal, one after another; the target is then the class at each position"),
    ] = None
    train: Annotated[PositiveInt, Field(description="signals to train on")] = 4000
    test: Annotated[PositiveInt, Field(description="signals held out")] = 1000
    seed: Annotated[NonNegativeInt, Field(description="which periods, phases and noise")] = 0

    @model_validator(mode="after")
    def _check(self) -> Waveforms:
        check_sizes(self.train, self.test)
        if self.length < LEAST_LENGTH:
            raise ValueError(f"`length` is {LEAST_LENGTH} or more")
        if self.pieces and self.pieces > 1 and self.length < 2 * LEAST_LENGTH * self.pieces:
            raise ValueError(f"`length` is {2 * LEAST_LENGTH} or more for each of the `pieces`")
        return self

    def load(self) -> Data:
        import numpy as np

        values = (self.train + self.test) * self.length
        if values > MAX_VALUES:
            raise DataError("E507", f"there would be {values:,} numbers in all signals, more than {MAX_VALUES:,}")
        train, test = (
            (self._composed if self.pieces else self._signals)(size, np.random.default_rng([self.seed, place]))
            for place, size in enumerate((self.train, self.test))
        )
        positions = frozenset([LABEL] if self.pieces else [])
        return Data(self.kind, train, test, {LABEL: SHAPES}, positions=positions)

    def _signals(self, count: int, generator: np.random.Generator) -> Split:
        import numpy as np

        labels = generator.permutation(np.arange(count) % len(SHAPES))
        periods = self.length / generator.uniform(4, 16, count)
        starts = generator.uniform(0, 1, count)
        signs = generator.choice([-1.0, 1.0], count)
        signals = np.empty((count, self.length), np.float32)
        for begin in range(0, count, 1000):
            own = slice(begin, begin + 1000)
            waves = signs[own, None] * waveforms(labels[own], periods[own], starts[own], self.length)
            signals[own] = waves + self.noise * generator.standard_normal(waves.shape)
        return Split.of(signals[..., None], labels)

    def _composed(self, count: int, generator: np.random.Generator) -> Split:
        """Signals of several pieces, and the class at each position."""
        import numpy as np

        pieces = self.pieces or 1
        steps = generator.integers(1, len(SHAPES), (count, pieces))
        steps[:, 0] = generator.permutation(np.arange(count) % len(SHAPES))
        labels = np.cumsum(steps, axis=1) % len(SHAPES)
        # Between two pieces lies a middle that moves by a quarter of a piece to either side.
        size = self.length / pieces
        ends = np.rint(size * (np.arange(1, pieces) + generator.uniform(-0.25, 0.25, (count, pieces - 1))))
        edges = np.concatenate([np.zeros((count, 1)), ends, np.full((count, 1), self.length)], axis=1).astype(int)
        periods = np.diff(edges, axis=1) / generator.uniform(4, 16, (count, pieces))
        starts = generator.uniform(0, 1, (count, pieces))
        signs = generator.choice([-1.0, 1.0], (count, pieces))
        signals = np.empty((count, self.length), np.float32)
        targets = np.empty((count, self.length), np.int8)
        for place in range(count):
            for piece, (begin, end) in enumerate(zip(edges[place], edges[place, 1:], strict=False)):
                own = np.s_[place, piece : piece + 1]
                (wave,) = waveforms(labels[own], periods[own], starts[own], int(end - begin))
                signals[place, begin:end] = signs[place, piece] * wave
                targets[place, begin:end] = labels[place, piece]
        signals += self.noise * generator.standard_normal(signals.shape)
        return Split.of(signals[..., None], targets)


def waveforms(labels: np.ndarray, periods: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
    """Signals (N, length) of the mean square 1: their classes, their periods, and where in a period they begin."""
    import numpy as np

    at = np.arange(length)
    turns = starts[:, None] + at / periods[:, None]
    place = turns % 1
    # A chirp's frequency is the period's at the beginning and four times that at the end.
    chirped = starts[:, None] + (at + 3 * at**2 / (2 * length)) / periods[:, None]
    kinds = [
        np.sqrt(2) * np.sin(2 * np.pi * turns),
        np.where(place < 0.5, 1.0, -1.0),
        np.sqrt(3) * (2 * place - 1),
        np.sqrt(3) * (4 * np.abs(place - 0.5) - 1),
        np.sqrt(2) * np.sin(2 * np.pi * chirped),
    ]
    made: np.ndarray = np.choose(labels[:, None], kinds)
    return made
