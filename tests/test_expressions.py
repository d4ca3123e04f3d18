"""`$(…)`: values, refusals and their places."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.expressions import ExpressionError, evaluate_text

ENV = {"width": 64, "depths": [3, 4, 6, 3], "block": "basic", "wide": True, "rate": 0.5}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$(2 * width)", 128),
        ("$(width / 2)", 32.0),
        ("$(width // 3)", 21),
        ("$(-width % 10)", 6),
        ("$(2 ** 10)", 1024),
        ("$(depths[1])", 4),
        ("$(depths[-1])", 3),
        ("$(len(depths))", 4),
        ("$(max(depths))", 6),
        ("$(min(1, 2))", 1),
        ("$(round(2.6))", 3),
        ("$(ceil(7 / 2))", 4),
        ("$(sum(depths))", 16),
        ("$(sum(depths[:2]) + 1)", 8),
        ("$(sum(depths[:0]))", 0),
        ("$(depths[1:])", [4, 6, 3]),
        ("$(depths[1:-1])", [4, 6]),
        ("$(depths[2:9])", [6, 3]),
        ("$(floor(7 / 2))", 3),
        ("$(divisible(width, 8))", True),
        # Widths of MobileNet v2 ×1.4, ×0.35 and ×0.75 in the published models, and 90 % kept.
        ("$(make_divisible(32 * 1.4, 8))", 48),
        ("$(make_divisible(16 * 0.35, 8))", 8),
        ("$(make_divisible(24 * 0.75, 8))", 24),
        ("$(make_divisible(18, 8))", 24),
        ("$(make_divisible(3, 8, 4))", 4),
        ("$(2 if wide and not width < 3 else 1)", 2),
        ("$(1 < 2 <= 2)", True),
        ("$(width in [32, 64])", True),
        ("$(block == 'basic')", True),
        ("$(block)", "basic"),
        ("$(depths)", [3, 4, 6, 3]),
        ("$([1] + depths)", [1, 3, 4, 6, 3]),
        ("$(null)", None),
        ("$(true)", True),
        ("enc$(width)", "enc64"),
        ("$(block)_$(width + 1)", "basic_65"),
        ("on: $(wide)", "on: true"),
        ("$( ')' )", ")"),
        ("plain", "plain"),
    ],
)
def test_values(text: str, value: object) -> None:
    found = evaluate_text(text, ENV)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "words", "offset"),
    [
        ("$(widht)", "`widht` is not defined here", 2),
        ("$(1 + widht)", "`widht` is not defined here", 6),
        ("$(width.bit_length())", "not a function", 2),
        ("$(width.real)", "an attribute has no place", 2),
        ("$(__import__('os'))", "`__import__` is not a function", 2),
        ("$(open('x'))", "`open` is not a function", 2),
        ("$([x for x in depths])", "a comprehension has no place", 2),
        ("$(lambda: 1)", "lambda has no place", 2),
        ("$(f'{width}')", "an f-string has no place", 2),
        ("$(depths[9])", "index 9 is outside the list's 4 items", 2),
        ("$(depths[0:2:1])", "a part of a list has a beginning and an end", 2),
        ("$(depths[:rate])", "an index is a whole number, not 0.5", 2),
        ("$(width[:2])", "64 is not a list", 2),
        ("$(depths[nowhere:])", "`nowhere` is not defined here", 9),
        ("$(sum(width))", "sum cannot take 64: it takes a list", 2),
        ("$(sum(depths, 3))", "and 3: sum() takes 1 positional argument", 2),
        ("$(make_divisible(width * 0, 8))", "make_divisible cannot take 0 and 8: it takes numbers above 0", 2),
        ("$(make_divisible(-0.5, 8))", "make_divisible cannot take -0.5 and 8: it takes numbers above 0", 2),
        ("$(make_divisible(8, 0))", "make_divisible cannot take 8 and 0: it takes numbers above 0", 2),
        ("$(divisible(3))", "3: divisible() missing 1 required", 2),
        ("$(depths[:2, 1])", "a slice beside other indices has no place", 9),
        ("$(sum([1, wide]))", "arithmetic needs numbers, not true", 2),
        ("$(1 / 0)", "division by zero", 2),
        ("$(9 ** 9 ** 9)", "larger than 2^63", 2),
        ("$('a' * 99)", "arithmetic needs numbers", 2),
        ("$(1e308 * 10)", "not a finite number", 2),
        ("$(1 << 80)", "operator has no place", 2),
        ("$(block < 1)", "cannot be compared", 2),
        ("$(wide + 1)", "arithmetic needs numbers, not true", 2),
        ("$(width", "never closed", 0),
        ("$()", "empty", 2),
        ("$(1 +)", "not an expression", 4),
        ("x$(depths)", "cannot be inserted into text", 3),
        ("$(min())", "min cannot take nothing", 2),
        ("$(" + "(" * 300 + "1" + ")" * 300 + ")", "not an expression", 2),
        ("$(" + "-" * 900 + "1)", "nested too deeply", 2),
        ("$(" + "1+" * 600 + "1)", "at most 1000 characters", 2),
    ],
)
def test_refusals(text: str, words: str, offset: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate_text(text, ENV)
    assert words in caught.value.message
    if words == "division by zero":
        assert "max(1, …)" in (caught.value.help or "")
    if len(text) < 100:
        assert caught.value.offset == offset


@given(st.integers(-1000, 1000), st.integers(1, 50), st.sampled_from(["+", "-", "*", "//", "%", "/"]))
def test_arithmetic_is_pythons(a: int, b: int, operator: str) -> None:
    assert evaluate_text(f"$(a {operator} b)", {"a": a, "b": b}) == eval(f"a {operator} b", {}, {"a": a, "b": b})


@given(st.text(alphabet="$()[]{}'\"+-*/%<>=!&|^~.,:;abcdef0123456789 \n\\_", max_size=60))
def test_no_text_gets_past_an_answer(text: str) -> None:
    try:
        found = evaluate_text(f"$({text})", ENV)
    except ExpressionError as error:
        assert error.message
    else:
        # A text without a whole expression is a text, and what an expression gives is plain.
        assert isinstance(found, bool | int | float | str | list | None)
