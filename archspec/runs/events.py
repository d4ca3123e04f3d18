"""TensorBoard's files of a run: the figures of metrics.jsonl and times.jsonl, made again of these where they differ."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from archspec.runs.folder import EVENTS

_HEAD = struct.Struct("<QI")
"""A record begins with its length and a checksum of that, and ends with a checksum of four bytes."""


class Events:
    """The files in a folder, to which records are added, by their steps.

    `records` are those until now; `remade` says whether the files had to be made again from them, because
    a killed process had not written all of theirs, or some twice.
    """

    def __init__(self, path: Path, records: Sequence[dict[str, Any]], classes: Sequence[str]) -> None:
        self.path = path
        self.classes = classes
        self._writer: Any = None
        wanted = [(tag, record["step"], value) for record in records for tag, value in scalars(record, classes)]
        held, whole = _read(path)
        self.remade = not whole or sorted(item[:3] for item in held) != sorted(
            (tag, step, float(np.float32(value))) for tag, step, value in wanted
        )
        if self.remade:
            times = {(tag, step): moment for tag, step, _, moment in held}
            for file in _files(path):
                file.unlink()
            for record in records:
                self._write(record, times)

    def add(self, record: dict[str, Any]) -> None:
        """Adds a record's figures; they are in the file when this returns."""
        self._write(record, {})

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _write(self, record: dict[str, Any], times: dict[tuple[str, int], float]) -> None:
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.summary_pb2 import Summary

        if self._writer is None:
            self.path.mkdir(parents=True, exist_ok=True)
            # The library names files by the second, and writes over one of the same name.
            self._writer = EventsWriter(str(self.path / "events"), f".{time.time_ns()}")
        for tag, value in scalars(record, self.classes):
            moment = times.get((tag, record["step"]), time.time())
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
            self._writer.write_event(Event(wall_time=moment, step=record["step"], summary=summary))
        self._writer.flush()


def scalars(record: dict[str, Any], classes: Sequence[str]) -> Iterator[tuple[str, float]]:
    """The figures of a record by TensorBoard's names. What a figure has for each class is named by it."""
    for part in ("train", "validation"):
        for name, value in record[part].items():
            # Other outputs have classes of their own.
            yield from _named(f"{part}/{name}", value, () if name == "outputs" else classes)
    for name in ("learning_rate", "images_per_second"):
        if _is_number(record.get(name)):
            yield name, record[name]


def _named(tag: str, value: Any, classes: Sequence[str]) -> Iterator[tuple[str, float]]:
    """The numbers of a figure by their names: one, several by name, or one for each class."""
    if isinstance(value, list):
        value = dict(zip([*classes, *map(str, range(len(classes), len(value)))], value, strict=False))
    if isinstance(value, dict):
        for name, own in value.items():
            yield from _named(f"{tag}/{name}", own, classes)
    elif _is_number(value):
        yield tag, value


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    return sorted(item for item in path.iterdir() if item.name.startswith(EVENTS) and not item.is_symlink())


def _read(path: Path) -> tuple[list[tuple[str, int, float, float]], bool]:
    """Name, epoch, value and time of what the files hold, and whether all of it could be read."""
    from tensorboardX.proto.event_pb2 import Event

    held: list[tuple[str, int, float, float]] = []
    whole = True
    for file in _files(path):
        data, at = file.read_bytes(), 0
        while at < len(data):
            length = _HEAD.unpack_from(data, at)[0] if at + _HEAD.size <= len(data) else len(data)
            begin, at = at + _HEAD.size, at + _HEAD.size + length + 4
            if at > len(data):
                whole = False
                break
            try:
                event = Event.FromString(data[begin : begin + length])
            except Exception:  # protobuf's own errors
                whole = False
                break
            held.extend((value.tag, event.step, value.simple_value, event.wall_time) for value in event.summary.value)
    return held, whole
