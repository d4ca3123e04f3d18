"""Who chooses a candidate: a record before what was tuned, that before the rules, and the library where nobody does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import pytest
from jaxlib import version

from archspec.lowerings import choosing, device
from archspec.lowerings.candidates import LIBRARY, names
from archspec.lowerings.case import Case
from archspec.lowerings.choosing import BY_LIBRARY, Choice, Lowerings, Why
from archspec.lowerings.compiling import jit
from archspec.lowerings.device import ONEDNN, Device, has_onednn, this_device, version_of
from archspec.lowerings.rules import TABLES, rule_for
from archspec.lowerings.rules._rule import Rule

Write = Callable[..., Path]

POINTWISE = Case("conv", 2, (5, 6), 3, 4, (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), 1, "float32")
WINDOW = POINTWISE._replace(kernel=(3, 3))
CPU = Device("cpu", "cpu", (0, 10, 2), False)


def test_a_record_comes_before_what_was_tuned_and_that_before_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = Rule("product", ("forward", "input"), lambda case: True, "measured")
    monkeypatch.setattr("archspec.lowerings.rules.TABLES", ((rule,),))
    tuned = {POINTWISE: {"forward": Why(LIBRARY, "tuned", "1 ms"), "kernel": Why("product", "tuned", "1 ms")}}
    by_rules = Lowerings(CPU)
    assert by_rules.of(POINTWISE) == Choice("product", "product", LIBRARY)
    assert by_rules.why(POINTWISE, "forward") == Why("product", "rule", "measured")
    by_tuning = Lowerings(CPU, tuned=tuned)  # type: ignore[arg-type]
    assert by_tuning.of(POINTWISE) == Choice(LIBRARY, "product", "product")
    recorded = Lowerings(CPU, {POINTWISE: Choice(kernel="product")}, tuned)  # type: ignore[arg-type]
    assert recorded.of(POINTWISE) == Choice(LIBRARY, LIBRARY, "product")
    assert recorded.taken == {POINTWISE: Choice(LIBRARY, LIBRARY, "product")}
    # What does not fit is the library's, whoever wants it, as is what nobody speaks of.
    assert by_rules.of(WINDOW) == Lowerings(CPU, {WINDOW: Choice("product", "none", "product")}).of(WINDOW) == Choice()
    assert BY_LIBRARY.of(POINTWISE) == Choice()


def test_what_is_called_once_does_without_onednn(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that its program can be kept; what was tuned for such programs counts, and nothing else is other."""
    with_onednn = CPU._replace(jaxlib=(0, 12), onednn=True)
    tuned = {with_onednn._replace(onednn=False): {POINTWISE: {"forward": Why("shifts", "tuned", "1 ms")}}}
    monkeypatch.setattr(choosing, "default", lambda: Lowerings(with_onednn))
    monkeypatch.setattr(choosing, "tuned_for", lambda device: tuned[device])
    once = choosing.of_one_call("auto")
    assert once.device == with_onednn._replace(onednn=False) and once.options == {} != Lowerings(with_onednn).options
    assert once.tuned == tuned[once.device]
    assert choosing.of_one_call("library") is BY_LIBRARY
    default = Lowerings(CPU)
    monkeypatch.setattr(choosing, "default", lambda: default)
    assert choosing.of_one_call("auto") is default


def test_a_rule_speaks_of_its_own_devices_and_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = Rule("product", ("kernel",), lambda case: case.batch == 2, "", since=(0, 11), before=(0, 12, 1), onednn=True)
    monkeypatch.setattr("archspec.lowerings.rules.TABLES", ((rule,),))
    with_onednn = CPU._replace(jaxlib=(0, 11), onednn=True)
    assert rule_for(POINTWISE, "kernel", with_onednn) is rule
    assert rule_for(POINTWISE, "kernel", with_onednn._replace(jaxlib=(0, 12, 0))) is rule
    others = (CPU, *(with_onednn._replace(jaxlib=own) for own in ((0, 10, 2), (0, 12, 1), (1, 0))))
    assert all(rule_for(POINTWISE, "kernel", own) is None for own in others)
    assert rule_for(POINTWISE, "kernel", with_onednn._replace(backend="gpu")) is None
    assert rule_for(POINTWISE, "kernel", with_onednn._replace(onednn=False)) is None
    assert rule_for(POINTWISE, "forward", with_onednn) is None
    assert rule_for(POINTWISE._replace(batch=1), "kernel", with_onednn) is None


def test_rules_name_candidates_that_there_are_and_are_of_cpus() -> None:
    for rule in (rule for table in TABLES for rule in table):
        assert rule.candidate in names(rule.operation), rule
        assert rule.reason and rule.backend == "cpu", rule
    assert rule_for(POINTWISE, "kernel", CPU._replace(backend="gpu")) is None


