"""Figures read the same on the page and in reports: one rule of rounding, run in both."""

from __future__ import annotations

import random

import pytest

from archspec.figures.units import mebibytes, si, significant
from tests.page.scripts import needs_node, run

MIB = 2**20

OPERATIONS: dict[float, str] = {
    0: "0",
    7: "7",
    999: "999",
    1000: "1 k",
    416_520: "416.5 k",
    # What rounds to a thousand has the next prefix.
    999_949: "999.9 k",
    999_950: "1 M",
    999_999_999: "1 G",
    4_089_184_256: "4.089 G",
    10**15: "1 P",
    999_950 * 10**12: "1 E",
    1234 * 10**18: "1234 E",
    # Half-way, the even one.
    100.25: "100.2",
    100.75: "100.8",
    10.125: "10.12",
    10.375: "10.38",
}

BYTES = {
    0: "0 B",
    999: "999 B",
    1000: "0.977 KiB",
    104_857: "102 KiB",
    104_858: "0.1 MiB",
    6 * MIB + MIB // 8: "6.12 MiB",
    6 * MIB + 3 * MIB // 8: "6.38 MiB",
    999 * MIB: "999 MiB",
    999 * MIB + MIB // 2 - 1: "999 MiB",
    999 * MIB + MIB // 2: "1,000 MiB",
    1023 * MIB + 1: "1,023 MiB",
    1024 * MIB: "1 GiB",
    1024 * MIB + 1: "1,024 MiB",
    1500 * MIB + MIB // 2: "1,500 MiB",
    1501 * MIB + MIB // 2: "1,502 MiB",
    16 * 1024 * MIB: "16 GiB",
    1024 * 1024 * MIB: "1,024 GiB",
}

SCRIPT = "console.log(JSON.stringify([given[0].map((value) => si(value)), given[1].map(mebibytes)]));"


@pytest.mark.parametrize(("value", "text"), OPERATIONS.items())
def test_operations_have_prefixes(value: float, text: str) -> None:
    assert si(value) == text


@pytest.mark.parametrize(("value", "text"), BYTES.items())
def test_bytes_have_units(value: int, text: str) -> None:
    assert mebibytes(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(2.5, "2"), (-3.5, "-4"), (0.0625, "0.06"), (1e-7, "0.0000001"), (100, "100")]
)
def test_significant_digits_have_no_exponent(value: float, text: str) -> None:
    assert significant(value, 1) == text


@needs_node
def test_the_page_writes_the_same() -> None:
    assert run(SCRIPT, [list(OPERATIONS), list(BYTES)], "format") == [list(OPERATIONS.values()), list(BYTES.values())]


@needs_node
def test_the_page_writes_the_same_of_any_number() -> None:
    drawn = random.Random(5)
    numbers = [round(10 ** drawn.uniform(0, 19)) for _ in range(2000)]
    # Numbers that lie half-way between two of few digits.
    numbers += [(drawn.randint(1, 99_999) * 10 + 5) * 10 ** drawn.randint(0, 9) for _ in range(1000)]
    sizes = [round(2 ** drawn.uniform(0, 45)) for _ in range(2000)]
    sizes += [drawn.randint(1, 99_999) * 2 ** drawn.randint(7, 30) for _ in range(2000)]
    numbers = [number for number in numbers if number < 2**53]
    assert run(SCRIPT, [numbers, sizes], "format") == [list(map(si, numbers)), list(map(mebibytes, sizes))]


@needs_node
def test_an_axis_of_bytes_has_one_unit() -> None:
    script = "console.log(JSON.stringify(given.map((top) => byteTicks(top, 3))));"
    assert run(script, [1.57 * 1024, 200 * 1024, 3 * MIB, 300, 0], "format") == [
        [[0, "0"], [1024, "1 KiB"]],
        [[0, "0"], [100 * 1024, "100 KiB"], [200 * 1024, "200 KiB"]],
        [[0, "0"], [MIB, "1 MiB"], [2 * MIB, "2 MiB"], [3 * MIB, "3 MiB"]],
        [[0, "0"], [100, "100 B"], [200, "200 B"], [300, "300 B"]],
        [[0, "0"]],
    ]
