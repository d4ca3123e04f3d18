"""Names in source code: of classes and of what stands in them."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection

from archspec.exporting.source.classes import Class
from archspec.graph import Graph


def class_names(classes: list[Class], graph: Graph, reserved: Collection[str]) -> None:
    """Gives each class a name of its own: its kind's, where the branches of a block are several also theirs."""
    taken = set(reserved)
    network = classes[-1]
    network.name = _free(network_name(graph), taken)
    taken.add(network.name)
    kinds: dict[str, list[Class]] = {}
    for own in classes[:-1]:
        kinds.setdefault(own.kind, []).append(own)
    for kind, alike in kinds.items():
        for own in alike:
            names = {path.rpartition(".")[2] for path in own.paths}
            stem, _, last = kind.rpartition("_")
            plain = kind
            if last == "branch" and len(names) == 1:
                plain = f"{stem}_{next(iter(names))}" if stem else next(iter(names))
            own.name = _free(camel(plain) if own.has_modules else snake(plain), taken)
            taken.add(own.name)


def network_name(graph: Graph) -> str:
    """The network's class: as its title writes it, where that begins with its name."""
    name = graph.variant or graph.name
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    title = ""
    for sign in graph.title:
        if sign.isalnum() and sign.isascii():
            title += sign
        if title.lower() == plain:
            return title if title[0].isalpha() else f"Network{title}"
    return camel(name)


def camel(name: str) -> str:
    """`basic_block` as `BasicBlock`."""
    made = "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", name))
    return made if made[:1].isalpha() else f"Network{made}"


def snake(name: str) -> str:
    """A name for a function."""
    made = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").lower()
    return made if made[:1].isalpha() else f"network_{made}"


def variable(name: str) -> str:
    """`BasicBlock` as `basic_block`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _free(name: str, taken: Collection[str]) -> str:
    """A name that is not taken: itself, or with a number."""
    number, found = 2, name
    while found in taken or keyword.iskeyword(found):
        found, number = f"{name}{number}", number + 1
    return found


def attribute(name: str, taken: Collection[str] = ()) -> str:
    """The attribute for a name of the spec's: itself, or with `_` behind it where Python or the base class has it."""
    return f"{name}_" if keyword.iskeyword(name) or name in taken or name.startswith("__") else name
