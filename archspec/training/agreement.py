"""What each process would train is compared before the first step: else they would hang, or train nonsense."""

from __future__ import annotations

import base64
import platform
import time
import zlib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from archspec import __version__
from archspec.diagnostics import DataError, listed
from archspec.peers import Peers
from archspec.runs.changes import changes, lines
from archspec.runs.owner import marker_of
from archspec.training.star import Message, Star

if TYPE_CHECKING:
    from archspec.data import Data
    from archspec.spec.train import Train

SPEC = "spec"
"""Under this name facts have the elaborated spec, of which only the settings that differ are said."""
PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
SHOWN = 30.0
"""Seconds after which a file that another host wrote is to be seen."""
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


def facts_of(digest: str, data: Data, recipe: Train) -> dict[str, str]:
    """Of the data as they were read, and of the devices that each process has."""
    import jax

    devices = jax.local_devices()
    kind = f"{devices[0].platform} {devices[0].device_kind}"
    return {
        "data": digest[:16],
        "samples": listed(f"{len(split):,} of the {part} part" for part, split in data.parts.items()),
        "devices": f"{len(devices)} × {kind}",
        "mesh": recipe.mesh.mesh.said if recipe.mesh is not None else "none",
        "batch size": f"{recipe.samples}",
    }


def seen(folder: Path, peers: Peers) -> str:
    """What this process sees of the run folder, which all have to share: the marker that process 0 wrote there.

    A file system of a network may show it later.
    """
    written = peers.chosen("marker", lambda: marker_of(folder))
    end = time.monotonic() + SHOWN
    while (there := marker_of(folder)) != written and time.monotonic() < end:
        time.sleep(0.2)
    shared = f"{folder}, as process 0 wrote it"
    return shared if there == written else f"{folder} without what process 0 wrote there: it is not shared"


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
