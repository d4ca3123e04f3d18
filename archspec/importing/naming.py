"""Names of layers from a file's names: letters, digits and _, with dots between scopes, all different."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from archspec.importing.draft import Entry

MAX_LENGTH = 100
RESERVED = ("input", "previous")
WITH_ARRAYS = (
    *("conv", "depthwise_conv", "transposed_conv", "locally_connected", "dense", "self_attention", "partial_conv"),
    *("batch_norm", "layer_norm", "group_norm", "instance_norm", "prelu", "layer_scale"),
)


def part(text: str) -> str:
    """A name or scope's name with what no name may have replaced."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "_", text[: 4 * MAX_LENGTH]).strip("_") if not text.isidentifier() else text
    plain = re.sub(r"[^A-Za-z0-9_]", "_", plain)[:MAX_LENGTH]
    return f"{plain}_" if plain in RESERVED else plain


def scoped(entry: Entry) -> tuple[str, ...]:
    """The parts of the path that a file's names give an entry; none where it has no name."""
    operation = entry.operation
    words = [*operation.scope, operation.name]
    # Names of files often have the scopes in them, with / or . between.
    parts = [piece for word in words for piece in re.split(r"[/.]+|::", word)]
    return tuple(made for made in map(part, parts) if made)[-12:]


def named(entries: Sequence[Entry], taken: Sequence[str]) -> list[str]:
    """A path for each entry; no path is another's scope. Entries without a name get their kind and a number.

    `taken` are the names of the network's inputs.
    """
    wanted = [scoped(entry) for entry in entries]
    kinds: dict[tuple[str, ...], str] = {}
    for entry, path in zip(entries, wanted, strict=True):
        # What the file has one name for and became several layers names the one with arrays, else the last.
        if kinds.get(path) not in WITH_ARRAYS:
            kinds[path] = entry.kind
    wanted = [path if kinds[path] == entry.kind else () for entry, path in zip(entries, wanted, strict=True)]
    scopes = {path[:depth] for path in wanted for depth in range(1, len(path))}
    used: set[tuple[str, ...]] = {(name,) for name in taken}
    counts: Counter[str] = Counter()
    paths = []
    for entry, path in zip(entries, wanted, strict=True):
        own = path
        if not own:
            own = ("",)
            while own[0] == "" or own in used or own in scopes or own in wanted:
                counts[entry.kind] += 1
                own = (f"{entry.kind}{counts[entry.kind]}",)
        elif own in scopes or own in used:
            again = 1 if own in scopes else 2
            end = own[-1]
            while own in scopes or own in used or (own != path and own in wanted):
                own = (*own[:-1], f"{end}_{entry.kind}" if again == 1 else f"{end}_{again}")
                again += 1
        used.add(own)
        paths.append(".".join(own))
    return paths
