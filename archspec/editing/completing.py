"""What may be written where a cursor is: what the language has there, and of that what fits.

The text is mostly no YAML while it is typed, so it is read again with a marker in place of the word at the cursor
(`marking.py`); `grammar.py` says what may stand there, `probing.py` what comes in and whether something is right there,
and the files of `offers/` make the items.

An item's `text` can be put in place of what stands from `start` to `end` as it is. Where it needs a value that nobody
can know, such as a number of filters, it has one that fits. Its `snippet`, where there is one, is the same with such
values as places to fill in, in the syntax of LSP.

Promises, which tests hold: an item makes nothing wrong in the entry or section that it is put in, whose sizes at every
call of the network that is shown count, the shown call first. Whether what comes after still fits is not looked at: who
writes a `flatten` means to go on with vectors. In blocks that the shown network does not call, in files of blocks, and
where what comes in is not known, nothing is known of shapes, and all that the language has is offered.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from pydantic import ValidationError

from archspec.editing.grammar import NOTHING, Slot, kind_or_none, slot_at
from archspec.editing.marking import Marked, find_marked
from archspec.editing.offers import entries, expressions, fields, files, names, values
from archspec.editing.offers.item import Asked, Completion, sorted_items
from archspec.editing.probing import probed
from archspec.kinds import FAMILIES, kind_names
from archspec.loading import without_collection
from archspec.located import locate
from archspec.positions import Position

if TYPE_CHECKING:
    from archspec.editing.analysis import Analysis

__all__ = ["Completion", "completions", "prepare"]


def prepare() -> None:
    """Loads what the first completion would wait for: every kind, and what validates it."""
    for family in FAMILIES:
        for name in kind_names(family):
            kind = kind_or_none(family, name)
            if kind is not None:
                with suppress(ValidationError):
                    kind.model_validate({})


def completions(analysis: Analysis, position: Position, focus: str = "") -> list[Completion]:
    """What may be written at a position of a text, the likeliest first.

    `focus` is the path of the call that is shown of the block that the position is in, the first one if empty. To be
    called with the open texts laid over the disk's files, as they were when the text was read.
    """
    with without_collection():
        for cursor in find_marked(analysis.now.text, position, analysis.now.path):
            slot = slot_at(cursor.steps, into_value=not cursor.is_key)
            if slot is NOTHING or slot.what == "nothing" or not _may_be(cursor, slot):
                continue
            return sorted_items(list(_offered(analysis, cursor, slot, focus)))
    return []


def _may_be(cursor: Marked, slot: Slot) -> bool:
    """Whether what the text would be with a marker may be what is meant: a list where there is to be one, and so on."""
    if cursor.is_key:
        return slot.what not in ("layers", "branches", "files", "base")
    if slot.what in ("sections", "variant", "fields", "layers", "branches", "block", "blocks", "defaults"):
        return False
    return not cursor.dashed or slot.what in ("entry", "names", "files", "kind", "value")


def _offered(analysis: Analysis, cursor: Marked, slot: Slot, focus: str) -> Iterator[Completion]:
    entry_at = None
    for number in range(1, len(cursor.steps) + 1):
        if slot_at(cursor.steps[:number], into_value=True).what == "entry":
            entry_at = number
    if slot.what == "entry" and cursor.is_key:
        entry_at = len(cursor.steps) - 1
    # What is declared without a type takes all that is given to it.
    declared = locate(None, cursor.root.source) if slot.word == "declared" and not cursor.is_key else None
    probe = probed(analysis, cursor, entry_at, focus, declared)
    asked = Asked(analysis, cursor, slot, probe)
    expression = expressions.inside(cursor)
    if expression is not None:
        yield from expressions.words(asked, expression)
    elif slot.what in ("base", "files") or (slot.what == "value" and slot.word == "after"):
        yield from {"base": files.bases, "files": files.imports, "value": files.networks}[slot.what](asked)
    elif slot.what == "names" and not (cursor.is_key and slot.word == "output"):
        yield from _names(asked)
    elif cursor.before or cursor.after:
        return
    elif slot.what == "entry":
        yield from entries.entries(asked)
    elif cursor.is_key:
        asked.complete()
        yield from fields.fields(asked)
    else:
        asked.complete()
        yield from values.values(asked)


def _names(asked: Asked) -> Iterator[Completion]:
    word = asked.slot.word
    if asked.cursor.is_key:
        return
    if word in ("output", "output.from"):
        yield from names.outputs(asked)
        return
    asked.complete()
    yield from names.names(asked)
