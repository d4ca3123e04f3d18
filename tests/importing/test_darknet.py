"""Darknet's .cfg files: sizes, parameters and functions by the rules of its C sources, held to numbers by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archspec import SpecError, import_model
from archspec.importing.writing import Imported

NET = "[net]\nheight=13\nwidth=13\nchannels=3\n"
CONV = "[convolutional]\nfilters=8\nsize=3\nstride=1\npad=1\nactivation=linear\n"


def imported(folder: Path, text: str) -> Imported:
    file = folder / "net.cfg"
    file.write_text(text, "utf-8")
    return import_model(file, flat=True)


def kinds(made: Imported) -> list[str]:
    assert made.graph is not None, made.missing
    return [node.kind for node in made.graph.nodes]


def shapes(made: Imported) -> list[tuple[int, ...]]:
    assert made.graph is not None, made.missing
    return [node.output.shape for node in made.graph.nodes]


def test_a_detector(tmp_path: Path) -> None:
    text = (
        NET
        + "[convolutional]\nbatch_normalize=1\nfilters=16 \n size = 3\nstride=2\npad=1\nactivation=leaky\n"
        + "[maxpool]\nsize=2\nstride=1\n"
        + "[convolutional]\nfilters=18\nsize=1\npad=1\nactivation=linear\n"
        + "[yolo]\nmask=0,1,2\nclasses=1\n"
        + "[route]\nlayers = -3\n[upsample]\nstride=2\n"
        + "[convolutional]\nfilters=4\nsize=1\nactivation=logistic\n[yolo]\nmask=3\n"
    )
    made = imported(tmp_path, text)
    assert kinds(made) == ["conv", "batch_norm", "leaky_relu", "max_pool", "conv", "resize", "conv", "sigmoid"]
    assert shapes(made) == [(7, 7, 16)] * 4 + [(7, 7, 18), (14, 14, 16), (14, 14, 4), (14, 14, 4)]
    assert made.graph is not None
    # Kernels, and of each filter a factor and a summand, or a bias.
    assert made.graph.params == 16 * 27 + 2 * 16 + 18 * 16 + 18 + 4 * 16 + 4
    assert [output.name for output in made.graph.outputs] == ["scores1", "scores2"]
    assert "- max_pool: {name: max_pool1, window: 2, stride: 1, pad: [[0, 1], [0, 1]]}" in made.spec
    assert "2 [yolo] for boxes left out: what they take are outputs" in made.notes


@pytest.mark.parametrize(("size", "stride", "side"), [(2, 2, 7), (3, 2, 7), (5, 1, 13), (13, 1, 13), (3, 3, 5)])
def test_poolings_have_as_many_windows_as_in_darknet(tmp_path: Path, size: int, stride: int, side: int) -> None:
    made = imported(tmp_path, NET + f"[maxpool]\nsize={size}\nstride={stride}\n" + CONV)
    # (W + padding − F)/S + 1 with a padding of F − 1.
    assert side == (13 + size - 1 - size) // stride + 1
    assert shapes(made)[0] == (side, side, 3)


def test_shortcuts_of_other_shapes_are_those_of_the_first_darknet(tmp_path: Path) -> None:
    text = (
        "[net]\nheight=8\nwidth=8\nchannels=3\n"
        + CONV
        + "[convolutional]\nfilters=12\nsize=1\nstride=2\nactivation=relu\n"
        + "[shortcut]\nfrom=-2\nactivation=leaky\n"
    )
    made = imported(tmp_path, text)
    assert kinds(made) == ["conv", "conv", "relu", "pad_channels", "add", "leaky_relu"]
    assert shapes(made)[3] == (4, 4, 12)
    assert any("first pixel of each block" in note for note in made.notes)


def reorg_cpu(x: np.ndarray, stride: int, shape: tuple[int, int, int]) -> np.ndarray:
    """Darknet's loops, for numbers in a row and the map (channels, height, width) that they are called with."""
    channels, height, width = shape
    inner = channels // stride**2
    out = np.zeros_like(x)
    for k in range(channels):
        for j in range(height):
            for i in range(width):
                offset = k // inner
                row, column = j * stride + offset // stride, i * stride + offset % stride
                source = column + width * stride * (row + height * stride * (k % inner))
                out[i + width * (j + height * k)] = x[source]
    return out


