"""YAML 1.2 reading: values, places, refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.diagnostics import Findings
from archspec.located import Mapping, Scalar, Sequence, merged
from archspec.source import MAX_ALIASED, MAX_BYTES, MAX_DEPTH, read_file, read_text


def parse(text: str) -> tuple[object, Findings]:
    findings = Findings()
    value = read_text(text, "t.yaml", findings)
    return (value.plain if value else None), findings


def codes(text: str) -> list[str]:
    return [item.code for item in parse(text)[1].items]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("true", True),
        ("False", False),
        ("5e-4", 5e-4),
        ("1E3", 1e3),
        (".5", 0.5),
        ("1.", 1.0),
        ("-7", -7),
        ("+7", 7),
        ("0x1F", 31),
        ("0o17", 15),
        ("017", 17),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2001-12-14", "2001-12-14"),
        ("~", None),
        ("null", None),
        ("''", ""),
        ("'5'", "5"),
        ('"true"', "true"),
        (".inf", float("inf")),
        ("1.2.3", "1.2.3"),
        ("!!str 5", "5"),
        ("!!int 5", 5),
        ("$(2 * width)", "$(2 * width)"),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    found, findings = parse(f"key: {text}")
    assert not findings.items
    assert found == {"key": value}
    assert type(found["key"]) is type(value)


def test_every_key_and_value_knows_its_place() -> None:
    findings = Findings()
    root = read_text("a: [1, {bc: hello}]\nd:\n  - e\n", "t.yaml", findings)
    assert isinstance(root, Mapping)
    inner = root.get("a")
    assert isinstance(inner, Sequence)
    assert (inner.span.line, inner.span.column, inner.span.end_column) == (1, 4, 20)
    mapping = inner.items[1]
    assert isinstance(mapping, Mapping)
    key, value = mapping.entries["bc"]
    assert (key.span.line, key.span.column) == (1, 9)
    assert (value.span.line, value.span.column, value.span.end_column) == (1, 13, 18)
    last = root.get("d")
    assert isinstance(last, Sequence)
    assert (last.items[0].span.line, last.items[0].span.column) == (3, 5)


def test_offsets_inside_quotes_are_columns() -> None:
    root = read_text('a: "x$(y)"', "t.yaml", Findings())
    assert isinstance(root, Mapping)
    value = root.get("a")
    assert isinstance(value, Scalar)
    assert value.span_at(3, 1).column == 8


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: 1\na: 2", "E108"),
        ("a: !!python/object:os.system x", "E105"),
        ("a: !mine x", "E105"),
        ("a: !!int x", "E105"),
        ("a: *nothing", "E110"),
        ("a: &x [*x]", "E110"),
        ("5: a", "E107"),
        ("? [a]\n: b", "E107"),
        ("<<: 3", "E107"),
        ("<<: [{a: 1}, 3]", "E107"),
        ("a: [1", "E104"),
        ("a: {t: $(d[0])}", "E104"),
        ("\ta: 1", "E104"),
        ("---\na\n---\nb", "E104"),
        ("a: \x01", "E104"),
        ("", "E103"),
        ("# nothing", "E103"),
        ("[" * 5000, "E106"),
        ("{a: " * 5000, "E106"),
        ("a: " + "9" * 5000, "E109"),
        ("a: 1e999999999", None),
    ],
)
def test_what_is_no_spec_is_answered(text: str, code: str | None) -> None:
    assert codes(text)[:1] == ([code] if code else [])


def test_depth_up_to_the_bound_is_read() -> None:
    assert codes("a: " + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)) == []
    assert codes("a: " + "[" * MAX_DEPTH + "]" * MAX_DEPTH) == ["E106"]


def test_aliases_are_bounded_by_what_they_expand_to() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
    )
    assert codes(bomb) == ["E106"]
    value, findings = parse("a: &a [1, 2]\nb: *a\n")
    assert value == {"a": [1, 2], "b": [1, 2]}
    assert not findings.items
    assert MAX_ALIASED > 1000


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    def code(path: Path) -> str:
        findings = Findings()
        assert read_file(path, findings) is None
        return findings.items[0].code

    assert code(tmp_path / "none.yaml") == "E101"
    assert code(tmp_path) == "E101"
    bad = tmp_path / "latin.yaml"
    bad.write_bytes(b"name: caf\xe9\n")
    assert code(bad) == "E102"
    bad.write_bytes(b"a" * (MAX_BYTES + 1))
    assert code(bad) == "E101"
    bad.write_text("- a\n")
    assert code(bad) == "E103"
    bad.write_bytes(b"\xef\xbb\xbfname: x\n")
    assert read_file(bad, Findings()) is not None


def test_merging_replaces_all_but_mappings() -> None:
    base = read_text("a: {x: 1, y: [1, 2]}\nb: 1", "base", Findings())
    over = read_text("a: {y: [3]}\nc: 2", "over", Findings())
    assert base is not None
    assert over is not None
    assert merged(base, over).plain == {"a": {"x": 1, "y": [3]}, "b": 1, "c": 2}


def test_pure_python_parser_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml

    text = 'a: [1, {b: "c"}]\nd: &x no\ne: *x\n'
    fast = parse(text)[0]
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    assert parse(text)[0] == fast == {"a": [1, {"b": "c"}], "d": "no", "e": "no"}


def test_merge_keys_lay_mappings_below() -> None:
    findings = Findings()
    value = read_text("a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {<<: [*a, *b], x: 9}", "text", findings)
    assert value is not None and not findings.items
    assert value.plain["c"] == {"x": 9, "y": 2, "z": 4}


def test_merge_keys_are_bounded_as_aliases_are() -> None:
    lines = ["a0: &a0 {" + ", ".join(f"k{i}: [1, 1, 1, 1]" for i in range(50)) + "}"]
    lines += [f"a{n}: &a{n} {{x{n}: [{', '.join([f'*a{n - 1}'] * 40)}]}}" for n in range(1, 6)]
    findings = Findings()
    assert read_text("\n".join([*lines, "b: {<<: *a5}"]), "text", findings) is None
    assert [item.code for item in findings.items] == ["E106"]


def test_a_file_that_is_read_again_is_what_it_now_says_and_its_faults_are_told_of_again(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    for text, told in (("a: 1", []), ("a: 1", []), ("a: 2", []), ("a: 2\na: 3", ["E108"]), ("a: 2\na: 3", ["E108"])):
        file.write_text(text)
        findings = Findings()
        value = read_file(file, findings)
        assert [item.code for item in findings.items] == told
        assert told or (value is not None and value.plain == {"a": int(text[-1])})
        source = findings.files[file]
        assert source is not None and source.text == text


def test_the_byte_that_is_no_utf8_is_told_behind_a_mark_too(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfname: a\nx: \xff\n")
    findings = Findings()
    assert read_file(tmp_path / "a.yaml", findings) is None
    assert "byte 0xff at offset 14 (line 2)" in findings.items[0].message
