"""What a spec may extend and import, and the networks it may come after: the zoo's, files beside it, variants."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from archspec.diagnostics import Findings
from archspec.editing.offers.item import Asked, Completion
from archspec.source import is_file
from archspec.spec.document import open_document
from archspec.spec.files import ENDINGS, is_library, is_ours
from archspec.zoo import zoo_files, zoo_index, zoo_networks, zoo_variants

MAX_FILES = 200
MAX_READ = 200_000
"""Bytes of a file that is looked into to tell whether it is a spec."""


def bases(asked: Asked) -> Iterator[Completion]:
    """What `extends` may name: another variant, a file and a variant of it, a network of the zoo."""
    path, mark, _ = asked.cursor.before.partition("#")
    own = asked.analysis.now.path
    document = asked.probe.document
    if mark:
        yield from _variants_of(asked, path)
        return
    here = str(asked.cursor.steps[1].key) if asked.slot.word == "variant" else None
    if here is not None and document is not None:
        for name in document.variants:
            if name != here and not _leads_to(document.variants, name, here):
                yield asked.item(name, "variant", name, detail="variant of this file", whole=True)
    yield from _files(asked, own, libraries=False)
    networks = zoo_networks()
    usable = set(others(asked, {file for file, _ in networks.values()}))
    for name, (file, _) in networks.items():
        if file in usable:
            yield asked.item(name, "name", name, detail=f"zoo, {file.stem}", rank=2, whole=True)


def others(asked: Asked, files: Iterable[Path]) -> list[Path]:
    """The zoo's files but for this one and those that begin with it themselves."""
    own = asked.analysis.now.path
    index = zoo_index()
    return [
        file for file in files if file != own and (file.name not in index or own.name not in index[file.name].others)
    ]


def _leads_to(variants: object, name: str, end: str) -> bool:
    """Whether a variant extends another one, itself or through others."""
    seen: set[str] = set()
    while name not in seen:
        seen.add(name)
        node = variants.get(name) if isinstance(variants, dict) else None
        base = node.plain.get("extends") if node is not None and isinstance(node.plain, dict) else None
        if not isinstance(base, str):
            return False
        name = base.partition("?")[0]
        if name == end:
            return True
    return False


def _variants_of(asked: Asked, path: str) -> Iterator[Completion]:
    """Variants of a file, behind its `#`."""
    file = asked.analysis.now.path.parent / os.path.expanduser(path)
    if not is_file(file):
        found = zoo_variants().get(path)
        if found is None:
            return
        file = found[0]
    if file == asked.analysis.now.path:
        return
    document = open_document(file, Findings())
    for name in document.variants if document is not None else ():
        yield asked.item(f"{path}#{name}", "variant", f"{path}#{name}", detail=file.name, whole=True)


def _files(asked: Asked, own: Path, *, libraries: bool) -> Iterator[Completion]:
    """Specs beside this one, in the folder that is typed."""
    typed = asked.cursor.before
    folder = typed.rpartition("/")[0]
    where = own.parent / os.path.expanduser(folder)
    try:
        names = sorted(os.listdir(where))[:MAX_FILES]
    except (OSError, ValueError):
        return
    for name in names:
        file = where / name
        text = f"{folder}/{name}" if folder else name
        if name.startswith(".") or " " in name or file == own:
            continue
        if name.endswith(ENDINGS) and _is_spec(file, own.name, libraries):
            yield asked.item(text, "file", text, detail="file", rank=1, whole=True)


def _is_spec(file: Path, own: str, libraries: bool) -> bool:
    """Whether a file can be extended or, of `libraries`, imported: it must not begin with this one itself."""
    try:
        with file.open(encoding="utf-8") as opened:
            text = opened.read(MAX_READ)
    except (OSError, ValueError):
        return False
    if re.search(rf"^\s*(?:extends|import)\s*:.*\b{re.escape(own)}", text, re.MULTILINE):
        return False
    return is_ours(text) and (is_library(text) == libraries or (libraries and "\nblocks:" in text))


def imports(asked: Asked) -> Iterator[Completion]:
    """Files of blocks beside this one, and families of the zoo."""
    yield from _files(asked, asked.analysis.now.path, libraries=True)
    for file in others(asked, zoo_files()):
        yield asked.item(file.stem, "name", file.stem, detail="family of the zoo", rank=2, whole=True)


def networks(asked: Asked) -> Iterator[Completion]:
    """Networks that one may come after."""
    for name, (file, _) in zoo_networks().items():
        yield asked.item(name, "name", name, detail=f"zoo, {file.stem}", whole=True)
