"""Tensor names of torchvision and timm, for every network of the zoo that they have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archspec.diagnostics import SpecError
from archspec.loading import load
from archspec.patterns import path_matches, rewritten
from archspec.weights.folder import named
from archspec.weights.layout import from_torch, order_of, orders, to_torch_shape
from archspec.weights.naming import PLAIN, namings, tables
from archspec.zoo import zoo_variants
from tests.weights.rule import recorded_names
from tests.zoo import FIGURES, SAMPLE, Body

HELD = {
    f"{library}/{recorded}": (name, library)
    for name, figures in FIGURES.items()
    for library, recorded in (("torchvision", figures.torchvision), ("timm", figures.timm), *figures.others.items())
    if recorded is not None
}
"""Networks and their tables of names, by the recorded names that the tables are held to."""


@pytest.mark.parametrize(
    "recorded",
    [
        recorded if name in SAMPLE else pytest.param(recorded, marks=pytest.mark.slow)
        for recorded, (name, _) in HELD.items()
    ],
)
def test_every_tensor_has_its_array(recorded: str) -> None:
    name, library = HELD[recorded]
    spec = load(name)
    graph = spec.graph()
    known = namings(graph, tables(spec))[library]
    layouts = orders(graph)
    ours = {
        key: to_torch_shape(place.weight, order_of(place.node, layouts), place.form) for key, place in known.items()
    }
    theirs = {key: tuple(shape) for key, shape in recorded_names()[recorded] if not key.endswith("num_batches_tracked")}
    assert ours == theirs


def test_nothing_is_recorded_in_vain() -> None:
    bodies = {body.of for figures in FIGURES.values() for body in figures.bodies}
    assert recorded_names().keys() - HELD.keys() - bodies == set()


def test_every_table_of_the_zoo_is_held_to_a_library() -> None:
    found = {
        (name, table)
        for name, (_, variant) in zoo_variants().items()
        if variant
        for table, weights in load(name).weights.items()
        # test_keras_zoo.py holds Keras's to Keras, test_caffe_zoo.py the others to their authors' files.
        if not weights.partial and weights.layout == "pytorch" and table not in ("caffe", "darknet")
    }
    restated = {(name, figures.golden.table) for name, figures in FIGURES.items() if figures.golden}
    held = {(name.partition("?")[0], table) for name, table in [*HELD.values(), *restated] if table}
    assert found == held


@pytest.mark.parametrize(
    ("network", "body"), [(name, body) for name, figures in FIGURES.items() for body in figures.bodies]
)
def test_a_classifier_gives_the_body(network: str, body: Body) -> None:
    """Every array of the part that two networks share has its tensor, and no other tensor is left than the head's."""
    spec = load(network)
    graph = spec.graph()
    known = namings(graph, tables(spec))[body.table]
    layouts = orders(graph)
    if "/" in body.of:
        theirs = {name: tuple(shape) for name, shape in recorded_names()[body.of] if not name.endswith("tracked")}
    else:
        other = load(body.of).graph()
        their_layouts = orders(other)
        names = namings(other, {})[PLAIN]
        theirs = {
            name: to_torch_shape(place.weight, order_of(place.node, their_layouts)) for name, place in names.items()
        }
    shared = {
        name
        for name, place in known.items()
        if place.name.startswith(body.part) and (body.but is None or body.but not in place.name)
    }
    assert {name for name in theirs if not name.startswith(body.left)} == shared
    for name in shared:
        place = known[name]
        order = order_of(place.node, layouts)
        assert to_torch_shape(place.weight, order, place.form) == theirs[name]
        zeros = np.broadcast_to(np.float32(0), theirs[name])
        assert from_torch(zeros, place.weight, order, place.form).shape == place.weight.shape


@pytest.mark.parametrize(
    ("pattern", "replacement", "path", "expected"),
    [
        ("conv1", "stem.conv", "conv1", "stem.conv"),
        ("*.one.out.*", "*.branch1.*", "inception3a.one.out.conv", "inception3a.branch1.conv"),
        ("**.batch_norm*", "**.bn*", "layer1.0.batch_norm2", "layer1.0.bn2"),
        ("layer1.**", "stages.0.**", "layer1.2.conv1", "stages.0.2.conv1"),
        ("*.conv", "*.x", "a.b.conv", None),
        ("conv", "x", "conv1", None),
        ("a.c", "x", "abc", None),
    ],
)
def test_patterns_rewrite_paths(pattern: str, replacement: str, path: str, expected: str | None) -> None:
    assert rewritten(pattern, replacement, path) == expected


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("layer1", "layer1.0.conv1", True),
        ("layer1", "layer10.0", False),
        ("layer*", "layer4.2.conv1", True),
        ("layer*.0", "layer4.0.conv1", True),
        ("*.conv1", "layer1.conv1", True),
        ("*.conv1", "layer1.0.conv1", False),
        ("**.conv1", "layer1.0.conv1", True),
        ("c", "c", True),
    ],
)
def test_a_pattern_names_paths_and_scopes(pattern: str, path: str, fits: bool) -> None:
    assert path_matches(pattern, path) is fits


