"""Members of shards: which belong to a sample by their names, and their bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from archspec.data._tars import Member, members_of
from archspec.diagnostics import DataError, count


class Found(NamedTuple):
    """The members of a sample by their endings, and where they lie."""

    shard: int
    key: str
    members: dict[str, Member]


@dataclass
class Shards:
    """The samples of a part, of all its shards in order."""

    paths: list[Path]
    samples: list[Found] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        hidden = bare = apart = 0
        everywhere: Counter[str] = Counter()
        for number, path in enumerate(self.paths):
            own: dict[str, dict[str, Member]] = {}
            made = members_of(path)
            self.notes.extend(made.notes)
            last = ""
            for member in made.files:
                key, ending = parted(member.name)
                base = key.rpartition("/")[2]
                if not ending or not base:
                    hidden += not base
                    bare += bool(base)
                    continue
                here = own.setdefault(key, {})
                if ending in here:
                    raise DataError(
                        "E507",
                        f"{path} has two members {member.name}, so it is not known which one is meant",
                        help=["write the shard again with a key of its own for each sample"],
                    )
                apart += bool(here) and key != last
                last = key
                here[ending] = member
            everywhere.update(list(own))
            self.samples.extend(Found(number, key, members) for key, members in own.items())
        again = sum(number > 1 for number in everywhere.values())
        if again:
            self.notes.append(
                f"{count(again, 'key')} of {self.name} {'is' if again == 1 else 'are'} in several shards, each of "
                "which has a sample of its own of it"
            )
        if apart:
            self.notes.append(
                f"{count(apart, 'member')} of {self.name} {'does' if apart == 1 else 'do'} not lie beside the others "
                "of the key; readers that go through shards in order take them for samples of their own"
            )
        for number, what in ((hidden, "names that begin with a point"), (bare, "names without an ending")):
            if number:
                self.notes.append(f"{count(number, 'member')} of {self.name} with {what} passed over")

    @property
    def name(self) -> str:
        first = self.paths[0].name
        return first if len(self.paths) == 1 else f"{first} and {count(len(self.paths) - 1, 'more shard')}"

    @property
    def endings(self) -> Counter[str]:
        return Counter(ending for sample in self.samples for ending in sample.members)

    def mended(self, image: Sequence[str], target: str) -> None:
        """Puts together samples whose keys have points in them: `cat 2.0.jpg` and `cat 2.0.cls`.

        By the rule their endings would be 0.jpg and 0.cls. They are taken so where both members are there that way.
        """
        fits = (*image, target)
        made: list[Found] = []
        changed = 0
        for sample in self.samples:
            rest: dict[str, Member] = {}
            inner: dict[str, dict[str, Member]] = {}
            for ending, member in sample.members.items():
                own = next((wanted for wanted in fits if ending.endswith("." + wanted)), None)
                if ending in fits or own is None:
                    rest[ending] = member
                else:
                    inner.setdefault(ending.removesuffix("." + own), {})[own] = member
            whole = {key: own for key, own in inner.items() if target in own and any(ending in own for ending in image)}
            if not whole:
                made.append(sample)
                continue
            changed += len(whole)
            if any(ending in rest for ending in fits):
                made.append(sample._replace(members=rest))
            # What lacks an image or a label is a sample too, unless it is more of one, as 2.0.seg.png is of 2.0.png.
            kept = [key for key in inner if key in whole or not any(key.startswith(f"{own}.") for own in whole)]
            made.extend(Found(sample.shard, f"{sample.key}.{key}", inner[key]) for key in kept)
        if changed:
            self.samples = made
            self.notes.append(
                f"{count(changed, 'sample')} of {self.name} {'has' if changed == 1 else 'have'} points in the key, "
                "which other readers take for the beginning of the ending"
            )


def parted(name: str) -> tuple[str, str]:
    """The key and the ending of a member's name, without the ./ that tar may put before it."""
    folder, slash, base = name.removeprefix("./").rpartition("/")
    stem, _, ending = base.partition(".")
    return f"{folder}{slash}{stem}", ending.lower()


class TarFiles:
    """Members of tar files: the shards' paths, and of each sample which shard, where and how long."""

    def __init__(self, shards: Shards, kept: Sequence[Found], members: Sequence[Member]) -> None:
        self.paths = [str(path) for path in shards.paths]
        self.where = shards.name
        self.shards = np.array([sample.shard for sample in kept], np.int32)
        self.offsets = np.array([member.offset for member in members], np.int64)
        self.sizes = np.array([member.size for member in members], np.int64)
        self.names = [member.name for member in members]

    def __len__(self) -> int:
        return len(self.names)

    def name(self, place: int) -> str:
        """The shard and the member, as `train-000.tar:0001.jpg`."""
        return f"{self.paths[self.shards[place]]}:{self.names[place]}"

    def file(self, place: int) -> str:
        """The shard."""
        return self.paths[int(self.shards[place])]

    def blob(self, place: int) -> bytes:
        """A member's bytes. Raises `DataError`."""
        with self._opened(place) as file:
            return self._read(file, place)

    def all_blobs(self) -> Iterator[bytes]:
        """Those of all members in order, with each shard opened once. Raises `DataError`."""
        for first, last in pairwise([*np.flatnonzero(np.diff(self.shards, prepend=-1)), len(self)]):
            with self._opened(first) as file:
                for place in range(first, last):
                    yield self._read(file, place)

    def _opened(self, place: int) -> IO[bytes]:
        path = self.paths[self.shards[place]]
        try:
            return open(path, "rb", buffering=0)
        except OSError as error:
            raise DataError("E506", f"{path} cannot be read: {error.strerror or error}") from None

    def _read(self, file: IO[bytes], place: int) -> bytes:
        size = int(self.sizes[place])
        try:
            file.seek(int(self.offsets[place]))
            data = file.read(size)
        except OSError as error:
            raise DataError("E506", f"{self.name(place)} cannot be read: {error.strerror or error}") from None
        if data is None or len(data) < size:
            raise DataError("E506", f"{self.name(place)} is cut short: the shard has changed since it was listed")
        return data
