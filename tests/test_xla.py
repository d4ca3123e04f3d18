"""XLA's own figures: what is asked, what is said where XLA is silent, and what the report shows."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from archspec import cli
from archspec.loading import load
from archspec.lowerings.choosing import BY_LIBRARY
from archspec.optimisers.sgd import Sgd
from archspec.reports.cells import text
from archspec.xla import CrossCheck, cross_check, flops_of, lowered, memory_parts, table, total


def test_forward_operations_agree_where_nothing_is_padded() -> None:
    check = cross_check(load("lenet5"), 8, "eval")
    assert check.flops == 8 * load("lenet5").graph().flops
    assert check.flops_ratio == pytest.approx(1, abs=0.01)
    assert check.xla_bytes == total(check.xla_parts)


@pytest.mark.slow
def test_a_graph_and_its_spec_are_the_same_network() -> None:
    spec = load("lenet5")
    # The recipe of lenet5 has the default's optimiser.
    for mode in ("eval", "train"):
        ours, theirs = cross_check(spec.graph(), 4, mode), cross_check(spec, 4, mode)
        assert ours.bytes == theirs.bytes
    assert cross_check(spec.graph(), 4).xla_flops == cross_check(spec, 4).xla_flops


@pytest.mark.slow
def test_a_spec_without_a_recipe_is_given_one() -> None:
    spec = load("resnet20")
    check = cross_check(spec, 2, "train")
    # XLA leaves out multiplications with zero padding, a good tenth of those on maps of 32×32 to 8×8.
    assert check.flops_ratio is not None and 0.95 < check.flops_ratio < 1.25


def test_a_forward_pass_is_that_of_predict() -> None:
    """With batch norms folded in, and in 16 bits with kernels of these; what XLA's figures are compared with is not."""
    spec = load("resnet18")

    def program(**settings: Any) -> str:
        made = lowered(spec, 1, "eval", lowerings=BY_LIBRARY, **settings)
        return str(made.function.lower(*made.shapes).as_text())

    assert "rsqrt" not in program() and "rsqrt" in program(passes=())
    multiplied = [line for line in program(precision="bfloat16").splitlines() if "stablehlo.convolution" in line]
    assert len(multiplied) == 20 and all(line.count("bf16>") == 3 for line in multiplied)


@pytest.mark.slow
def test_an_optimiser_takes_the_place_of_the_recipes() -> None:
    plain, momentum = (cross_check(load("lenet5"), 4, "train", Sgd(learning_rate=0.1, momentum=m)) for m in (0, 0.9))
    weights = 4 * load("lenet5").graph().params
    for of in ("bytes", "xla_bytes"):
        assert getattr(momentum, of) - getattr(plain, of) == pytest.approx(weights, rel=0.15)


def test_nothing_is_allocated() -> None:
    import jax

    before = len(jax.live_arrays())
    cross_check(load("lenet5"), 2, "train")
    assert len(jax.live_arrays()) == before


@pytest.mark.parametrize("found", [{"flops": 7.0}, [{"flops": 7.0}], ({"flops": 7.0},)])
def test_operations_of_older_and_newer_jax(found: Any) -> None:
    assert flops_of(SimpleNamespace(cost_analysis=lambda: found)) == 7


@pytest.mark.parametrize("found", [None, [], {}, [{}]])
def test_a_backend_may_be_silent(found: Any) -> None:
    compiled = SimpleNamespace(cost_analysis=lambda: found, memory_analysis=lambda: None)
    assert flops_of(compiled) is None
    assert memory_parts(compiled) == {}
    check = CrossCheck("eval", 1, "tpu", 10, None, 20, total({}), {}, "0")
    assert check.flops_ratio is None and check.bytes_ratio is None
    assert text(table([check])).count("not said") == 2


def test_what_is_not_counted_on_a_gpu_is_said() -> None:
    check = CrossCheck("eval", 1, "gpu", 10, 2, 20, 20, {}, "0")
    assert "XLA does not count" in text(table([check]))
    assert "XLA does not count" not in text(table([dataclasses.replace(check, backend="cpu")]))


@pytest.mark.slow
def test_the_report_shows_both(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", "lenet5", "--xla", "--batch", "2"]) == 0
    printed = capsys.readouterr().out
    assert "forward pass, memory" in printed and "training step, FLOPs" in printed and "here / XLA" in printed
    assert cli.main(["report", "lenet5", "--xla", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [check["mode"] for check in found["xla"]] == ["eval", "train"]
    assert found["xla"][0]["flops"] == found["totals"]["flops"]
    assert cli.main(["report", "lenet5", "--format", "json"]) == 0
    assert "xla" not in json.loads(capsys.readouterr().out)


def test_a_network_without_a_training_step_is_told_of(
    write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write("""
input: {height: 8, width: 8, channels: 3}
layers:
  - conv: {filters: 4, kernel: 3}
""")
    assert cli.main(["report", str(path), "--xla"]) == 1
    assert "E501" in (said := capsys.readouterr().err) and "is a map of 6×6×4" in said
    assert cli.main(["report", "lenet5", "--xla", "--format", "csv"]) == 1
    assert "CSV has the layers alone" in capsys.readouterr().err
    check = cross_check(load(path), 2)
    assert check.flops == 2 * load(path).graph().flops and check.xla_bytes


def test_what_the_compiler_raises_is_told_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import jax

    def fails(*_: Any) -> Any:
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 99 bytes.")

    monkeypatch.setattr("archspec.xla.compile_program", fails)
    assert cli.main(["report", "lenet5", "--xla"]) == 1
    err = capsys.readouterr().err
    assert "error[E902]: there is not enough memory" in err and "99 bytes" in err
    assert "`--batch`" in err
