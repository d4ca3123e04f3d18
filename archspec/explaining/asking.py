"""What is asked of an explanation: methods, layers, units, classes, by the names that users give."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from archspec.diagnostics import DataError, did_you_mean, listed
from archspec.explaining.explanation import METHODS
from archspec.graph import Graph
from archspec.inspecting.target import check_channel, has_position
from archspec.patterns import path_matches

if TYPE_CHECKING:
    from archspec.inference.evaluating import Part

EPSILON = 0.1
"""Of an attack where no other is given, as a share of the pixels' range."""

OTHERWISE = {
    "ig": "integrated_gradients",
    "integrated": "integrated_gradients",
    "guided": "guided_backprop",
    "guidedbackpropagation": "guided_backprop",
    "vanillagradient": "saliency",
    "gradient": "saliency",
    "cam": "gradcam",
    "ablation": "occlusion",
    "featurevisualization": "visualisation",
    "visualization": "visualisation",
    "featurevisualisation": "visualisation",
    "activationmaximization": "visualisation",
    "activation": "activations",
    "patches": "unit",
    "erf": "effective_field",
    "receptivefield": "effective_field",
}
"""What other tools call methods."""


class Asked(NamedTuple):
    """What is wanted; None and nothing where it is chosen.

    `layers` are paths, blocks or patterns, `units` are PATH:CHANNEL or PATH:CHANNEL@R,C, `number` a class by its name
    or number, or a number of a regression, `pixel` row and column of the image as the network sees it.
    """

    methods: tuple[str, ...] | None = None
    layers: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    number: str | int | None = None
    pixel: tuple[int, ...] | None = None
    output: str | None = None
    part: Part | None = None
    epsilon: float = EPSILON
    seed: int = 0
    page: bool = False
    """Whether it is for a page, which has all layers' maps, patches of more units, and other classes too."""


class UnitAsked(NamedTuple):
    path: str
    channel: int
    position: tuple[int, ...] | None


def methods_of(names: Sequence[str]) -> tuple[str, ...]:
    """Methods by their names, in which case and dashes do not matter; `all` is all. Raises `DataError`."""
    found: list[str] = []
    plain = {_plain(name): name for name in METHODS}
    for given in names:
        word = _plain(given)
        if word == "all":
            found.extend(METHODS)
            continue
        name = plain.get(word) or OTHERWISE.get(word)
        if name is None:
            hint = did_you_mean(given, METHODS)
            raise DataError(
                "E113", f"there is no method {given!r}", help=[hint or f"there are {', '.join(METHODS)}", "or all"]
            )
        found.append(name)
    return tuple(dict.fromkeys(found))


def _plain(name: str) -> str:
    return re.sub(r"[-_ ]", "", name.strip().lower())


def layers_of(graph: Graph, patterns: Sequence[str]) -> list[str]:
    """The paths of a network's nodes that paths, blocks or patterns name, in order. Raises `DataError`."""
    paths = [node.path for node in graph.nodes]
    chosen: set[str] = set()
    for pattern in patterns:
        own = [path for path in paths if path_matches(pattern, path)]
        if not own:
            raise unknown_layer(graph, pattern)
        chosen.update(own)
    return [path for path in paths if path in chosen]


def unknown_layer(graph: Graph, path: str) -> DataError:
    paths = [node.path for node in graph.nodes]
    hint = did_you_mean(path, paths)
    return DataError(
        "E113", f"{graph.name} has no layer `{path}` in evaluation", help=[hint or f"layers: {listed(paths, 20)}"]
    )


def unit_of(graph: Graph, text: str) -> UnitAsked:
    """A unit as PATH:CHANNEL, with @R,C for a position. Raises `DataError`."""
    match = re.fullmatch(r"(.+):(\d+)(?:@(\d+(?:,\d+)*))?", text.strip())
    if match is None:
        raise DataError(
            "E113", f"{text!r} is no unit", help=["PATH:CHANNEL, or PATH:CHANNEL@ROW,COLUMN, such as conv1:3@10,12"]
        )
    path, channel = match[1], int(match[2])
    node = next((node for node in graph.nodes if node.path == path), None)
    if node is None:
        raise unknown_layer(graph, path)
    try:
        check_channel(node, channel)
    except ValueError as error:
        raise DataError("E113", str(error)) from None
    spatial = node.output.spatial
    position = tuple(int(at) for at in match[3].split(",")) if match[3] else None
    if position is not None and not has_position(node, position):
        gives = f"a map of {'×'.join(map(str, spatial))} positions" if spatial else "numbers without positions"
        raise DataError(
            "E113",
            f"`{path}` gives {gives}, and none at {match[3]}",
            help=["rows and columns count from 0"],
        )
    return UnitAsked(path, channel, position)


def number_of(given: str | int, names: Sequence[str], channels: int, what: str) -> int:
    """A class or number by its name or its number, names first. Raises `DataError`."""
    text = str(given)
    if text in names:
        return list(names).index(text)
    if text.isascii() and text.isdigit() and int(text) < channels:
        return int(text)
    known = names or [str(number) for number in range(channels)]
    hint = did_you_mean(text, known)
    numbers = f"or its number, 0 to {channels - 1}"
    raise DataError(
        "E113", f"the network has no {what} {text!r}", help=[hint or f"there are {listed(known, 20)}", numbers]
    )
