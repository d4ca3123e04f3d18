"""What a file of source code says of its network before any class: its title, what goes in, what comes out, images."""

from __future__ import annotations

from archspec.diagnostics import count
from archspec.exporting.source.layout import paragraph, plain
from archspec.exporting.subject import Subject
from archspec.spec.inputs import Input
from archspec.spec.network import ImageInput


def docstring(subject: Subject, shape: dict[str, str], weights: str, more: str) -> list[str]:
    """The file's docstring: `shape` has the arrays of inputs and outputs by name."""
    graph = subject.graph
    title = plain(graph.title or graph.variant or graph.name) or graph.name
    lines = paragraph(f'"""{title}.', 0)
    body: list[str] = [""]
    for item in graph.inputs:
        body += paragraph(f"Input `{item.name}`: {shape[item.name]}. {_images(subject, item.name)}".strip())
    for output in graph.outputs:
        body += paragraph(f"Output `{output.name}`: {shape[output.name]}.")
    if subject.classes and len(subject.classes) <= 20:
        names = ", ".join(map(plain, subject.classes))
        body += paragraph(f"Classes: {names}.")
    body += ["", *paragraph(f"`load()` gives the network with the weights of {weights}. {more}")]
    return [*lines, *body, '"""']


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


def scaling(image: Input) -> tuple[str, list[tuple[str, tuple[float, ...]]]]:
    """What becomes of an input's numbers `x`, as an expression, and the constants in it; "" where nothing does."""
    if has_mean_image(image):
        return "", []
    constants: list[tuple[str, tuple[float, ...]]] = []
    text = "x"
    if isinstance(image, ImageInput):
        low, high = image.range
        text = "x" if (low, high) == (0, 255) else "x / 255" if high - low == 1 else f"x * ({high - low!r} / 255)"
        if low:
            text += f" + {low!r}" if low > 0 else f" - {-low!r}"
    mean, std = image.mean, image.std
    if mean is not None:
        constants.append(("MEAN", _each(mean, image.type.channels)))
        text = f"{text} - MEAN"
    if std is not None:
        constants.append(("STD", _each(std, image.type.channels)))
        text = f"({text}) / STD" if " " in text else f"{text} / STD"
    return ("" if text == "x" and not _is_bgr(image) else text), constants


def has_mean_image(image: Input) -> bool:
    """Whether a picture is subtracted, which source code has no room for."""
    return getattr(image, "mean_image", None) is not None


def _is_bgr(image: Input) -> bool:
    return getattr(image, "order", "rgb") == "bgr"


def order_of(image: Input) -> str:
    """The order of an image's colours."""
    return "blue, green, red" if _is_bgr(image) else "red, green, blue"


def is_reversed(image: Input) -> bool:
    """Whether the network takes blue first."""
    return _is_bgr(image) and image.type.channels == 3


def _each(values: float | tuple[float, ...], channels: int) -> tuple[float, ...]:
    return values if isinstance(values, tuple) else (values,) * channels


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
