"""Specs that would grow beyond bounds are refused at once; every number that makes size is bounded where it is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archspec.diagnostics import SpecError
from archspec.loading import open_spec, open_specs
from archspec.reports import report
from tests import findings
from tests.effort import calls, growth

INPUT = "input: {height: 16, width: 16, channels: 4}\n"
Write = Callable[..., Path]


def codes(path: Path) -> list[str]:
    """The codes of what is wrong, found without expanding what would grow."""
    found: list[str] = []
    assert calls(lambda: found.extend(findings.codes(path))) < 500_000
    return found


ROUNDS = 'repeat: {times: 1000, as: j, layers: [{relu: {name: "r$(i * j)"}}]}'
BOMBS = {
    "repeat": ("{repeat: {times: 1000000000, layers: [relu]}}", "E401"),
    "nested": ("{repeat: {times: 1000, layers: [{repeat: {times: 1000, layers: [relu]}}]}}", "E401"),
    "counted": ("{repeat: {times: 1000, as: i, layers: [{" + ROUNDS + "}]}}", "E401"),
    "filters": ("{conv: {filters: 1000000000000000000000000000000, kernel: 1}}", "E206"),
    "kernel": ("{conv: {filters: 1, kernel: 1000000000000000000000000000000}}", "E206"),
    "units": ("{dense: 1000000000000000000000000000000}", "E206"),
    "power": ("{dense: $(9 ** 9 ** 9)}", "E202"),
    "text": ("{dense: $('x' * 1000000000)}", "E202"),
    "round": ('{dense: "$(round(7, -1000000000))"}', "E202"),
    "format": ("{dense: \"$(divisible('%3000000000d', 3))\"}", "E202"),
    "modulo": ("{dense: $('%3000000000d' % 3)}", "E202"),
    "shift": ("{dense: $(1 << 1000000000)}", "E202"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_entries_and_expressions(write: Write, name: str) -> None:
    entry, code = BOMBS[name]
    assert codes(write(INPUT + f"layers: [{entry}]"))[:1] == [code]


def test_blocks_that_call_blocks_are_counted_before_they_are_expanded(write: Write) -> None:
    blocks = "".join(f"  b{i}: {{layers: [{', '.join([f'b{i + 1}'] * 10)}]}}\n" for i in range(8))
    assert codes(write(INPUT + "blocks:\n" + blocks + "  b8: {layers: [relu]}\nlayers: [b0]")) == ["E401"]


@pytest.mark.parametrize("whole", [True, False])
def test_arguments_of_lists_of_lists(write: Write, whole: bool) -> None:
    lines = ["  a0: [1, 2]"]
    for n in range(1, 9):
        names = [f"a{n - 1}" if whole else f"$(a{n - 1})"] * 10
        lines.append(f"  a{n}: " + ("$([" + ", ".join(names) + "])" if whole else "[" + ", ".join(names) + "]"))
    assert "E202" in codes(write("args:\n" + "\n".join(lines) + "\n" + INPUT + "layers: [{dense: $(len(a8))}]"))


@pytest.mark.parametrize(
    "line",
    [
        "schedule: {step: {milestones: [1.0e+308]}}",
        "schedule: {constant: {warmup: 1.0e+308}}",
        "augment: {random_crop: 1000000000}",
        "augment: {random_crop: 17}",
        "dataset: {image_folder: {path: x, size: [1000000, 1000000]}}",
        "dataset: {digit_canvas: {train: 1000000000}}",
        "epochs: 1000000000000000000000000000000",
        "batch_size: 1000000000000000000000000000000",
    ],
)
def test_numbers_of_a_recipe(write: Write, line: str) -> None:
    assert codes(write(INPUT + f"layers: [relu]\ntrain: {{{line}}}")) == ["E206"]


def test_a_crop_up_to_the_images_own_size_is_taken(write: Write) -> None:
    assert codes(write(INPUT + "layers: [flatten, dense: 2]\ntrain: {augment: {random_crop: 16}}")) == []


LONG: dict[str, Callable[[int], str]] = {
    "from": lambda n: "layers:\n" + "  - relu: {from: input}\n" * n + "  - relu",
    "names": lambda n: (
        "layers:\n  - relu: {name: r0}\n" + "".join(f"  - relu: {{name: r{i}, from: r{i - 1}}}\n" for i in range(1, n))
    ),
    "blocks": lambda n: (
        ("blocks:\n" + "".join(f"  b{i}: {{layers: [relu]}}\n" for i in range(n)) + "layers:\n")
        + "".join(f"  - b{i}\n" for i in range(n))
    ),
    "arguments": lambda n: (
        "args:\n"
        + "".join(f"  a{i}: {i}\n" for i in range(n))
        + f"layers: [{{repeat: {{times: {n}, as: i, layers: ["
        + '{relu: {name: "r$(i)"}}]}}]'
    ),
    "unknown": lambda n: "layers:\n" + "".join(f"  - relu: {{name: r{i}, from: q{i}}}\n" for i in range(n)),
    "join": lambda n: "layers:\n  - relu\n  - add: {from: [" + ", ".join(["relu1"] * n) + "]}\n",
}


def test_each_variant_of_many_is_looked_up_once(write: Write) -> None:
    """Work for one variant that grows with their number makes the whole file quadratic: 64 times the calls."""

    def opened(count: int) -> Callable[[], object]:
        variants = "".join(f"  v{i}: {{width: {i}}}\n" for i in range(count))
        path = str(write(f"args: {{width: 1}}\nvariants:\n{variants}{INPUT}layers: [relu]", f"{count}.yaml"))
        assert len(open_specs(path)) == count + 1
        return lambda: open_specs(path)

    assert growth(opened, 125, 1_000) < 10


@pytest.mark.parametrize("name", LONG)
def test_work_grows_with_the_length_and_no_faster(write: Write, name: str) -> None:
    """Eight times the length takes eight times the calls; quadratic growth would take 64 times."""

    def validated(count: int) -> Callable[[], object]:
        path = write(INPUT + LONG[name](count), f"{count}.yaml")
        return lambda: findings.found(path)

    assert growth(validated, 400, 3_200) < 10


def test_an_image_is_not_scaled_beyond_the_largest_that_is_read(write: Write) -> None:
    """Its shorter side before the middle is kept: 11,585² is below 2²⁷ pixels, 11,586² above."""
    spec = "input: {height: 8, width: 8, channels: 1, fit: crop, short_side: SIDE}\nlayers: [relu]"
    assert codes(write(spec.replace("SIDE", "11585"))) == []
    assert codes(write(spec.replace("SIDE", "11586"))) == ["E206"]


def test_a_list_that_is_too_long_is_told_of_in_words(write: Write) -> None:
    schedule = f"schedule: {{step: {{milestones: {list(range(1, 10_002))}}}}}"
    with pytest.raises(SpecError, match="`milestones` of step must have at most 10000 items"):
        open_spec(str(write(INPUT + f"layers: [relu]\ntrain: {{{schedule}}}"))).graph()


@pytest.mark.parametrize(
    "entry",
    ["{unpool: 2000000000}", "{pad: 2000000000}", "{transposed_conv: {filters: 1, kernel: 3, stride: 2000000000}}"],
)
def test_maps_grow_up_to_a_bound(write: Write, entry: str) -> None:
    assert codes(write(INPUT + "layers:\n" + f"  - {entry}\n" * 40))[:1] == ["E301"]


def test_strides_upon_strides_are_no_numbers_without_end(write: Write) -> None:
    path = write(INPUT + "layers:\n" + "  - max_pool: {window: 1, stride: 2147483647}\n" * 60)
    assert "E901" not in codes(path)
    graph = open_spec(str(path)).graph()
    assert str(report(graph))
