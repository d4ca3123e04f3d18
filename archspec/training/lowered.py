"""How a run's operations are computed: its folder has the choices, so that it goes on with the bits that it began with.

lowerings.json has the device, the compiler options, and the candidates of every case that programs had until the last
checkpoint. It is written before a checkpoint is, so whatever is gone on with has been recorded.
"""

from __future__ import annotations

import json
from typing import Any

from archspec.lowerings.case import DIRECTIONS
from archspec.lowerings.choosing import Choice, Lowerings, Mode, of_new_run, tuned_for
from archspec.lowerings.device import Device, this_device
from archspec.lowerings.plain import choices_of, choices_to_plain
from archspec.peers import ALONE, Peers
from archspec.runs.folder import LOWERINGS, RunFolder, read_object
from archspec.writing import write


class Lowered:
    """The lowerings of a run in its folder.

    `notes` say where those of its beginning cannot be taken: on another device or with another jaxlib, where the file
    is lost, and where a candidate is no more.
    """

    def __init__(self, folder: RunFolder, mode: Mode, begun: bool, peers: Peers = ALONE) -> None:
        """`begun` is whether there are checkpoints, whose steps were computed in the way recorded. Processes that
        compute together all take what process 0 reads."""
        self.folder = folder
        self.notes: list[str] = []
        self._written = -1
        self.lowerings = of_new_run(mode)
        if mode == "library" or not begun:
            return
        device, path = this_device(), folder.path / LOWERINGS
        try:
            found = peers.chosen("lowerings", lambda: read_object(path))
            was, options, choices = _device_of(found["device"]), found["options"], choices_of(found["choices"])
            if not isinstance(options, dict):
                raise ValueError("no options")
        except (KeyError, TypeError, ValueError):
            self.notes.append(f"{path} is lost or damaged: how operations are computed is chosen anew")
            return
        # Whether oneDNN is called is the recorded options' matter.
        if was._replace(onednn=device.onednn) != device:
            self.notes.append(
                f"the run began on {was.said}: how operations are computed is chosen anew for {device.said}"
            )
            return
        self.lowerings = Lowerings(was, choices, tuned_for(was), options)
        lost = sum(
            getattr(choice, direction) != self.lowerings.why(case, direction).candidate
            for case, choice in choices.items()
            for direction in DIRECTIONS
        )
        if lost:
            self.notes.append(f"{lost} of the run's lowerings are in this archspec no more; the library computes these")

    def keep(self) -> None:
        """Writes what was chosen so far, where that is more than was written."""
        # A copy: programs that are compiled ahead are traced in another thread.
        device, taken = self.lowerings.device, dict(self.lowerings.taken)
        if device is None or len(taken) == self._written:
            return
        choices: dict[Any, Choice] = {**self.lowerings.given, **taken}
        record = {
            "device": {**device._asdict(), "jaxlib": list(device.jaxlib)},
            "options": self.lowerings.options,
            "choices": choices_to_plain(choices),
        }
        write(self.folder.path / LOWERINGS, json.dumps(record) + "\n")
        self._written = len(taken)


def _device_of(plain: Any) -> Device:
    """The device that plain data say. Raises `ValueError`, `KeyError` or `TypeError` where they say none."""
    device = Device(**{**plain, "jaxlib": tuple(plain["jaxlib"])})
    if not all(type(part) is int for part in device.jaxlib) or not isinstance(device.backend, str):
        raise ValueError("no device")
    return device
