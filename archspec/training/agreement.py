"""What each process would train is compared before the first step: else they would hang, or train nonsense."""

from __future__ import annotations

import base64
import platform
import zlib
from collections.abc import Mapping
from importlib.metadata import version

from archspec import __version__
from archspec.diagnostics import DataError, listed
from archspec.runs.changes import changes, lines
from archspec.training.star import Message, Star

SPEC = "spec"
"""Under this name facts have the elaborated spec, of which only the settings that differ are said."""
PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
SAID = 12
"""So many mismatches are said before the rest is only counted."""

Facts = Mapping[str, str]


def packed(text: str) -> str:
    """A spec's text, small enough to be sent by each of a thousand processes."""
    return base64.b64encode(zlib.compress(text.encode())).decode()


def versions() -> dict[str, str]:
    """Of what the bits of a step may depend on."""
    own = {"archspec": __version__, "Python": platform.python_version()}
    return own | {name: version(name) for name in PACKAGES}


class Agreement:
    """The facts that processes tell process 0, in stages, and what came of the comparison."""

    def __init__(self, star: Star) -> None:
        self.star = star
        self._facts: dict[str, dict[int, Facts]] = {}
        self._found: dict[str, list[str]] = {}
        star.handlers |= {"facts": self._took, "found": self._heard}

    def agree(self, stage: str, facts: Facts) -> None:
        """Compares facts with those of all others, for which it waits as long as they are there.

        Raises `DataError` (E572) in all processes alike with every mismatch, and `LostError` where one is lost.
        """
        star = self.star
        star.send("facts", stage=stage, facts=dict(facts))
        with star.changed:
            while stage not in self._found and star.lost is None:
                star.changed.wait(0.5)
            found = self._found.get(stage)
        if found is None:
            star.check()
        if found:
            raise DataError(
                "E572",
                "the processes of this run are not alike",
                notes=found[:SAID] + ([f"and {len(found) - SAID} more"] if len(found) > SAID else []),
                help=["start all with the same command and files, in the same environment"],
            )

    def _took(self, sender: int, message: Message) -> None:
        """In process 0: the facts of one; with the last of them all are compared."""
        stage = str(message["stage"])
        facts = self._facts.setdefault(stage, {})
        facts[sender] = message["facts"]
        if len(facts) == self.star.total:
            self.star.tell("found", stage=stage, lines=self.compared(self._facts.pop(stage)))

    def _heard(self, sender: int, message: Message) -> None:
        with self.star.changed:
            self._found[str(message["stage"])] = list(message["lines"])
            self.star.changed.notify_all()

    def compared(self, facts: Mapping[int, Facts]) -> list[str]:
        """Each fact that differs from process 0's, with whose it is and both values."""
        own, found = facts[0], []
        for name in dict.fromkeys(name for each in facts.values() for name in each):
            others: dict[str | None, list[int]] = {}
            for index in sorted(facts):
                if facts[index].get(name) != own.get(name):
                    others.setdefault(facts[index].get(name), []).append(index)
            for value, whose in others.items():
                they = f"{listed((self._said(index) for index in whose), 4)}"
                found += self._differs(name, own.get(name), value, they)
        return found

    def _differs(self, name: str, own: str | None, other: str | None, they: str) -> list[str]:
        first = self._said(0)
        if name == SPEC and own is not None and other is not None:
            texts = [zlib.decompress(base64.b64decode(one)).decode() for one in (own, other)]
            settings = lines(changes(*texts) or []) or ["its text"]
            return [f"spec, {first} → {they}: {setting}" for setting in settings]
        return [f"{name}: {_value(own)} in {first}, {_value(other)} in {they}"]

    def _said(self, index: int) -> str:
        return f"process {index} ({self.star.members[index].host})"


def _value(value: str | None) -> str:
    return "nothing" if value is None else value
