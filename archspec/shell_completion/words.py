"""Bash's line: taken apart into words as bash does, and words put into it again."""

from __future__ import annotations

from typing import NamedTuple

BREAKS = " \t\n\"'><=;|&(:"
"""Where bash begins a new word for completion, unless COMP_WORDBREAKS says otherwise."""
_SPECIAL = set(" \t\n\\\"'`$&;|<>(){}[]*?!~#")
_IN_DOUBLE = set('\\"`$')


class Line(NamedTuple):
    """The words before the one at the cursor; that one as it is meant, as it stands there; and the quote it is in."""

    words: list[str]
    current: str
    raw: str
    quote: str


def split(text: str) -> Line:
    """A line up to the cursor, by the quoting rules of shells; nothing is expanded."""
    words: list[str] = []
    word, raw, quote = "", "", ""
    inside = False
    place = 0
    while place < len(text):
        char = text[place]
        raw += char
        if quote:
            if char == quote:
                quote = ""
            elif char == "\\" and quote == '"' and text[place + 1 : place + 2] in _IN_DOUBLE:
                place += 1
                raw += text[place]
                word += text[place]
            else:
                word += char
        elif char in "'\"":
            quote, inside = char, True
        elif char == "\\":
            place += 1
            raw += text[place : place + 1]
            word += text[place : place + 1]
            inside = True
        elif char in " \t\n":
            if inside:
                words.append(word)
            word, raw, inside = "", "", False
        else:
            word, inside = word + char, True
        place += 1
    return Line(words, word, raw, quote)


def inserted(value: str, line: Line, breaks: str = BREAKS) -> str:
    """What bash is given for a whole word: the part behind its last break, quoted as the word is."""
    begun = ""  # of the word as it is meant, up to the last break that bash sees
    if not line.quote:
        seen, place = "", 0
        while place < len(line.raw):
            char = line.raw[place]
            if char == "\\":
                seen += line.raw[place + 1 : place + 2]
                place += 2
                continue
            if char in "'\"":
                end = line.raw.find(char, place + 1)
                seen += line.raw[place + 1 : end]
                place = end + 1
                continue
            seen += char
            if char in breaks:
                begun = seen
            place += 1
    rest = value[len(begun) :]
    if line.quote == "'":
        return rest.replace("'", "'\\''")
    special = _IN_DOUBLE if line.quote else _SPECIAL
    home = not begun and not line.quote and rest.startswith("~") and line.raw.startswith("~")
    return "".join(
        f"\\{char}" if char in special and not (home and place == 0) and not (char == "#" and place) else char
        for place, char in enumerate(rest)
    )
