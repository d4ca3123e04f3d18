"""Scenes as SVG: one self-contained file without scripts, fonts or links."""

from __future__ import annotations

import re

from archspec.drawing.scene import FONT, Path, Point, Polygon, Rectangle, Scene, Shape, Style, Text, is_straight

_FAMILY = f"{FONT}, Verdana, sans-serif"
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to write."""


def escaped(text: str) -> str:
    """Text for an element or an attribute; what XML cannot hold becomes U+FFFD."""
    text = _FORBIDDEN.sub("\ufffd", text)
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(character, entity)
    # A bare line break in an attribute, or a carriage return anywhere, is changed by the reader.
    return text.replace("\r", "&#13;").replace("\n", "&#10;").replace("\t", "&#9;")


def number(value: float) -> str:
    """A coordinate with as many digits as can be seen."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _at(point: Point) -> str:
    return f"{number(point.x)},{number(point.y)}"


def _paint(style: Style) -> str:
    attributes = [f'fill="{style.fill or "none"}"']
    if style.stroke:
        attributes.append(f'stroke="{style.stroke}" stroke-width="{number(style.width)}"')
        if style.dash:
            attributes.append(f'stroke-dasharray="{" ".join(map(number, style.dash))}"')
    if style.opacity != 1:
        # Not `opacity`, which blends line and fill as one: PNG and PDF blend each by itself.
        attributes.append(f'fill-opacity="{number(style.opacity)}" stroke-opacity="{number(style.opacity)}"')
    return " ".join(attributes)


def outline(path: Path) -> str:
    """The `d` of a path, ended where its arrow's head begins."""
    at, parts = path.start, [f"M{_at(path.start)}"]
    for curve in path.shaft():
        parts.append(f"L{_at(curve.end)}" if is_straight(at, curve) else f"C{' '.join(map(_at, curve))}")
        at = curve.end
    return "".join(parts)


def _element(name: str, attributes: str, shape: Shape, content: str = "") -> str:
    path = "" if shape.path is None else f' data-path="{escaped(shape.path)}"'
    title = "" if shape.title is None else f"<title>{escaped(shape.title)}</title>"
    inside = title + content
    return f"<{name} {attributes}{path}>{inside}</{name}>" if inside else f"<{name} {attributes}{path}/>"


def element(shape: Shape) -> str:
    """One shape as an element."""
    if isinstance(shape, Text):
        return _text(shape)
    paint = _paint(shape.style)
    if isinstance(shape, Rectangle):
        radius = f' rx="{number(shape.radius)}"' if shape.radius else ""
        x, y, width, height = map(number, (shape.x, shape.y, shape.width, shape.height))
        return _element("rect", f'x="{x}" y="{y}" width="{width}" height="{height}"{radius} {paint}', shape)
    if isinstance(shape, Polygon):
        joined = ' stroke-linejoin="round"' if shape.style.stroke else ""
        return _element("polygon", f'points="{" ".join(map(_at, shape.points))}"{joined} {paint}', shape)
    drawn = _element("path", f'd="{outline(shape)}" {paint}', shape)
    return drawn + element(shape.head()) if shape.arrow else drawn


def _text(text: Text) -> str:
    attributes = [f'x="{number(text.x)}" y="{number(text.y)}" font-size="{number(text.size)}" fill="{text.colour}"']
    if text.anchor != "start":
        attributes.append(f'text-anchor="{text.anchor}"')
    if text.bold:
        attributes.append('font-weight="bold"')
    if text.rotate:
        attributes.append(f'transform="rotate({text.rotate} {number(text.x)} {number(text.y)})"')
    return _element("text", " ".join(attributes), text, escaped(text.text))


def render(scene: Scene) -> str:
    """The whole file."""
    width, height = number(scene.width), number(scene.height)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
            f'role="img" font-family="{_FAMILY}">',
            f"<title>{escaped(scene.title)}</title>",
            f'<rect width="{width}" height="{height}" fill="{scene.background}"/>',
            *map(element, scene.shapes),
            "</svg>",
            "",
        ]
    )


NARROW = 720
"""Pixels that a notebook is wide at least."""


def inline(svg: str) -> str:
    """A file's text as a notebook shows it: in its size, or as wide as the notebook where that is less."""

    def fitting(found: re.Match[str]) -> str:
        return found[0] if float(found[1]) <= NARROW else f'width="100%" style="max-width:{found[1]}px"'

    return re.sub(r'width="([\d.]+)" height="[\d.]+"', fitting, svg, count=1)
