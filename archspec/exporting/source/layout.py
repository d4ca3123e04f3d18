"""Python text within a width, broken as ruff and Black break it."""

from __future__ import annotations

WIDTH = 88
INDENT = 4
_OPEN, _CLOSE = "([{", ")]}"


def fitted(text: str, indent: int = 0, *, comma: bool = False) -> list[str]:
    """A statement, or an item of a call with a comma behind it, as lines that fit where they can.

    What does not fit is broken at its last brackets: what is in them goes onto one line, or else each item onto one.
    """
    end = "," if comma else ""
    space = " " * indent
    if indent + len(text) + len(end) <= WIDTH:
        return [f"{space}{text}{end}"]
    broken = _last_brackets(text)
    if broken is None:
        return [f"{space}{text}{end}"]
    first, last = broken
    if indent + first + 1 > WIDTH:
        # What is before the last brackets has to fit: `layer(…)(x)` is broken where the layer is made.
        first, last = _last_brackets(text[:first]) or broken
    head, body, tail = text[: first + 1], text[first + 1 : last], text[last:]
    items = split(body)
    inner = indent + INDENT
    if inner + len(body) <= WIDTH and not body.startswith("*"):
        lines = [" " * inner + body]
    elif len(items) == 1 and (parts := _comprehension(body)):
        lines = [line for part in parts for line in fitted(part, inner)]
    else:
        lines = [line for item in items for line in fitted(item, inner, comma=True)]
    return [f"{space}{head}", *lines, f"{space}{tail}{end}"]


def definition(head: str, parameters: list[str], result: str, indent: int = 0) -> list[str]:
    """The line of a function, broken at its parameters."""
    space, inner = " " * indent, ", ".join(parameters)
    whole = f"{space}{head}({inner}) -> {result}:"
    if len(whole) <= WIDTH:
        return [whole]
    if indent + INDENT + len(inner) <= WIDTH:
        lines = [f"{space}{' ' * INDENT}{inner}"]
    else:
        lines = [f"{space}{' ' * INDENT}{parameter}," for parameter in parameters if parameter != "*"]
        if "*" in parameters:
            lines.insert(parameters.index("*"), f"{space}{' ' * INDENT}*,")
    return [f"{space}{head}(", *lines, f"{space}) -> {result}:"]


def split(text: str, sign: str = ",") -> list[str]:
    """The items between commas that are in no brackets or quotes."""
    items, depth, start, quote = [], 0, 0, ""
    for place, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in _OPEN:
            depth += 1
        elif letter in _CLOSE:
            depth -= 1
        elif depth == 0 and text.startswith(sign, place):
            items.append(text[start:place].strip())
            start = place + len(sign)
    rest = text[start:].strip()
    return [*items, rest] if rest else items


def _last_brackets(text: str) -> tuple[int, int] | None:
    """Where the last pair of brackets that are in no others opens and closes."""
    depth, first, found, quote = 0, 0, None, ""
    for place, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in _OPEN:
            if depth == 0:
                first = place
            depth += 1
        elif letter in _CLOSE:
            depth -= 1
            if depth == 0 and place > first + 1:
                found = first, place
    return found


def _comprehension(text: str) -> list[str]:
    """The parts of a comprehension; none where it is none."""
    parts = split(text, " for ")
    return [parts[0], f"for {parts[1]}"] if len(parts) == 2 else []


def commented(lines: list[str], comment: str) -> list[str]:
    """Lines of a statement with a comment behind it, or before it where it does not fit."""
    if not comment:
        return lines
    if len(lines) == 1 and len(lines[0]) + len(comment) + 4 <= WIDTH:
        return [f"{lines[0]}  # {comment}"]
    indent = len(lines[0]) - len(lines[0].lstrip())
    return [f"{' ' * indent}# {comment}", *lines]


def paragraph(text: str, indent: int = 0, width: int = WIDTH) -> list[str]:
    """Words on lines that fit."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        if line and indent + len(line) + 1 + len(word) > width:
            lines.append(" " * indent + line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, " " * indent + line] if line else lines


def plain(text: str) -> str:
    """Text that may stand in a docstring, without what ends a sentence."""
    return " ".join(text.replace("\\", "/").replace('"', "'").split()).strip(" '.")
