"""Reading every sample of a dataset once, in worker processes: what there is to know before the first step.

Of samples that are read from files anew each time, the facts are kept under XDG_CACHE_HOME/archspec, by the names,
sizes and times of the files, so that a second run on the same files need not read them (`known.py`). Of several
processes that compute together each reads its share of the pieces, and all get the facts of all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from archspec.data import Column, Data, Split, UnlikeError
from archspec.diagnostics import DataError, count, listed
from archspec.images.limits import cores
from archspec.peers import ALONE, Peers
from archspec.survey.facts import DIGEST, Bad, Facts, Labels, Moments, digest
from archspec.survey.known import Known, from_plain, to_plain
from archspec.survey.processes import Ended, over

if TYPE_CHECKING:
    import numpy as np

    from archspec.images.files import Unread
    from archspec.images.fitting import Plan

PIECE = 512
"""Samples that one process reads before it says what they are, and whose facts are kept together; fewer of few."""
FEW = 256
"""So many samples are read sooner than processes start."""
HELD_BYTES = 2**24
"""A process holds about so many bytes of samples at once."""
ANYTHING = "E521"
SKIP = "`on_error: skip` in the dataset leaves out what cannot be read"


class Piece(NamedTuple):
    """Samples of a part, one after another, and those of their inputs that lie in memory."""

    part: str
    begin: int
    end: int
    inputs: dict[str, np.ndarray]


@dataclass(frozen=True)
class Survey:
    """The facts of each part, and how many samples were known from an earlier reading and not read again."""

    parts: dict[str, Facts]
    known: int = 0

    @property
    def bad(self) -> list[tuple[str, Bad]]:
        """The samples that cannot be read, with their parts."""
        return [(part, bad) for part, facts in self.parts.items() for bad in facts.bad]

    @property
    def count(self) -> int:
        return sum(facts.count for facts in self.parts.values())


def survey(
    data: Data,
    *,
    fits: Mapping[str, Plan] | None = None,
    workers: int | None = None,
    most: int | None = None,
    known: Known | None = None,
    about: bool = False,
    told: Callable[[int, int], None] | None = None,
    peers: Peers = ALONE,
) -> Survey:
    """Reads each sample once. What cannot be read is among the facts; nothing is raised for it.

    `fits` has how images of an input come to the network's size, for the pixels' mean and deviation. With `about`,
    files are asked for their size, mode and format. `told` is called with how many samples are done, and of how many.
    Of many samples as many processes as there are cores read each its share, but no more than `most`, or one where that
    is 0: not this process, which a damaged file may end. `workers` says how many in any case. All `peers` must ask for
    the same, and each reads one piece in as many as they are; `told` is of its own.
    """
    parts = dict(data.parts)
    reader = Reader(parts, fits or {}, about)
    pieces = Pieces(parts)
    found: dict[int, Facts] = {}
    share = range(peers.index, len(pieces), peers.count)
    total = sum(map(pieces.length, share))
    done = from_before = 0
    keys = known.keys(parts, pieces, share) if known else {}
    for number, key in keys.items():
        assert known is not None
        facts = known.facts(key, pieces.length(number))
        if facts is not None:
            found[number] = facts
            from_before += facts.count
    done += from_before
    left = [number for number in share if number not in found]
    lazy = any(split.is_streamed for split in parts.values())
    if workers is None:
        workers = cores() if lazy and total - done > FEW else 0
        workers = workers if most is None else min(workers, max(1, most))
    if told:
        told(done, total)
    for place, made in over(reader, Chosen(pieces, left), workers):
        number = left[place]
        facts = reader.one_by_one(pieces[number]) if isinstance(made, Ended) else made
        found[number] = facts
        if known and number in keys and not facts.bad:
            known.keep(keys[number], facts)
        done += facts.count
        if told:
            told(done, total)
    for index, theirs in enumerate(_of_peers(peers, found, keys, from_before)):
        if index != peers.index:
            found |= {int(number): from_plain(facts) for number, facts in theirs["facts"].items()}
            keys |= {int(number): key for number, key in theirs["keys"].items()}
            from_before += theirs["known"]
    if known:
        known.tidy(keys.values())
    whole = {part: Facts(0) for part in parts}
    for number in range(len(pieces)):
        whole[pieces.part(number)].add(found.pop(number))
    for part, split in parts.items():
        _add_labels(whole[part], split, data)
    return Survey(whole, from_before)


def _of_peers(peers: Peers, found: Mapping[int, Facts], keys: Mapping[int, str], known: int) -> list[Any]:
    """What each of several processes found, in terms of JSON."""
    if peers.count == 1:
        return []
    facts = {number: to_plain(own) for number, own in found.items()}
    return peers.gathered("survey", {"facts": facts, "keys": keys, "known": known})


class Pieces(Sequence[Piece]):
    """The parts in pieces, made when they are asked for. How long pieces are depends on the parts' lengths alone."""

    def __init__(self, parts: Mapping[str, Split]) -> None:
        self.parts = parts
        self.places = [
            (part, begin, min(begin + size, len(split)))
            for part, split in parts.items()
            for size in [min(PIECE, max(16, len(split) // 64))]
            for begin in range(0, len(split), size)
        ]

    def __len__(self) -> int:
        return len(self.places)

    def part(self, number: int) -> str:
        return self.places[number][0]

    def length(self, number: int) -> int:
        _, begin, end = self.places[number]
        return end - begin

    @overload
    def __getitem__(self, number: int) -> Piece: ...
    @overload
    def __getitem__(self, number: slice) -> list[Piece]: ...
    def __getitem__(self, number: int | slice) -> Piece | list[Piece]:
        if isinstance(number, slice):
            return [self[own] for own in range(*number.indices(len(self)))]
        part, begin, end = self.places[number]
        values = self.parts[part].inputs
        return Piece(
            part, begin, end, {name: own[begin:end] for name, own in values.items() if not isinstance(own, Column)}
        )


class Chosen(Sequence[Piece]):
    """Some of the pieces."""

    def __init__(self, pieces: Pieces, numbers: Sequence[int]) -> None:
        self.pieces, self.numbers = pieces, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, number: int) -> Piece: ...
    @overload
    def __getitem__(self, number: slice) -> list[Piece]: ...
    def __getitem__(self, number: int | slice) -> Piece | list[Piece]:
        if isinstance(number, slice):
            return [self.pieces[own] for own in self.numbers[number]]
        return self.pieces[self.numbers[number]]


class Columns(NamedTuple):
    """What of a part is read from files; what lies in memory comes with each piece."""

    inputs: dict[str, Column]
    targets: dict[str, Column]
    order: tuple[str, ...]
    files: tuple[str, ...]


class Reader:
    """Reads a piece's samples. It is pickled for worker processes, and what it imports does not import JAX."""

    def __init__(self, parts: Mapping[str, Split], fits: Mapping[str, Plan], about: bool) -> None:
        self.fits, self.about = dict(fits), about
        self.parts = {part: _columns(split) for part, split in parts.items()}

    def __call__(self, piece: Piece) -> Facts:
        own = self.parts[piece.part]
        sizes = [column.nbytes // max(1, len(column)) for column in own.inputs.values()]
        step = max(1, HELD_BYTES // max(1, sum(sizes)))
        facts = Facts(0)
        for begin in range(piece.begin, piece.end, step):
            facts.add(self._read(piece, begin, min(begin + step, piece.end)))
        return facts

    def one_by_one(self, piece: Piece) -> Facts:
        """The facts of a piece at which a process ended, each sample in a process of its own: so it is known which."""
        alone = [
            Piece(piece.part, place, place + 1, {name: array[at : at + 1] for name, array in piece.inputs.items()})
            for at, place in enumerate(range(piece.begin, piece.end))
        ]
        found: dict[int, Facts] = {}
        for number, made in over(self, alone, 1):
            found[number] = self._lost(alone[number], made) if isinstance(made, Ended) else made
        whole = Facts(0)
        for number in range(len(alone)):
            whole.add(found[number])
        return whole

    def _lost(self, piece: Piece, ended: Ended) -> Facts:
        name = self._name(piece.part, piece.begin)
        facts = Facts(1, [bytes(DIGEST)], {target: [bytes(DIGEST)] for target in self.parts[piece.part].targets})
        facts.bad.append(Bad(0, ANYTHING, name, f"{name} cannot be read: the process that tried {ended.how}"))
        return facts

    def _name(self, part: str, place: int) -> str:
        own = self.parts[part]
        if own.files:
            return own.files[place]
        columns = (*own.inputs.values(), *own.targets.values())
        return columns[0].name(place) if columns else f"sample {place} {part}"

    def _read(self, piece: Piece, begin: int, end: int) -> Facts:
        import numpy as np

        own = self.parts[piece.part]
        facts = Facts(end - begin)
        kept: dict[str, list[np.ndarray]] = {name: [] for name in own.inputs}
        wanted: dict[str, list[np.ndarray]] = {name: [] for name in own.targets}
        good: list[int] = []
        for place in range(begin, end):
            seen: dict[str, Counter[str]] = {}
            try:
                inputs = {name: own.inputs[name].sample(place, seen.setdefault(name, Counter())) for name in own.inputs}
                targets = {
                    name: column.sample(place, seen.setdefault(name, Counter())) for name, column in own.targets.items()
                }
            except DataError as error:
                name, unlike = self._name(piece.part, place), isinstance(error, UnlikeError)
                facts.bad.append(Bad(place - begin, error.code, name, error.message, error.help, unlike))
            except Exception as error:  # of a source's own code, or of a decoder's that nobody foresaw
                name = self._name(piece.part, place)
                reason = str(error).partition("\n")[0][:200] or type(error).__name__
                facts.bad.append(Bad(place - begin, ANYTHING, name, f"{name} cannot be read: {reason}"))
            else:
                good.append(place)
                for name, array in inputs.items():
                    kept[name].append(array)
                for name, array in targets.items():
                    wanted[name].append(array)
                for name, counter in seen.items():
                    facts.seen.setdefault(name, Counter()).update(counter)
        if self.about and own.files:
            from archspec.images.files import described

            texts = (described(own.files[place]) for place in good)
            facts.files.update(text for text in texts if text != "unknown")
        rows = np.array(good, np.int64) - piece.begin
        arrays: dict[str, np.ndarray | None] = {
            name: np.stack(kept[name]) if name in kept and good else None for name in own.order
        }
        for name in own.order:
            if name in piece.inputs:
                arrays[name] = piece.inputs[name][rows]
        numbers = {place: row for row, place in enumerate(good)}
        samples = [array for array in arrays.values() if array is not None]
        for place in range(begin, end):
            row = numbers.get(place)
            facts.digests.append(bytes(DIGEST) if row is None else digest([array[row] for array in samples]))
        for name, several in wanted.items():
            facts.of_targets[name] = [
                bytes(DIGEST) if (row := numbers.get(place)) is None else digest([several[row]])
                for place in range(begin, end)
            ]
        for name, own_array in arrays.items():
            if own_array is not None and len(own_array):
                facts.inputs[name] = Moments.of(self._fitted(name, own_array))
        for name, several in wanted.items():
            stack = (
                np.stack(several) if several else np.zeros((0, *own.targets[name].shape[1:]), own.targets[name].dtype)
            )
            labels = Labels.of(stack)
            labels.largest = [_spread(largest, rows - (begin - piece.begin), end - begin) for largest in labels.largest]
            facts.targets[name] = labels
        return facts

    def _fitted(self, name: str, images: np.ndarray) -> np.ndarray:
        from archspec.images.fitting import Bordered, fitted_images

        way = self.fits.get(name)
        if way is None or images.ndim != 4:
            return images
        return fitted_images(
            images, way._replace(steps=tuple(step for step in way.steps if not isinstance(step, Bordered)))
        )


def _columns(split: Split) -> Columns:
    inputs, targets = (
        {name: values for name, values in own.items() if isinstance(values, Column)}
        for own in (split.inputs, split.targets)
    )
    files = split.names if split.names and any(values.ndim == 4 for values in split.inputs.values()) else ()
    return Columns(inputs, targets, tuple(split.inputs), files)


def _spread(values: np.ndarray, rows: np.ndarray, length: int) -> np.ndarray:
    """Values at rows of so many, −1 at the others."""
    import numpy as np

    made = np.full(length, -1, values.dtype)
    made[rows] = values
    return made


def _add_labels(facts: Facts, split: Split, data: Data) -> None:
    """Adds the labels of the targets that lie in memory, of those samples that can be read."""
    import numpy as np

    good = np.ones(len(split), bool)
    good[[bad.place for bad in facts.bad]] = False
    for name, values in split.targets.items():
        if not isinstance(values, Column):
            several = values.ndim == 2 and name not in data.positions and name in data.classes
            own = facts.targets.setdefault(name, Labels())
            for begin in range(0, len(values), PIECE):
                own.add(Labels.of(values[begin : begin + PIECE][good[begin : begin + PIECE]], several=several))


def unreadable(bad: Sequence[Bad | Unread], of: int, *, can_skip: bool) -> DataError:
    """One error of the samples, of so many, that cannot be read or used, or are of another size than the others."""
    told = [item for item in bad if not getattr(item, "unlike", False)]
    if not told:
        first = bad[0]
        more = f"; {len(bad):,} of {count(of, 'sample')} are of another size" if len(bad) > 1 else ""
        return DataError(first.code, first.reason + more, help=getattr(first, "help", ()))
    first = told[0]
    own = getattr(first, "help", ()) or ["download them again, or take them out of the folder"]
    help = [*own, *([SKIP] if can_skip else [])]
    if len(told) == 1:
        return DataError(first.code, first.reason, help=help)
    return DataError(
        first.code,
        f"{len(told):,} of {count(of, 'sample')} cannot be read: {listed([item.name for item in told], 20)}",
        notes=[item.reason for item in told[:10]],
        help=[*help, *(["`archspec data check` lists all of them"] if len(told) > 20 else [])],
    )


def without(data: Data, found: Survey) -> Data:
    """The data without the samples that cannot be read. Raises `DataError` where a part has no others."""
    import numpy as np

    from archspec.data import picked
    from archspec.images.files import Unread

    splits = []
    for part, split in data.parts.items():
        facts = found.parts[part]
        good = np.ones(len(split), bool)
        good[[bad.place for bad in facts.bad]] = False
        if not good.any():
            raise DataError(
                facts.bad[0].code,
                f"no sample of {data.name} {data.said(part)} can be read",
                notes=[facts.bad[0].reason],
            )
        made = split if good.all() else picked(split, good)
        made.__dict__["digests"] = [key for key, own in zip(facts.digests, good, strict=True) if own]
        if all(name in facts.of_targets for name, values in split.targets.items() if values.ndim > 2):
            made.__dict__["map_digests"] = {
                name: [key for key, own in zip(keys, good, strict=True) if own]
                for name, keys in facts.of_targets.items()
            }
        splits.append(made)
    left = tuple(Unread(bad.name, bad.code, bad.reason) for _, bad in found.bad)
    return data.with_parts(splits, left=(*data.left, *left))
