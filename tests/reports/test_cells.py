"""Tables in every format say the same, whatever the cells contain."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.reports.cells import WRITERS, Cell, Table, csv_text, latex, latex_escape, markdown, short, shown, text
from archspec.reports.roofline import seconds

TABLE = Table(
    ("layer", "MACs"),
    [("a|b_c", Cell("4.089 G", 4089184256)), ("50 % & more, \\ {x}", Cell("", None))],
    (False, True),
    caption=["two layers"],
    notes=["a note"],
    foot=[("total", Cell("4.089 G", 4089184256))],
    keys=("layer", "macs"),
)


def test_csv_has_raw_numbers_keys_and_nothing_else() -> None:
    assert list(csv.reader(io.StringIO(csv_text(TABLE)))) == [
        ["layer", "macs"],
        ["a|b_c", "4089184256"],
        ["50 % & more, \\ {x}", ""],
    ]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=2, max_size=2))
def test_csv_comes_back_as_it_was(row: list[str]) -> None:
    table = Table(("a", "b"), [row], (False, False))
    assert list(csv.reader(io.StringIO(csv_text(table), newline="")))[1] == [shown(cell) for cell in row]


def test_markdown_keeps_its_columns_and_says_how_they_align() -> None:
    lines = markdown(TABLE).splitlines()
    head = lines.index(next(line for line in lines if line.startswith("| layer")))
    for line in lines[head : head + 5]:
        assert len(re.findall(r"(?<!\\)\|", line)) == 3, line
    assert re.fullmatch(r"\|-+\|-+:\|", lines[head + 1])
    assert r"a\|b_c" in lines[head + 2]


def test_latex_escapes_what_latex_reads() -> None:
    assert latex_escape("50 % & $x_1$ #2 {a} ~ ^ \\ 3×3 --x") == (
        r"50 \% \& \$x\_1\$ \#2 \{a\} \textasciitilde{} \textasciicircum{} \textbackslash{} 3$\times$3 -{}-x"
    )
    assert latex_escape("[1, 2]").startswith("{}")  # else it would be the option of the \\ before it
    written = latex(TABLE)
    assert all(part in written for part in (r"\toprule", r"\midrule", r"\bottomrule", r"\begin{tabular}{lr}"))
    assert r"4.089 G \\" in written


@pytest.mark.parametrize("rows", [3, 60])
def test_latex_environments_are_closed_and_rows_have_equal_cells(rows: int) -> None:
    written = latex(Table(("a", "b", "c"), [("x", "&", "y")] * rows, (False, True, True), caption=["c"]))
    assert re.findall(r"\\begin\{(\w+)\}", written) == re.findall(r"\\end\{(\w+)\}", written)[::-1]
    assert ("longtable" in written) == (rows > 45)
    body = [line for line in written.splitlines() if line.endswith(r"\\") and "caption" not in line]
    assert all(len(re.findall(r"(?<!\\)&", line)) == 2 for line in body) and len(body) == rows + 1


def test_html_is_escaped_and_balanced() -> None:
    class Balance(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []
            self.said: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.open += [] if tag == "br" else [tag]

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

        def handle_data(self, data: str) -> None:
            self.said.append(data)

    seen = Balance()
    seen.feed(WRITERS["html"](Table(("<b>",), [("a & <script>",)], (False,), caption=["<i>"], notes=["</p>"])))
    assert seen.open == [] and seen.said == ["<i>", "<b>", "a & <script>", "</p>"]


def test_text_is_aligned_and_free_of_control_characters() -> None:
    lines = text(TABLE).splitlines()
    assert lines[0] == "two layers" and lines[-1] == "a note"
    numbers = [line for line in lines if line.endswith("4.089 G")]
    assert len({len(line) for line in numbers}) == 1 and len(numbers) == 2
    assert "\x1b" not in text(Table(("a",), [("\x1b[31mred\nline",)], (False,)))


@pytest.mark.parametrize("form", ["text", "markdown", "latex", "html"])
def test_lines_without_columns_make_no_table(form: str) -> None:
    said = WRITERS[form](Table([], [], [], ["assumptions", "- a < b"], ["50 %"]))
    assert "assumptions" in said and "50" in said
    assert "|" not in said and "tabular" not in said and "<table" not in said


def test_transposed_tables_have_the_same_cells() -> None:
    turned = TABLE.transposed("layer")
    assert list(turned.head) == ["layer", "a|b_c", "50 % & more, \\ {x}"]
    assert turned.rows[0][0] == "MACs" and turned.rows[0][1] == Cell("4.089 G", 4089184256)


def test_rows_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="2 columns"):
        Table(("a", "b"), [("x",)], (False, False))


def test_numbers_that_round_up_take_the_next_unit() -> None:
    assert [short(value) for value in (0.25, 12.34, 999.4, 999.6, 1234, 123456)] == [
        "0.25", "12.3", "999", "1,000", "1,230", "123,000",
    ]  # fmt: skip
    times = (0, 5e-10, 9.994e-7, 9.996e-7, 0.00123, 0.9994, 0.9996, 12.34, 999.6, 54321)
    assert [seconds(value) for value in times] == [
        "0", "0.5 ns", "999 ns", "1 µs", "1.23 ms", "999 ms", "1 s", "12.3 s", "1,000 s", "54,321 s",
    ]  # fmt: skip


def test_no_table_has_exponents() -> None:
    """A layer of a large batch does thousands of operations a byte."""
    import archspec
    from archspec.figures.devices import find_device
    from archspec.figures.roofline import predict
    from archspec.reports import roofline

    graph = archspec.load("vgg16").graph()
    for made in (
        str(archspec.report(graph, batch=512)),
        roofline.render(predict(graph, find_device("a100"), batch=512)),
    ):
        assert not re.search(r"\de[+-]\d", made)
