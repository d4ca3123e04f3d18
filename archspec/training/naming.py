"""What the classes and the numbers of outputs are called, by the names that a dataset has for its targets."""

from __future__ import annotations

from archspec.data import Data
from archspec.tasks import Head


def value_names(data: Data, head: Head) -> list[str]:
    """What the numbers of an output are called, where they are numbers and have names."""
    if head.task.answer != "numbers" or not head.type.is_vector:
        return []
    target = head.target_among(data.train.targets)
    names = data.columns.get(target, (target,))
    return list(names) if len(names) == head.type.channels else []


def names_of(data: Data, head: Head) -> dict[str, list[str]]:
    """What the classes and the numbers of an output are called, where they have names."""
    classes = () if head.remakes else data.classes.get(head.target_among(data.train.targets), ())
    values = value_names(data, head)
    return {**({"classes": list(classes)} if classes else {}), **({"values": values} if values else {})}
