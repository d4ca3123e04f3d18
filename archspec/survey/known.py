"""Facts of files that were read before, kept by the files' names, sizes and times."""

from __future__ import annotations

import base64
import json
import os
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from archspec.cache import cache_folder
from archspec.data import Column
from archspec.diagnostics import DataError
from archspec.survey.facts import DIGEST, Bad, Facts, Labels, Moments
from archspec.writing import write

if TYPE_CHECKING:
    import numpy as np

    from archspec.data import Split
    from archspec.survey.reading import Pieces

FORMAT = 1
"""Counts up where what is kept, or how it is found, is another."""
MARGIN = 2.0
"""Seconds in which a file may change again without another time: FAT counts in so many."""


class Known:
    """The facts of a dataset's files. `settings` is all that says how samples are read from them.

    Facts of a piece are found by the names of its files in order, and of each its size, its number on the disk and its
    times of change, of its contents and of anything, which nobody can set; and by the shape and type of what is made of
    them, and what a source says of other files in `settings`. A file that changed within the last two
    seconds is not known: it may change again and have the same times. With `fresh` nothing is found, and all is kept.
    """

    def __init__(self, settings: str, *, fresh: bool = False) -> None:
        self.folder = cache_folder("surveys") / sha256(f"{FORMAT} {settings}".encode()).hexdigest()[:32]
        self.fresh = fresh
        self.begun = time.time()
        self.usable = True

    def keys(self, parts: Mapping[str, Split], pieces: Pieces, numbers: Iterable[int]) -> dict[int, str]:
        """The keys of those of some pieces whose files are all known by name and have not just changed."""
        own = {part: [*_files_of(split)] for part, split in parts.items()}
        made = {}
        for number in numbers:
            part, begin, end = pieces.places[number]
            if own[part] and (key := self._key(own[part], begin, end, pieces[number].inputs)) is not None:
                made[number] = key
        return made

    def _key(self, columns: Iterable[Column], begin: int, end: int, inputs: Mapping[str, np.ndarray]) -> str | None:
        digest = sha256()
        for array in inputs.values():  # what lies in memory is no file's
            digest.update(array.tobytes())
        for column in columns:
            # What is made of a file follows others too: the first image says the size, all masks together the type.
            way = (column.shape[1:], column.dtype.str, column.source.shape, getattr(column.source, "settings", ""))
            digest.update(repr(way).encode())
            for place in range(begin, end):
                name = column.name(place)
                try:
                    own = os.stat(column.file(place))
                except (OSError, ValueError):
                    return None
                if max(own.st_mtime, own.st_ctime) > self.begun - MARGIN:
                    return None
                about = (name, own.st_size, own.st_mtime_ns, own.st_ctime_ns, own.st_ino)
                digest.update(json.dumps(about).encode())
        return digest.hexdigest()

    def facts(self, key: str, length: int) -> Facts | None:
        """What is known under a key, of so many samples."""
        if self.fresh:
            return None
        try:
            facts = from_plain(json.loads((self.folder / f"{key}.json").read_text("utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        whole = len(facts.digests) == facts.count == length
        return facts if whole and all(len(own) == length for own in facts.of_targets.values()) else None

    def keep(self, key: str, facts: Facts) -> None:
        """Writes facts as a whole, or not at all: a cache that cannot be written is none."""
        if not self.usable:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write(self.folder / f"{key}.json", json.dumps(to_plain(facts)))
        except (OSError, DataError):
            self.usable = False

    def tidy(self, keys: Collection[str]) -> None:
        """Deletes facts of files that are not what they were."""
        wanted = {f"{key}.json" for key in keys}
        with suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name not in wanted and entry.is_file():
                    with suppress(OSError):
                        os.unlink(entry.path)


def _files_of(split: Split) -> Iterable[Column]:
    return [values for values in (*split.inputs.values(), *split.targets.values()) if isinstance(values, Column)]


def _packed(digests: Iterable[bytes]) -> str:
    return base64.b64encode(b"".join(digests)).decode()


def _unpacked(text: str) -> list[bytes]:
    data = base64.b64decode(text, validate=True)
    return [data[place : place + DIGEST] for place in range(0, len(data), DIGEST)]


def to_plain(facts: Facts) -> dict[str, Any]:
    """Facts in terms of JSON."""
    return {
        "count": facts.count,
        "digests": _packed(facts.digests),
        "of_targets": {name: _packed(own) for name, own in facts.of_targets.items()},
        "inputs": {name: _plain_moments(own) for name, own in facts.inputs.items()},
        "targets": {
            name: {
                "counts": None if own.counts is None else own.counts.tolist(),
                "uncounted": own.uncounted,
                "largest": [array.tolist() for array in own.largest],
                "values": None if own.values is None else _plain_moments(own.values),
            }
            for name, own in facts.targets.items()
        },
        "files": facts.files,
        "seen": facts.seen,
        "bad": [list(bad) for bad in facts.bad],
    }


def _plain_moments(own: Moments) -> dict[str, Any]:
    arrays = {name: None if array is None else array.tolist() for name, array in vars(own).items() if name in _ARRAYS}
    return {**arrays, "count": own.count, "low": own.low, "high": own.high}


_ARRAYS = ("bins", "mean", "m2")


def _moments(plain: Mapping[str, Any]) -> Moments:
    import numpy as np

    def array(name: str, dtype: type) -> np.ndarray | None:
        return None if plain[name] is None else np.array(plain[name], dtype)

    arrays = array("bins", np.int64), array("mean", np.float64), array("m2", np.float64)
    return Moments(arrays[0], plain["count"], arrays[1], arrays[2], plain["low"], plain["high"])


def _bad(place: int, code: str, name: str, reason: str, help: Sequence[str] = (), unlike: bool = False) -> Bad:
    return Bad(place, code, name, reason, tuple(help), unlike)


def from_plain(plain: Mapping[str, Any]) -> Facts:
    """The facts that `to_plain` wrote."""
    import numpy as np

    targets = {
        name: Labels(
            None if own["counts"] is None else np.array(own["counts"], np.int64),
            own["uncounted"],
            [np.array(array, np.int32) for array in own["largest"]],
            None if own["values"] is None else _moments(own["values"]),
        )
        for name, own in plain["targets"].items()
    }
    return Facts(
        plain["count"],
        _unpacked(plain["digests"]),
        {name: _unpacked(own) for name, own in plain["of_targets"].items()},
        {name: _moments(own) for name, own in plain["inputs"].items()},
        targets,
        Counter(plain["files"]),
        {name: Counter(own) for name, own in plain["seen"].items()},
        # Those that were kept by an earlier version have no such name; of what is kept nothing is bad.
        [_bad(*own) for own in plain.get("bad", ())],
    )
