"""How samples of files are read: into memory, or when they are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from archspec.data._columns import Column, Source, UnlikeError, Values, pieces
from archspec.data._files import check_alike, holdout, picked, strata
from archspec.data._split import Listed, Split
from archspec.diagnostics import DataError, count
from archspec.images.files import Unread, pixels_of, unreadable
from archspec.images.limits import check_memory, machine_memory

if TYPE_CHECKING:
    import numpy as np

    from archspec.images.preparation import Preparation

SHARE = 4
"""Samples that would take more than one such part of the machine's memory are streamed."""


_listener: ContextVar[Callable[[Sequence[Split]], None] | None] = ContextVar("listener", default=None)


@contextmanager
def told_of_parts(listener: Callable[[Sequence[Split]], None]) -> Iterator[None]:
    """Meanwhile, `listener` is given the parts of a dataset whose samples are about to be read into memory."""
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)


class Reading(NamedTuple):
    """Whether samples are read into memory, and how many processes read what is not; None for one for each core."""

    stream: Literal["auto", "always", "never"] = "auto"
    workers: int | None = None

    def streams(self, size: int) -> bool:
        """Whether samples of so many bytes are read when they are asked for."""
        memory = machine_memory()
        return self.stream == "always" or (self.stream == "auto" and memory is not None and size > memory // SHARE)


class ImageFiles:
    """Images of files, as a dataset prepares them: a source of columns.

    All are of the shape of the first that can be read, which is read for it. Raises `DataError` where none can be.
    """

    def __init__(self, paths: Sequence[str], grey: bool, preparation: Preparation, where: str) -> None:
        import numpy as np

        self.paths, self.grey, self.preparation, self.where = paths, grey, preparation, where
        self.dtype: np.dtype[Any] = np.dtype(np.uint8)
        self.first, self.shape = first_of(self, "images")

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, place: int, seen: Counter[str]) -> np.ndarray:
        from archspec.images.fitting import prepare

        return prepare(self.original(place, seen), self.preparation)

    def original(self, place: int, seen: Counter[str]) -> np.ndarray:
        """The image (H, W, C) as it lies in its file. Raises `DataError`."""
        return pixels_of(None, self.paths[place], "L" if self.grey else "RGB", seen)

    def name(self, place: int) -> str:
        return self.paths[place]

    def notes(self, seen: Counter[str]) -> list[str]:
        from archspec.images.files import Images

        return Images([], seen).notes(self.where)


class First(NamedTuple):
    """The first sample of a source that can be read: its place, and its shape, which all others have too."""

    place: int
    shape: tuple[int, ...]


def first_of(source: Source, what: str) -> First:
    """The first sample of a source that can be read. Raises `DataError` of all of them where none can."""
    failed: list[tuple[str, DataError]] = []
    for place in range(len(source)):
        try:
            return First(place, source.read(place, Counter()).shape)
        except DataError as error:
            failed.append((source.name(place), error))
    raise unreadable(failed, len(source), what)


def read_in(
    splits: Sequence[Split], how: Reading, notes: list[str], what: str = "images", left: list[Unread] | None = None
) -> list[Split]:
    """Splits with columns, whose samples are read into memory unless they are streamed, and noted what is to be said.

    Of those that are streamed it is said when all of them are read. Raises one `DataError` that names all samples which
    cannot be read; with `left` they are left out, and added to it. Samples of another size than the first are refused.
    """
    if not any(split.is_streamed for split in splits) or how.streams(sum(split.nbytes for split in splits)):
        return list(splits)
    listener = _listener.get()
    if listener is not None:
        listener(splits)
    counted: dict[int, tuple[Source, Counter[str]]] = {}
    failed: list[tuple[str, DataError]] = []
    unlike: list[UnlikeError] = []
    made = [_in_memory(split, counted, failed, unlike) for split in splits]
    number = sum(map(len, splits))
    if failed and left is None:
        raise unreadable(failed, number, what)
    if unlike:
        more = f"; {len(unlike):,} of {number:,} {what} are not like the first" if len(unlike) > 1 else ""
        raise DataError("E507", unlike[0].message + more, help=unlike[0].help)
    for split, own in zip(splits, made, strict=True):
        if not len(own) and failed:
            of = count(len(split), "file")
            raise DataError("E521", f"none of the {of} of a part can be read", notes=[failed[0][1].message])
    (left if left is not None else []).extend(Unread(name, error.code, error.message) for name, error in failed)
    notes.extend(dict.fromkeys(note for source, seen in counted.values() for note in source.notes(seen)))
    return made


