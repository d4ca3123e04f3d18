"""Protobuf's text format: what is written comes back, and what breaks its rules is told at its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.formats.prototext import MAX_DEPTH, Message, TextError, Word, parse


def plain(message: Message) -> dict[str, list[Any]]:
    return {
        name: [plain(item.value) if isinstance(item.value, Message) else item.value for item in items]
        for name, items in message.fields.items()
    }


NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
NUMBERS = st.integers(-(2**63), 2**64) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(codec="ascii", exclude_characters="\r\x7f"), max_size=12)
VALUES = NUMBERS | TEXTS | st.builds(Word, st.sampled_from(["MAX", "true", "AVE"]))
MESSAGES = st.recursive(
    st.dictionaries(NAMES, st.lists(VALUES, min_size=1, max_size=3), max_size=4),
    lambda inner: st.dictionaries(NAMES, st.lists(VALUES | inner, min_size=1, max_size=3), max_size=4),
    max_leaves=12,
)


def written(message: dict[str, list[Any]], draw: Any) -> str:
    """A message as text, in one of the ways in which it may be written."""
    pieces = []
    for name, values in message.items():
        if len(values) > 1 and not any(isinstance(value, dict) for value in values) and draw(st.booleans()):
            pieces.append(f"{name}: [{', '.join(scalar(value, draw) for value in values)}]")
            continue
        for value in values:
            if isinstance(value, dict):
                begin, end = draw(st.sampled_from(["{}", "<>", ("{", "}"), (": {", "}")]))
                pieces.append(f"{name} {begin} {written(value, draw)} {end}")
            else:
                pieces.append(
                    f"{name}{draw(st.sampled_from([':', ' : ', ':  # a comment' + chr(10)]))} {scalar(value, draw)}"
                )
    return draw(st.sampled_from(["\n", " ", ", ", ";\t"])).join(pieces)


def scalar(value: Any, draw: Any) -> str:
    if isinstance(value, Word):
        return str(value)
    if isinstance(value, str):
        quoted = json.dumps(value).replace("\\u00", "\\x")
        half = len(value) // 2
        if draw(st.booleans()) and value.isalnum():
            return f"\"{value[:half]}\" '{value[half:]}'"
        return quoted
    return repr(value)


@given(MESSAGES, st.data())
@settings(max_examples=60, deadline=None)
def test_what_is_written_comes_back(message: dict[str, list[Any]], data: st.DataObject) -> None:
    assert plain(parse(written(message, data.draw))) == message


@given(st.text(st.sampled_from("ab:{}<>[],; \n\"'#\\-1.e"), max_size=40))
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_or_refused_at_a_place_within_it(text: str) -> None:
    try:
        parse(text)
    except TextError as error:
        assert 1 <= error.line <= text.count("\n") + 1
        assert 1 <= error.column <= len(text) + 1


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("a: 1\nb {\n c: 2\n", "this message has no end", (2, 3)),
        ("a: 1 }", "a field's name stands here", (1, 6)),
        ('a: "x\n"', "a text without an end", (1, 4)),
        ("a: [1 2]", "a list goes on", (1, 7)),
        ("a b: 1", "neither `:` nor a message", (1, 1)),
        ("a: }", "a value stands here", (1, 4)),
        ("a: 1x", "no part of protobuf's text format", (1, 4)),
        ("a:", "a value stands here", (1, 2)),
        ("a { b: 1 >", "a field's name stands here", (1, 10)),
        ("a: " + "9" * 500, "a number of 500 digits", (1, 4)),
        ("a {" * (MAX_DEPTH + 1), "nested more than", (1, 3 * MAX_DEPTH + 3)),
    ],
)
def test_faults(text: str, message: str, place: tuple[int, int]) -> None:
    with pytest.raises(TextError, match=message) as found:
        parse(text)
    assert (found.value.line, found.value.column) == place


def test_long_texts_and_many_words(monkeypatch: pytest.MonkeyPatch) -> None:
    long = "\\\\" * 100_000 + "x" * 100_000
    assert plain(parse(f'a: "{long}"'))["a"] == ["\\" * 100_000 + "x" * 100_000]
    with pytest.raises(TextError, match="a text without an end"):
        parse('a: "' + long)
    monkeypatch.setattr("archspec.formats.prototext.MAX_TOKENS", 30)
    with pytest.raises(TextError, match="words and signs") as found:
        parse("a:1 " * 11)
    assert found.value.large


def test_numbers_and_escapes() -> None:
    found = plain(parse(r"a: 0x1F b: -017 c: 1.5f d: -.5e-3 e: -inf f: 'a\n\101\x41\"' g: 1e400"))
    assert found == {
        "a": [31],
        "b": [-15],
        "c": [1.5],
        "d": [-0.0005],
        "e": [float("-inf")],
        "f": ['a\nAA"'],
        "g": [float("inf")],
    }