def test_programs_have_the_options_of_their_lowerings(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[object] = []
    monkeypatch.setattr(jax, "jit", lambda function, **settings: given.append(settings))
    jit(abs, BY_LIBRARY)
    jit(abs, Lowerings(CPU._replace(onednn=True)), donate_argnums=0)
    jit(abs, Lowerings(CPU, options={"own": 1}))
    jit(abs)
    assert given == [
        {"compiler_options": None},
        {"compiler_options": ONEDNN, "donate_argnums": 0},
        {"compiler_options": {"own": 1}},
        {"compiler_options": this_device().options or None},
    ]


def test_onednn_is_called_where_the_compiler_takes_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    refused = {"xla_no_such_option": True}
    answers = {}
    for own in ("0.10.2", "0.11.1", "0.11.2", "0.12.0", "0.13.0"):
        monkeypatch.setattr("jaxlib.version.__version__", own)
        answers[own] = has_onednn("cpu"), has_onednn("gpu")
    own = jax.version.__version_info__ >= (0, 10)
    assert answers == {
        "0.10.2": (False, False),
        "0.11.1": (False, False),
        "0.11.2": (True, False),
        "0.12.0": (True, False),
        "0.13.0": (own, False),  # tried out on the version that is installed
    }
    monkeypatch.setattr(device, "ONEDNN", refused)
    assert not has_onednn("cpu")  # a later version without these options
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    monkeypatch.setattr("jaxlib.version.__version__", "0.12.0")
    assert not has_onednn("cpu")


def test_what_onednn_lacks_is_known() -> None:
    """Groups of bfloat16, of which it has no fast convolution, and signals, which it is not asked for."""
    device = Device("cpu", "cpu", (0, 12, 0), True)
    groups = Case("conv", 2, (14, 14), 128, 128, (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 32, "bfloat16")
    signal = Case("conv", 2, (1024,), 512, 512, (5,), (1,), ((2, 2),), (1,), 512, "float32")

    def chosen(case: Case, device: Device = device) -> Choice:
        return Lowerings(device).of(case)

    assert chosen(groups)[:2] == ("widened", "widened") and chosen(signal) == ("shifts", "shifts", "row_products")
    assert "widened" not in (*chosen(groups._replace(dtype="float32")), *chosen(groups, CPU))


def test_a_recipe_can_leave_everything_to_the_library(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    from archspec.loading import load
    from archspec.training.steps import make_steps

    text = "input: {height: 4, width: 4, channels: 3}\nlayers: [conv: {filters: 4, kernel: 1}, flatten, dense: 2]\n"
    steps = {
        mode: make_steps(load(write(f"{text}train: {{lowerings: {mode}}}", f"{mode}.yaml")), 1)
        for mode in ("auto", "library")
    }
    assert steps["auto"].lowerings is choosing.default() and steps["library"].lowerings is BY_LIBRARY
    BY_LIBRARY.taken.clear()
    x = {"input": np.zeros((3, 4, 4, 3), np.uint8)}
    template = steps["library"].template
    jax.eval_shape(
        steps["library"].evaluate, template["params"], template["statistics"], x, {"label": np.zeros(3, np.int32)}
    )
    assert BY_LIBRARY.taken == {Case("conv", 3, (4, 4), 3, 4, *POINTWISE[5:]): Choice()}


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("lowerings", [choosing.of_mode, choosing.of_one_call])
@pytest.mark.parametrize("mode", ["auto", "library"])
def test_a_mean_over_what_two_layers_made_in_16_bits_is_the_mean(
    precision: str, lowerings: Callable[[choosing.Mode], Lowerings], mode: choosing.Mode
) -> None:
    """YNNPACK's reductions of jaxlib 0.12 take in what comes before them, and give NaN on some processors."""
    rng = np.random.default_rng(0)
    x = jax.numpy.asarray(rng.normal(size=(1, 8, 8, 64)), precision)
    kernels = jax.numpy.asarray(rng.normal(size=(2, 3, 3, 64, 64)) / 24, precision)

    def means(x: jax.Array, kernels: jax.Array) -> list[jax.Array]:
        y, z = x, x
        for kernel in kernels:
            y = jax.lax.conv_general_dilated(y, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
            y, z = jax.nn.relu(y), jax.nn.relu(z @ kernel[1, 1])
        return [own.astype(np.float32).mean((1, 2)) for own in (y, z)]

    with jax.disable_jit():
        wanted = means(x.astype(np.float32), kernels.astype(np.float32))
    compiled = jit(means, lowerings(mode), precision=x.dtype)
    for own, right in zip(compiled(x, kernels), wanted, strict=True):
        assert np.allclose(own, right, rtol=0.03, atol=1e-3)


def test_only_programs_in_16_bits_do_without_reductions_of_ynnpack() -> None:
    assert device.options_in(None) == {}
    known = version_of(version.__version__) >= device.FIRST_WITH_ONEDNN
    assert device.options_in(jax.numpy.bfloat16) == (device.NO_YNNPACK if known else {})