def test_places_are_counted_in_scopes_and_through_them(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "archspec: 1\nname: net\ninput: {height: 8, width: 8, channels: 4}\n"
        "blocks:\n  unit:\n    args: {wide: true}\n    layers:\n"
        "      - conv: {name: first, when: $(wide), filters: 4, kernel: 1}\n"
        "      - relu\n      - conv: {name: last, filters: 4, kernel: 1}\n"
        "layers:\n"
        "  - repeat: {name: stage3, times: 2, layers: [unit: {wide: false}]}\n"
        "  - repeat: {name: stage7, times: 1, layers: [unit]}\n"
        "weights:\n  flat: {names: {'stage*.*.*': 'features.{*.*+1}.{*}'}}\n"
        "  staged: {names: {'stage*.*.last': 'blocks.{*}.*.last', 'stage*.*.*': 'blocks.{*+10}.*.{number}.*'}}\n"
        "  plain: {names: {'stage*.**': '{*}.**'}}\n"
    )
    found = load(spec)
    known = namings(found.graph(), tables(found))

    def names(table: str) -> list[str]:
        return [name.removesuffix(".weight") for name in known[table] if name.endswith("weight")]

    # Pairs of stage and block through all stages; the last convolution is the second or the third layer of its block.
    assert names("flat") == ["features.1.1", "features.2.1", "features.3.0", "features.3.2"]
    assert names("staged") == ["blocks.0.0.last", "blocks.0.1.last", "blocks.11.0.0.first", "blocks.1.0.last"]
    assert names("plain") == ["0.0.last", "0.1.last", "1.0.first", "1.0.last"]


def test_places_are_letters_too(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "archspec: 1\nname: net\ninput: {height: 2, width: 2, channels: 1}\nlayers:\n"
        "  - repeat: {name: stage, times: 28, layers: [conv: {name: c, filters: 1, kernel: 1, bias: false}]}\n"
        "weights:\n  caffe: {names: {'stage.*.c': 'res2{*a}_branch'}}\n"
    )
    found = load(spec)
    names = [name.removesuffix("_branch.weight") for name in namings(found.graph(), tables(found))["caffe"]]
    assert (names[0], names[1], names[25:]) == ("res2a", "res2b", ["res2z", "res2aa", "res2ab"])


def test_names_with_axes_say_shapes_both_ways(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "archspec: 1\nname: net\ninput: {height: 4, width: 6, channels: 3}\nlayers:\n"
        "  - conv: {name: point, filters: 5, kernel: 1}\n"
        "  - conv: {name: wide, filters: 5, kernel: [2, 3], stride: [2, 3]}\n"
        "  - layer_scale: {name: gamma}\n  - flatten\n"
        "  - dense: {name: fc1, units: 7}\n  - dense: {name: fc2, units: 2}\n"
        "weights:\n  usual: {names: {'*[bias]': '*.bias'}}\n"
        "  other: {names: {'gamma[scale]': 'gamma[CHW]', 'fc*': 'head.fc*[OIHW]', '*': '*[OI]'}}\n"
        "  signal: {names: {'gamma[scale]': 'gamma[CL]', '*': '*[OIL]'}}\n"
    )
    found = load(spec)
    graph = found.graph()
    layouts = orders(graph)
    known = namings(graph, tables(found))
    generator = np.random.default_rng(3)
    ours = {slot.name: generator.standard_normal(slot.weight.shape) for slot in known["usual"].values()}
    written = {name: named(ours, graph, known[name]) for name in ("usual", "other", "signal")}
    shapes = {key: array.shape for key, array in written["other"].items()}
    assert shapes == {
        "point.weight": (5, 3),
        "point.bias": (5,),
        "wide.weight": (5, 5 * 2 * 3),
        "wide.bias": (5,),
        "gamma": (5, 1, 1),
        "head.fc1.weight": (7, 5, 2, 2),
        "head.fc1.bias": (7,),
        "head.fc2.weight": (2, 7, 1, 1),
        "head.fc2.bias": (2,),
    }
    # A signal's axes are not those of a convolution over a map; a flattened map's features are a signal of length 1.
    assert written["signal"]["wide.weight"].shape == (5, 5, 2, 3)
    assert written["signal"]["gamma"].shape == (5, 1)
    assert written["signal"]["fc1.weight"].shape == (7, 5 * 2 * 2, 1)
    # A dense layer's numbers stand as a convolution over the map would have them, channels first.
    assert (written["other"]["head.fc1.weight"].reshape(7, 20) == written["usual"]["fc1.weight"]).all()
    assert (written["other"]["head.fc1.weight"][:, 4, 1, 0] == ours["fc1.kernel"][(1 * 2 + 0) * 5 + 4]).all()
    for way, arrays in written.items():
        for key, array in arrays.items():
            place = known[way][key]
            order = order_of(place.node, layouts)
            assert (from_torch(array, place.weight, order, place.form) == ours[place.name]).all(), (way, key)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("'*.conv': '{**}.conv'", "other braces"),
        ("'*.conv': '{*-1}.conv'", "other braces"),
        ("'*.conv[]': '*'", "`*.conv[]` has other brackets than those of an array"),
        ("'[kernel]': 'k'", "other brackets"),
        ("'*.conv]': '*'", "other brackets"),
        ("'*[0].conv': '*.conv'", "other brackets"),
        ("'*.conv': '*.{numbr}'", "other braces"),
        ("'*.conv': '*.{*}.conv'", "has 2 stars, `*.conv` 1"),
        ("'*.conv': '{*.*}.conv'", "has 2 stars, `*.conv` 1"),
        ("'*.conv': '*.conv[IO]'", "ends with other axes than [OI], [OIL], [OIHW], [CL], [CHW]"),
    ],
)
def test_rules_that_mean_nothing_are_refused(rule: str, words: str, tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "archspec: 1\nname: net\ninput: {features: 3}\nlayers: [dense: 2]\n"
        f"weights: {{other: {{names: {{{rule}}}}}}}\n"
    )
    with pytest.raises(SpecError) as caught:
        load(spec)
    (found,) = caught.value.diagnostics
    assert words in found.message