@pytest.mark.parametrize("section", ["reorg", "reorg3d"])
def test_reorg_moves_pixels_as_darknets_loops(tmp_path: Path, section: str) -> None:
    import jax.numpy as jnp

    from archspec import build

    text = f"[net]\nheight=4\nwidth=6\nchannels=8\n[{section}]\nstride=2\n"
    made = imported(tmp_path, text)
    assert made.graph is not None
    x = np.arange(4 * 6 * 8, dtype=np.float32).reshape(8, 4, 6)
    network = build(made.graph)
    found = np.asarray(network(jnp.asarray(x.transpose(1, 2, 0)[None])))[0].transpose(2, 0, 1)
    size = (8, 4, 6) if section == "reorg" else (32, 2, 3)
    assert np.array_equal(found.ravel(), reorg_cpu(x.ravel(), 2, size))


def test_what_has_no_kind_is_named_with_its_place_and_the_rest_is_written(tmp_path: Path) -> None:
    made = imported(
        tmp_path, NET + CONV + "[rnn]\noutput=5\n[connected]\noutput=4\nactivation=ramp\n[lstm]\noutput=2\n"
    )
    assert made.graph is None
    assert [item.message for item in made.missing] == [
        "[rnn] recurs over time steps",
        "[lstm] recurs over time steps",
    ]
    assert "line 11, layer 1" in made.missing[0].notes[0]
    assert "  # not imported: [rnn] recurs over time steps (line 11, layer 1)" in made.spec
    assert "- dense: {name: dense1, units: 4}" in made.spec


def test_groups_gates_and_shared_kernels(tmp_path: Path) -> None:
    text = (
        NET
        + CONV
        + "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n"
        + "[convolutional]\nfilters=4\nsize=3\npad=1\ngroups=4\nactivation=swish\n"
        + "[avgpool]\n[convolutional]\nfilters=4\nsize=1\nactivation=logistic\n[scale_channels]\nfrom=2\n"
        + "[convolutional]\nfilters=4\nsize=3\npad=1\ngroups=4\nshare_index=2\nactivation=mish\n"
    )
    made = imported(tmp_path, text)
    assert made.graph is not None
    assert kinds(made)[:6] == ["conv", "slice", "depthwise_conv", "silu", "global_avg_pool", "conv"]
    assert made.graph.nodes[-2].shares == "depthwise_conv1"
    assert made.graph.nodes[-3].kind == "multiply"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("[convolutional]\nfilters=1\n", "first section"),
        ("filters=3\n[net]\n", "before the first section"),
        (NET, "no layers"),
        ("[net]\nheight=3\n[avgpool]\n", "neither"),
        (NET + "[convolutional]\nfilters=many\n", "whole number"),
        (NET + "[convolutional]\nfilters=99999999999999999999\n", "whole number"),
        (NET + "[convolutional]\nfilters\n", "name=value"),
        (NET + "[route]\nlayers=-1\n", "names layer"),
        (NET + CONV + "[shortcut]\nfrom=7\n", "names layer 7"),
        (NET + CONV + "[maxpool]\nsize=0\n", "1 or more"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        imported(tmp_path, text)


def test_long_networks_are_written_and_longer_ones_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "net.cfg"
    file.write_text(NET + CONV * 12, "utf-8")
    monkeypatch.setattr("archspec.importing.finishing.MAX_ROLLED", 11)
    made = import_model(file)
    assert made.spec.count("- conv:") == 12
    assert any("no repeats are looked for" in note for note in made.notes)
    monkeypatch.setattr("archspec.importing.darknet.text.MAX_SECTIONS", 12)
    with pytest.raises(SpecError, match="E564"):
        import_model(file)


def test_layers_larger_than_any_are_named(tmp_path: Path) -> None:
    huge = "[convolutional]\nfilters=2000000000\nsize=9\nactivation=linear\n"
    made = imported(tmp_path, NET + huge + "[connected]\noutput=2000000000\nactivation=linear\n")
    assert made.graph is None and "no side may be more" in made.missing[0].message


def test_text_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "net.cfg"
    file.write_bytes(NET.encode() + b"[conv\xff\xfe]\n")
    with pytest.raises(SpecError, match="UTF-8"):
        import_model(file)
    file.write_bytes(NET.encode() + b"\0\0\n")
    with pytest.raises(SpecError, match="null character"):
        import_model(file)
    # Comments have been seen in other encodings.
    file.write_bytes(NET.encode() + b"# gr\xf6\xdfe\n" + CONV.encode())
    assert import_model(file).graph is not None
