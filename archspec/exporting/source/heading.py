"""What a file of source code says of its network before any class: its title, what goes in, what comes out, images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from archspec.diagnostics import count
from archspec.exporting.source.layout import paragraph, plain
from archspec.exporting.source.pixels import has_mean_image
from archspec.exporting.subject import Subject
from archspec.spec.network import ImageInput
from archspec.types import TensorType

Axes = Callable[[TensorType], Sequence[int]]
"""The axes of a sample in a framework's order."""


def docstring(subject: Subject, axes: Axes, weights: str) -> list[str]:
    """The file's docstring, which names the file of the weights."""
    graph = subject.graph
    title = plain(graph.title or graph.variant or graph.name) or graph.name
    lines = paragraph(f'"""{title}.', 0)
    body: list[str] = [""]
    for item in graph.inputs:
        body += paragraph(f"Input `{item.name}`: {_batch(item.type, axes)}. {_images(subject, item.name)}".strip())
    for output in graph.outputs:
        body += paragraph(f"Output `{output.name}`: {_batch(graph.output_type(output), axes)}.")
    if subject.classes and len(subject.classes) <= 20:
        names = ", ".join(map(plain, subject.classes))
        body += paragraph(f"Classes: {names}.")
    body += ["", *paragraph(f"`load()` gives the network with the weights of {weights}.")]
    return [*lines, *body, '"""']


def _batch(kind: TensorType, axes: Axes) -> str:
    return f"(batch, {', '.join(map(str, axes(kind)))})"


def _images(subject: Subject, name: str) -> str:
    """How images become an input, before their pixels are scaled."""
    image = subject.spec.inputs[name]
    if not isinstance(image, ImageInput):
        return ""
    said = []
    if subject.preparation.size is not None:
        height, width = subject.preparation.size
        how = "stretched to" if subject.preparation.how == "stretch" else "scaled until they fill"
        said.append(f"images are first {how} {height}×{width}")
    if image.fit == "crop":
        side = image.short_side or max(image.height, image.width)
        said.append(f"the shorter side is scaled to {side} ({image.interpolation}, antialiased), the middle is kept")
    elif image.fit == "resize":
        said.append(f"images are scaled to {image.height}×{image.width} ({image.interpolation}, antialiased)")
    elif image.fit == "pad":
        said.append(f"smaller images are centred on a border ({image.interpolation} where they shrink)")
    if not said:
        return ""
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}."


def left_out(subject: Subject) -> list[str]:
    """What training has and the source code has not."""
    whole = subject.spec.graph()
    heads = [output.name for output in whole.outputs if output.train_only]
    said = [
        f"`{name}` less its mean image is what the network takes: the picture is in no file, and nothing scales pixels"
        for name, image in subject.spec.inputs.items()
        if has_mean_image(image)
    ]
    if not heads:
        return said
    layers = len(whole.nodes) - len(subject.graph.nodes)
    return [
        *said,
        f"{count(len(heads), 'output')} of training alone left out, with {count(layers, 'layer')}: {', '.join(heads)}",
    ]
