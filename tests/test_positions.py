"""Lines and columns, as YAML and as editors count them."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from archspec.positions import Lines, Moved, Position

BREAKS = st.sampled_from(["\n", "\r\n", "\r", "\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c"])
TEXTS = st.lists(st.one_of(BREAKS, st.text("aé漢😀 ", max_size=4)), max_size=12).map("".join)


@given(TEXTS)
@example("a\r\nb")
def test_offsets_and_positions_are_each_other_undone(text: str) -> None:
    lines = Lines(text)
    for offset in range(len(text) + 1):
        position = lines.position(offset)
        # Between the two characters of one end of a line is no place of its own.
        if text[offset - 1 : offset + 1] != "\r\n":
            assert lines.offset(position) == offset


@given(TEXTS)
def test_lines_are_those_of_the_parser(text: str) -> None:
    """libyaml's marks say in which line and column a scalar begins."""
    whole = text + "\nkey: 1"
    try:
        events = list(yaml.parse(whole, Loader=yaml.CLoader))
    except yaml.YAMLError:
        return
    for event in events:
        if isinstance(event, yaml.ScalarEvent) and event.value == "key":
            assert event.start_mark is not None
            place = Position(event.start_mark.line + 1, event.start_mark.column + 1)
            assert Lines(whole).offset(place) == len(text) + 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
@given(TEXTS)
def test_editors_places_count_code_units(encoding: str, text: str) -> None:
    lines = Lines(text)
    for offset in range(len(text) + 1):
        line, units = lines.to_editor(lines.position(offset), encoding)
        before = text[:offset].replace("\r\n", "\n").replace("\r", "\n")
        if text[offset - 1 : offset + 1] == "\r\n":
            continue
        assert line == before.count("\n")
        width = {"utf-8": 1, "utf-16": 2, "utf-32": 4}[encoding]
        last = before.rpartition("\n")[2]
        assert units == len(last.encode(f"{encoding}-le" if width > 1 else encoding)) // width
        assert lines.from_editor(line, units, encoding) == lines.position(offset)


def test_places_beyond_the_text_are_its_end() -> None:
    lines = Lines("ab\nc")
    assert lines.from_editor(0, 99) == Position(1, 3)
    assert lines.from_editor(99, 0) == Position(2, 2)
    assert lines.offset(Position(1, 99)) == 2
    assert lines.from_editor(0, 1, "utf-16") == Position(1, 2)


@given(st.lists(st.sampled_from("abc"), max_size=8), st.lists(st.sampled_from("abc"), max_size=8))
def test_lines_that_were_not_changed_are_found_again(old: list[str], new: list[str]) -> None:
    moved = Moved("\n".join(old), "\n".join(new))
    before, after = "\n".join(old).split("\n"), "\n".join(new).split("\n")
    for number, line in enumerate(before, 1):
        now = moved.line(number)
        if now is not None:
            assert after[now - 1] == line
            assert moved.back(now) == number
    if before == after:
        assert all(moved.line(number) == number for number in range(1, len(before) + 1))
