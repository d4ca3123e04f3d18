"""Protobuf's wire format against Google's own library, which writes it, and against files that are damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from archspec.formats import protobuf
from archspec.formats.mapping import DamagedError, mapped
from archspec.formats.protobuf import MAX_DEPTH, Message

ATTRIBUTE = onnx.AttributeProto(
    name="pads",
    type=onnx.AttributeProto.INTS,
    i=-(2**63),
    f=0.25,
    s=b"caf\xc3\xa9",
    ints=[0, 1, 127, 128, -1, 2**62, -5],
    floats=[1.5, -2.0, 3e-30],
    strings=[b"a", b"", b"b"],
    t=onnx.TensorProto(dims=[2, 3], data_type=11, double_data=[0.1] * 6, name="inner"),
    g=onnx.GraphProto(node=[onnx.NodeProto(op_type="Relu"), onnx.NodeProto(op_type="Add")]),
)


def message(content: bytes) -> Message:
    return Message(memoryview(content))


def test_fields_are_those_that_the_formats_own_library_wrote() -> None:
    read = message(ATTRIBUTE.SerializeToString())
    assert read.text(1) == "pads"
    assert read.number(3) == -(2**63)
    assert read.real(2) == 0.25
    assert bytes(read.content(4)).decode() == "café"
    assert read.numbers(8) == list(ATTRIBUTE.ints)
    np.testing.assert_array_equal(read.reals(7), np.array(ATTRIBUTE.floats, np.float32))
    assert read.texts(9) == ["a", "", "b"]
    assert read.message(5).text(8) == "inner"
    np.testing.assert_array_equal(read.message(5).reals(10, 8), [0.1] * 6)
    assert [node.text(4) for node in read.message(6).messages(1)] == ["Relu", "Add"]
    assert 99 not in read
    assert read.number(99, 7) == 7
    assert read.text(99, "none") == "none"
    assert read.message(99).size == 0
    assert read.numbers(99) == []
    assert read.reals(99).size == 0


def test_repeated_numbers_are_read_packed_and_one_by_one() -> None:
    packed = b"\x0a\x03\x01\x96\x01" + b"\x12\x08" + np.array([1, 2], "<f4").tobytes()
    single = b"\x08\x01\x08\x96\x01" + b"".join(b"\x15" + np.float32(value).tobytes() for value in (1, 2))
    for content in (packed, single):
        assert message(content).numbers(1) == [1, 150]
        np.testing.assert_array_equal(message(content).reals(2), [1, 2])


def test_arrays_lie_over_the_files_own_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.pb"
    numbers = np.arange(1000, dtype="<f4")
    path.write_bytes(onnx.TensorProto(float_data=numbers.tolist()).SerializeToString())
    with mapped(path) as content:
        array = Message(content).reals(4)
        assert not array.flags.owndata
        assert not array.flags.writeable
        np.testing.assert_array_equal(array, numbers)


def test_an_empty_file_is_no_file_of_a_model(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(DamagedError, match="is empty"), mapped(tmp_path / "empty"):
        pass


def walk(read: Message, depth: int = 0) -> None:
    """Everything of a message, whatever its fields are."""
    for number in (1, 3, 8, 9):
        read.numbers(number)
    for number in (2, 7):
        read.reals(number)
    read.text(4)
    if depth < 3:
        for inner in read.messages(6):
            walk(inner, depth + 1)


def test_of_a_file_cut_short_or_changed_nothing_but_damage_is_said() -> None:
    whole = ATTRIBUTE.SerializeToString()
    said = 0
    for at in range(len(whole)):
        for content in (whole[:at], whole[:at] + b"\xff" + whole[at + 1 :], whole[:at] + b"\x0b" + whole[at + 1 :]):
            try:
                walk(message(content))
            except DamagedError:
                said += 1
    assert said > len(whole)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x08" + b"\xff" * 11, "more than ten bytes"),
        (b"\x0a\xff\xff\xff\xff\x7fab", "ends early"),
        (b"\x00\x01", "field of number 0"),
        (b"\x0b\x0c", "field of type 3"),
        (b"\x08", "ends early"),
    ],
)
def test_damage_is_told(content: bytes, words: str) -> None:
    with pytest.raises(DamagedError, match=words):
        message(content)


def test_messages_within_messages_are_bounded() -> None:
    content = b""
    for _ in range(MAX_DEPTH + 2):
        size = len(content)
        content = b"\x0a" + (bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])) + content
    read = message(content)
    with pytest.raises(DamagedError, match="within messages"):
        while read.size:
            read = read.message(1)


def test_fields_of_all_messages_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protobuf, "MAX_FIELDS", 100)
    inner = b"\x08\x01" * 40
    read = message(b"\x0a\x50" + inner)
    read.message(1)
    read.message(1)
    with pytest.raises(DamagedError, match="more than 100 fields"):
        read.message(1)


def test_listed_numbers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protobuf, "MAX_NUMBERS", 10)
    with pytest.raises(DamagedError, match="more than 10 whole numbers"):
        message(b"\x0a\x0b" + b"\x01" * 11).numbers(1)


def test_a_field_of_another_type_is_damage() -> None:
    read = message(b"\x08\x01\x12\x03abc")
    for ask in (lambda: read.content(1), lambda: read.number(2), lambda: read.real(2), lambda: read.reals(2)):
        with pytest.raises(DamagedError, match="something else than"):
            ask()
