"""Colours that masks have for classes: tables of well-known sets, and tables in files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from archspec.diagnostics import DataError
from archspec.images.texts import read_lines

Colour = tuple[int, int, int]
"""Red, green and blue."""


class Palette(NamedTuple):
    """Classes in order with their colours, and the colours of pixels that count for nothing."""

    names: tuple[str, ...]
    colours: tuple[Colour, ...]
    void: tuple[Colour, ...] = ()


def voc_colour(number: int) -> Colour:
    """PASCAL VOC's colour of a class: the bits of its number, dealt out to red, green and blue in turn, high first."""
    channels = [0, 0, 0]
    rest = number
    for place in range(7, -1, -1):
        for channel in range(3):
            channels[channel] |= ((rest >> channel) & 1) << place
        rest >>= 3
    return (channels[0], channels[1], channels[2])


_VOC = (
    "background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person "
    "pottedplant sheep sofa train tvmonitor"
)
_CAMVID = """Animal 64 128 64, Archway 192 0 128, Bicyclist 0 128 192, Bridge 0 128 64, Building 128 0 0, Car 64 0 128,
CartLuggagePram 64 0 192, Child 192 128 64, Column_Pole 192 192 128, Fence 64 64 128, LaneMkgsDriv 128 0 192,
LaneMkgsNonDriv 192 0 64, Misc_Text 128 128 64, MotorcycleScooter 192 0 192, OtherMoving 128 64 64,
ParkingBlock 64 192 128, Pedestrian 64 64 0, Road 128 64 128, RoadShoulder 128 128 192, Sidewalk 0 0 192,
SignSymbol 192 128 128, Sky 128 128 128, SUVPickupTruck 64 128 192, TrafficCone 0 0 64, TrafficLight 0 64 64,
Train 192 64 128, Tree 128 128 0, Truck_Bus 192 128 192, Tunnel 64 0 64, VegetationMisc 192 192 0, Wall 64 192 0"""
_CITYSCAPES = """road 128 64 128, sidewalk 244 35 232, building 70 70 70, wall 102 102 156, fence 190 153 153,
pole 153 153 153, traffic light 250 170 30, traffic sign 220 220 0, vegetation 107 142 35, terrain 152 251 152,
sky 70 130 180, person 220 20 60, rider 255 0 0, car 0 0 142, truck 0 0 70, bus 0 60 100, train 0 80 100,
motorcycle 0 0 230, bicycle 119 11 32"""
_CITYSCAPES_VOID = """other 0 0 0, dynamic 111 74 0, ground 81 0 81, parking 250 170 160, rail track 230 150 140,
guard rail 180 165 180, bridge 150 100 100, tunnel 150 120 90, caravan 0 0 90, trailer 0 0 110"""


def _rows(text: str) -> tuple[tuple[str, ...], tuple[Colour, ...]]:
    rows = [item.strip().rsplit(" ", 3) for item in text.replace("\n", " ").split(",")]
    return tuple(row[0] for row in rows), tuple((int(row[1]), int(row[2]), int(row[3])) for row in rows)


def _tables() -> dict[str, Palette]:
    names = tuple(_VOC.split())
    return {
        "voc": Palette(names, tuple(map(voc_colour, range(len(names)))), ((224, 224, 192),)),
        "camvid": Palette(*_rows(_CAMVID), ((0, 0, 0),)),
        "cityscapes": Palette(*_rows(_CITYSCAPES), _rows(_CITYSCAPES_VOID)[1]),
    }


TABLES = _tables()
"""PASCAL VOC's 21 classes, CamVid's 31 and the 19 of Cityscapes that its benchmark counts, with what they leave out."""

GREY = "grey"
"""Instead of a table: red, green and blue are equal, and are the number of the class."""


def read_table(path: Path) -> Palette:
    """A table from a text file: a line a class, three numbers from 0 to 255 and a name, in any order.

    Lines without three numbers, such as a heading, are passed over. Raises `DataError`.
    """
    lines = read_lines(path, f"the table of colours {path}")
    names: list[str] = []
    colours: list[Colour] = []
    for line in lines:
        match = re.search(r"(?<![\w.])(\d{1,3})[\s,;]+(\d{1,3})[\s,;]+(\d{1,3})(?![\w.])", line)
        if match is None or line.lstrip().startswith("#"):
            continue
        colour = tuple(map(int, match.groups()))
        name = re.sub(r"[\s,;:]+", " ", line[: match.start()] + " " + line[match.end() :]).strip(" ,;:\"'")
        if max(colour) > 255 or (colour[0], colour[1], colour[2]) in colours:
            what = "a number above 255" if max(colour) > 255 else "the colour of another line"
            raise DataError("E506", f"the table of colours {path} has {what}: {line[:80]!r}")
        names.append(name or str(len(names)))
        colours.append((colour[0], colour[1], colour[2]))
    if not colours:
        raise DataError(
            "E506", f"{path} is no table of colours", help=["a line a class: its name and three numbers, 0 to 255"]
        )
    return Palette(tuple(names), tuple(colours))
