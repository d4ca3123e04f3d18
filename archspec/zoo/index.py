"""The index of the zoo: the figures of its networks, kept beside the specs, for those whose texts are as they were.

`python -m archspec.catalogue` makes it. A file of the zoo has an entry, with a digest of its text, the names of the
other files that it extends or imports, and a row for each network. An entry holds while all these texts are the same
and the package has the same version. The first line has a digest of the others: an index that was changed by anything
else holds for nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from archspec import __version__

NAME = "index.json"

Row = dict[str, Any]


class Entry(NamedTuple):
    """What the index has of one file."""

    digest: str
    others: tuple[str, ...]
    """Names of the files that it extends or imports, and of those that these do."""
    networks: dict[str, Row]

    @property
    def variants(self) -> list[str]:
        """The networks that are variants of the file."""
        return [name for name, row in self.networks.items() if "#" in row["spec"]]


def digest(path: Path) -> str:
    """SHA-256 of a text. How its lines end makes no difference."""
    return _digest(path.read_bytes().replace(b"\r\n", b"\n"))


def _digest(text: bytes) -> str:
    from hashlib import sha256

    return sha256(text).hexdigest()


def _first_line(others: str) -> str:
    return f'{{"sha256": "{_digest(others.encode())}",'


def entries_that_hold(folder: Path) -> dict[str, Entry]:
    """The entries of files that are as they were when the index was made, by the files' names; none where it is
    damaged, edited, of another version, or not there."""
    try:
        text = (folder / NAME).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    first, _, others = text.partition("\n")
    if first != _first_line(others):
        return {}
    made = json.loads(text)
    if made["archspec"] != __version__:
        return {}
    entries = {
        name: Entry(item["sha256"], tuple(item["others"]), {row["name"]: row for row in item["networks"]})
        for name, item in made["files"].items()
    }
    found = {path.name: digest(path) for path in folder.glob("*.yaml")}
    same = {name for name, entry in entries.items() if found.get(name) == entry.digest}
    return {name: entry for name, entry in entries.items() if {name, *entry.others} <= same}


def index_text(entries: dict[str, Entry]) -> str:
    """The index as text, one network a line."""
    lines = [f'"archspec": {json.dumps(__version__)},', '"made by": "python -m archspec.catalogue",', '"files": {']
    for name, entry in sorted(entries.items()):
        others = json.dumps(entry.others)
        lines.append(f'{json.dumps(name)}: {{"sha256": "{entry.digest}", "others": {others}, "networks": [')
        rows = [json.dumps(row, ensure_ascii=False) for row in entry.networks.values()]
        lines += [row + "," for row in rows[:-1]] + rows[-1:]
        lines.append("]},")
    lines[-1] = lines[-1].removesuffix(",")
    text = "\n".join([*lines, "}", "}"]) + "\n"
    return f"{_first_line(text)}\n{text}"