def read_in_parts(
    split: Split, share: float, seed: int, how: Reading, notes: list[str], what: str, left: list[Unread] | None
) -> list[Split]:
    """As `read_in`, of a split of which a share is held out before anything is read.

    So what is left out changes nothing else, and streamed samples are those that would lie in memory.
    """
    try:
        parts = holdout(split, share, seed)
    except DataError:
        read_in([split], how, notes, what, left)  # what cannot be read is told first
        raise
    return read_in(parts, how, notes, what, left)


class Held(Protocol):
    """What a dataset's fields say of the share that is held out, and of what cannot be read."""

    @property
    def holdout(self) -> float: ...
    @property
    def split_seed(self) -> int: ...
    @property
    def on_error(self) -> Literal["error", "skip"]: ...
    @property
    def how(self) -> Reading: ...


class Parts(NamedTuple):
    """The parts of a dataset, and what was left out of them."""

    splits: list[Split]
    left: tuple[Unread, ...]


def read_as(fields: Held, splits: Sequence[Split], notes: list[str], what: str = "images") -> Parts:
    """Splits as `read_in` reads them; of one alone the share that the fields say is held out.

    Raises `DataError` as that does, and where images of the parts are of different shapes.
    """
    left: list[Unread] | None = [] if fields.on_error == "skip" else None
    if len(splits) == 1:
        made = read_in_parts(splits[0], fields.holdout, fields.split_seed, fields.how, notes, what, left)
    else:
        made = read_in(splits, fields.how, notes, what, left)
    for other in made[1:]:
        check_alike(made[0], other)
    return Parts(made, tuple(left or ()))


def ends_of_masks(split: Split, how: Reading) -> tuple[int, int]:
    """The lowest and the highest label of all masks of a split, which are all read where they are streamed.

    Those that cannot be read are told of later, with the images; where none can be, both are −1.
    """
    from archspec.data._workers import each, workers_for

    (masks,) = split.targets.values()
    if not isinstance(masks, Column):
        ends = [_ends(piece) for piece in pieces(masks)]
    else:
        ends = [read.value for read in each([masks], _ends, workers_for(how.workers)) if read.error is None]
    return min((low for low, _ in ends), default=-1), max((high for _, high in ends), default=-1)


def _ends(masks: np.ndarray) -> tuple[int, int]:
    return int(masks.min()), int(masks.max())


def _in_memory(
    split: Split,
    counted: dict[int, tuple[Source, Counter[str]]],
    failed: list[tuple[str, DataError]],
    unlike: list[UnlikeError],
) -> Split:
    """The split without the samples that cannot be read, which are added to `failed`."""
    import numpy as np

    columns = {
        (part, name): values
        for part, own in (("inputs", split.inputs), ("targets", split.targets))
        for name, values in own.items()
        if isinstance(values, Column)
    }
    number = len(split)
    made: dict[tuple[str, str], np.ndarray] = {}
    seen: dict[tuple[str, str], Counter[str]] = {}
    for key, column in columns.items():
        check_memory(f"{count(number, 'image')} of {'×'.join(map(str, column.shape[1:]))}", column.nbytes)
        made[key] = np.empty(column.shape, column.dtype)
        seen[key] = counted.setdefault(id(column.source), (column.source, Counter()))[1]
    good = np.ones(number, bool)
    for place in range(number):
        try:
            for key, column in columns.items():
                made[key][place] = column.sample(place, seen[key])
        except UnlikeError as error:
            unlike.append(error)
        except DataError as error:
            name = split.names[place] if split.names else next(iter(columns.values())).name(place)
            failed.append((name, error))
            good[place] = False

    def of(part: str, own: Mapping[str, Values]) -> dict[str, Values]:
        return {name: made.get((part, name), values) for name, values in own.items()}

    whole = replace(split, inputs=of("inputs", split.inputs), targets=of("targets", split.targets))
    return whole if good.all() else replace(picked(whole, good), listed=Listed(good, strata(split)))
