"""Values of samples that are read when they are asked for, in place of an array that has them all."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Union

from archspec.diagnostics import DataError

if TYPE_CHECKING:
    import numpy as np

PIECE_BYTES = 2**24
"""What goes through all samples has about so many bytes of them at a time."""


class UnlikeError(DataError):
    """A sample is of another size than the others."""


class Source(Protocol):
    """Where the samples of a column come from. It is pickled for worker processes, so it holds names and no open files,
    and what it imports must not import JAX.
    """

    shape: tuple[int, ...]
    """That of one sample as it is read, of the first or of the one that `first` says, where a source has that."""
    dtype: np.dtype[Any]

    def __len__(self) -> int: ...

    def read(self, place: int, seen: Counter[str]) -> np.ndarray:
        """One sample. Raises `DataError`; what is to be said of samples that are read all the same is counted in
        `seen`, by keys of which `notes` makes words.
        """
        ...

    def name(self, place: int) -> str:
        """What messages call a sample."""
        ...

    def notes(self, seen: Counter[str]) -> list[str]:
        """What was counted, in words."""
        ...


class Step(NamedTuple):
    """A function of samples (n, …), and the shape of one sample and the type of what it gives."""

    function: Callable[[np.ndarray], np.ndarray]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class Column:
    """Samples (N, …) that are read and prepared when they are asked for, each time anew. Pickled as a recipe.

    `column[places]` gives an array, by whatever NumPy takes as an index of the first axis; `map` and `take` give
    columns that read nothing.
    """

    def __init__(self, source: Source, places: np.ndarray | None = None, steps: tuple[Step, ...] = ()) -> None:
        self.source = source
        self.places = places
        """The source's numbers of the samples, in their order; None for all."""
        self.steps = steps

    def __len__(self) -> int:
        return len(self.source) if self.places is None else len(self.places)

    @property
    def _sample(self) -> Source | Step:
        return self.steps[-1] if self.steps else self.source

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, …), as of an array."""
        return (len(self), *self._sample.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._sample.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The bytes that all samples would take in memory."""
        return self.size * self.dtype.itemsize

    def __getitem__(self, key: Any) -> np.ndarray:
        """The samples at some places (n, …), or one of them. Raises `DataError` where a sample cannot be read."""
        import numpy as np

        wanted = np.arange(len(self))[key]
        return self.sample(int(wanted)) if wanted.ndim == 0 else self.gathered(wanted)

    def gathered(self, places: np.ndarray, seen: Counter[str] | None = None) -> np.ndarray:
        """The samples at places (n,) as one array (n, …). Raises `DataError` at the first that cannot be read."""
        import numpy as np

        made = np.empty((len(places), *self.shape[1:]), self.dtype)
        for row, place in enumerate(places):
            made[row] = self.sample(int(place), seen)
        return made

    def sample(self, place: int, seen: Counter[str] | None = None) -> np.ndarray:
        """One sample. Raises `DataError`, `UnlikeError` where it is of another size than the column says."""
        own = place if self.places is None else int(self.places[place])
        read = self.source.read(own, Counter() if seen is None else seen)
        if read.shape != self.source.shape:
            sizes = ["×".join(map(str, shape[:2])) for shape in (read.shape, self.source.shape)]
            first = self.source.name(getattr(self.source, "first", 0))
            raise UnlikeError("E507", f"{self.source.name(own)} is {sizes[0]}, but {first} is {sizes[1]}", help=[SIZE])
        for step in self.steps:
            read = step.function(read[None])[0]
        return read

    def map(self, function: Callable[[np.ndarray], np.ndarray], shape: Sequence[int], dtype: Any) -> Column:
        """The column whose samples (n, …) go through a function. `shape` is that of one sample of what it gives."""
        import numpy as np

        return Column(self.source, self.places, (*self.steps, Step(function, tuple(shape), np.dtype(dtype))))

    def __iter__(self) -> Iterator[np.ndarray]:
        return map(self.sample, range(len(self)))

    def take(self, places: np.ndarray) -> Column:
        """The column of some samples, by numbers or by a mask."""
        import numpy as np

        own = np.arange(len(self.source)) if self.places is None else self.places
        return Column(self.source, own[places], self.steps)

    def file(self, place: int) -> str:
        """The file that has a sample: the source's `file`, where several samples are in one, or what it is called."""
        own = place if self.places is None else int(self.places[place])
        of: Callable[[int], str] = getattr(self.source, "file", self.source.name)
        return of(own)

    def name(self, place: int) -> str:
        """What messages call a sample."""
        return self.source.name(place if self.places is None else int(self.places[place]))


Values = Union["np.ndarray", Column]
"""Those of all samples: in memory, or read when they are asked for."""

SIZE = "`size: [height, width]` in the dataset scales all of them, best to the size of the network's input"
"""What helps where images are of different sizes."""


def pieces(values: Values, most: int | None = None) -> Iterator[np.ndarray]:
    """All samples, some at a time: (n, …) of `PIECE_BYTES`, and no more than `most`. Of an array they are views."""
    each = max(1, values.nbytes // max(1, len(values)))
    size = max(1, PIECE_BYTES // each)
    size = size if most is None else min(size, most)
    for begin in range(0, len(values), size):
        yield values[begin : begin + size]


def mapped(values: Values, function: Callable[[np.ndarray], np.ndarray]) -> Values:
    """A function over samples (n, …): of an array at once, of a column when its samples are read.

    It must do to each sample what it does to it alone. It is pickled with a column, so what it is defined in must not
    import JAX.
    """
    import numpy as np

    if not isinstance(values, Column):
        return function(values)
    tried = function(np.zeros((1, *values.shape[1:]), values.dtype))
    return values.map(function, tried.shape[1:], tried.dtype)


def taken(values: Values, places: np.ndarray) -> Values:
    """The samples at places, or where a mask is set: of a column, another one that reads nothing."""
    return values.take(places) if isinstance(values, Column) else values[places]


def as_array(values: Values) -> np.ndarray:
    """All samples in memory. Raises `DataError`."""
    return values[:] if isinstance(values, Column) else values


def is_lazy(parts: Mapping[str, Values]) -> bool:
    """Whether some values of a split are read when they are asked for."""
    return any(isinstance(values, Column) for values in parts.values())
