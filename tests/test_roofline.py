"""The roofline model against figures worked out by hand from its definition."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec import load
from archspec.cli import main
from archspec.diagnostics import DataError
from archspec.figures.cost import bytes_moved, training_flops, width
from archspec.figures.devices import DTYPES, Device, devices, find_device
from archspec.figures.roofline import Prediction, Timed, bound_of, predict, work
from archspec.graph import Graph
from archspec.optimisers.sgd import Sgd
from archspec.reports.roofline import totals
from archspec.reports.roofline_plot import draw, figure

Write = Callable[..., Path]


def network(write: Write, layers: str) -> Graph:
    """A network of 8×8×3 images."""
    return load(write(f"input: {{height: 8, width: 8, channels: 3}}\nlayers:\n{layers}")).graph()


def test_copies_that_only_xla_on_cpus_makes_are_no_devices_business() -> None:
    graph = load("alexnet").graph()
    needed = {name: predict(graph, find_device(name), mode="train") for name in ("a100", "cpu:8x3.0,avx2,50GB/s")}
    gpu, cpu = (item.memory for item in needed.values())
    assert "copies" in cpu.parts and cpu.portable() == gpu
    assert cpu.per_sample - gpu.per_sample == cpu.parts["copies"].per_sample > 0


def test_bytes_of_a_convolution_and_a_dense_layer_by_hand(write: Write) -> None:
    text = "- conv: {name: c, filters: 4, kernel: 3, pad: 1}\n- flatten: {name: v}\n- dense: {name: d, units: 10}"
    nodes = network(write, text).by_path()
    # 8×8×3 in, 8×8×4 out, 3·3·3·4 + 4 weights; then 256 in, 10 out, 2570 weights
    assert bytes_moved(nodes["c"]) == 4 * (192 + 256 + 112)
    assert bytes_moved(nodes["c"], 5) == 4 * (5 * (192 + 256) + 112)
    assert bytes_moved(nodes["c"], 5, "bfloat16") == 2 * (5 * (192 + 256) + 112)
    assert bytes_moved(nodes["c"], 5, "tf32") == bytes_moved(nodes["c"], 5, "float32")
    assert bytes_moved(nodes["v"], 5) == 0
    assert bytes_moved(nodes["d"], 5) == 4 * (5 * (256 + 10) + 2570)


def test_element_wise_layers_move_only_what_their_producer_does_not_hold(write: Write) -> None:
    text = """
- conv: {name: a, filters: 4, kernel: 1}
- batch_norm: {name: n}
- relu: {name: r}
- conv: {name: b, filters: 4, kernel: 1}
- add: {name: s, from: [b, r]}
- global_avg_pool: {name: p, keep_dims: true}
- conv: {name: g, filters: 4, kernel: 1}
- multiply: {name: m, from: [g, s]}
"""
    nodes = network(write, text).by_path()
    size = 8 * 8 * 4
    assert bytes_moved(nodes["r"], 2) == 0
    assert bytes_moved(nodes["n"], 2) == 4 * 4 * 4  # scale, bias, mean and variance of 4 channels
    assert bytes_moved(nodes["s"], 2) == 4 * 2 * size  # the other branch
    assert bytes_moved(nodes["m"], 2) == 4 * 2 * 4  # the gate, the map being the larger input
    assert bytes_moved(nodes["r"], 2, fusion=False) == 4 * 2 * 2 * size
    assert bytes_moved(nodes["s"], 2, fusion=False) == 4 * 2 * 3 * size


def test_a_layer_on_the_input_has_nothing_to_be_fused_into(write: Write) -> None:
    nodes = network(write, "- relu: {name: r}\n- conv: {filters: 1, kernel: 1}").by_path()
    assert bytes_moved(nodes["r"]) == 4 * 2 * 192


def test_indices_count_a_byte_and_shapes_nothing(write: Write) -> None:
    text = """
- max_pool: {name: p, window: 2}
- conv: {name: c, filters: 3, kernel: 1}
- max_unpool: {name: u, indices: p}
- crop: {name: k, like: c}
"""
    nodes = network(write, text).by_path()
    pooled = 4 * 4 * 3
    assert bytes_moved(nodes["p"]) == 4 * (192 + pooled)
    assert bytes_moved(nodes["p"], indices=True) == 4 * (192 + pooled) + pooled
    assert bytes_moved(nodes["u"], dtype="float16") == 2 * (pooled + 192) + pooled
    assert bytes_moved(nodes["k"]) == 4 * (192 + pooled)


def test_an_unknown_dtype_is_an_error() -> None:
    with pytest.raises(KeyError):
        width("float8")


CONV = "- conv: {name: c, filters: 4, kernel: 3, pad: 1}"
"""8×8×3 → 8×8×4: 6912 multiply–adds, 256 sums for the bias, 112 weights."""

EASY = Device("easy", "a device of round figures", {"float32": 1000.0}, 100.0, "made up", 1e6, 50.0)
"""1000 operations and 100 bytes a second, 50 bytes a second to others: the ridge is at 10 operations a byte."""


def only(found: Prediction) -> Timed:
    (row,) = found.rows
    return row


def test_forward_pass_of_a_convolution_by_hand(write: Write) -> None:
    graph = network(write, CONV)
    for batch in (1, 7):
        row = only(predict(graph, EASY, batch=batch))
        flops = batch * (2 * 6912 + 256)
        moved = 4 * (batch * (192 + 256) + 112)
        assert (row.flops, row.bytes) == (flops, moved)
        assert row.seconds == pytest.approx(max(flops / 1000, moved / 100))
        assert bound_of(row.seconds, row.compute_bound) == ("bandwidth" if moved / 100 > flops / 1000 else "compute")


def test_training_step_of_two_dense_layers_by_hand(write: Write) -> None:
    """The first layer needs no gradient of its input; the second needs both; Adam keeps two numbers a weight."""
    text = "- flatten: {name: v}\n- dense: {name: d, units: 5}\n- dense: {name: e, units: 2}"
    graph = network(write, text)
    found = predict(graph, EASY, mode="train", batch=3)
    rows = {row.path: row for row in found.rows}
    first, second = 192 * 5 + 5, 5 * 2 + 2
    d, e = rows["d"].work, rows["e"].work
    assert d.forward == (3 * (2 * 960 + 5), 4 * (3 * (192 + 5) + first))
    assert d.weights == (3 * (2 * 960 + 5), 4 * (3 * (192 + 5) + first))
    assert d.inputs == (0, 0)
    assert e.forward == e.weights == (3 * (2 * 10 + 2), 4 * (3 * (5 + 2) + second))
    assert e.inputs == (3 * 2 * 10, 4 * (3 * (2 + 5) + second))
    for row in (rows["d"], rows["e"]):
        parts = [max(item.flops / 1000, item.bytes / 100) for item in row.work.passes]
        assert (row.forward, row.backward) == pytest.approx((parts[0], parts[1] + parts[2]))
    assert found.update_bytes == 4 * (3 + 2 * 2) * (first + second)
    assert found.seconds == pytest.approx(found.forward + found.backward + found.update_bytes / 100)


def test_slots_of_the_optimiser_and_the_16_bit_copy_are_bytes_of_the_update(write: Write) -> None:
    graph = network(write, CONV)
    half = replace(EASY, flops={"float32": 1000.0, "bfloat16": 4000.0})
    plain = Sgd.plain_default(learning_rate=0.1, momentum=0.0)
    assert predict(graph, half, mode="train", optimiser=plain).update_bytes == 112 * 12
    assert predict(graph, half, mode="train", optimiser=Sgd.plain_default(learning_rate=0.1)).update_bytes == 112 * 20
    assert predict(graph, half, mode="train", optimiser=plain, dtype="bfloat16").update_bytes == 112 * 14
    assert predict(graph, half).update_bytes == 0


@pytest.mark.parametrize("name", ["lenet5_1998", "resnet18", "segnet_basic", "googlenet"])
def test_operations_of_training_are_those_of_the_report(name: str) -> None:
    graph = load(name).graph()
    rows = work(graph.pruned("train"), "float32", 3)
    assert sum(item.flops for row in rows for item in row.passes) == 3 * training_flops(graph)


def test_fused_layers_are_part_of_their_kernel(write: Write) -> None:
    text = f"{CONV}\n- batch_norm: {{name: n}}\n- relu: {{name: r}}"
    graph = network(write, text)
    fused, apart = predict(graph, EASY), predict(graph, EASY, fusion=False)
    rows = {row.path: row for row in fused.rows}
    assert rows["n"].fused_into == rows["r"].fused_into == "c" and rows["n"].seconds == rows["r"].seconds == 0
    flops, moved = 2 * 6912 + 256 + 3 * 256, 4 * (192 + 256 + 112 + 16)
    assert rows["c"].seconds == pytest.approx(max(flops / 1000, moved / 100))
    assert all(row.fused_into is None for row in apart.rows) and apart.seconds > fused.seconds
    # In training the statistics of the batch must be there before anything is normalised.
    trained = {row.path: row for row in predict(graph, EASY, mode="train").rows}
    assert trained["n"].fused_into is None and trained["r"].fused_into == "n"
    assert trained["n"].work.forward.bytes == 4 * (256 + 256 + 16)


def test_resnet50_on_an_a100_is_plausible() -> None:
    """2·4.09 GFLOPs at 19.5 TFLOP/s are 0.42 ms an image: with a large batch that is what bounds float32."""
    graph, device = load("resnet50").graph(), find_device("A100")
    found = predict(graph, device, batch=256)
    assert found.dtype == "float32"
    least = 2 * 4_089_184_256 / 19.5e12
    assert least < found.seconds / 256 < 1.1 * least
    assert found.shares()["compute"] > 0.9
    # In bfloat16, 16 times as fast to multiply, memory takes the larger part. NVIDIA's own best figures, measured, lie
    # between 2,000 and 3,500 images a second in mixed-precision training: a bound is above them, and of their order.
    trained = predict(graph, device, dtype="bfloat16", batch=256, mode="train")
    assert trained.shares()["bandwidth"] > 0.5
    assert 3500 < trained.throughput < 10_000


@given(
    batch=st.integers(1, 64),
    more=st.integers(1, 64),
    mode=st.sampled_from(["eval", "train"]),
    fusion=st.booleans(),
    faster=st.floats(1, 100),
)
@settings(max_examples=30)
def test_time_is_monotone(batch: int, more: int, mode: Literal["eval", "train"], fusion: bool, faster: float) -> None:
    """More samples take longer, but not longer each; a better device takes no longer, and no peak is exceeded."""
    graph = _LENET
    small = predict(graph, EASY, batch=batch, mode=mode, fusion=fusion)
    large = predict(graph, EASY, batch=batch + more, mode=mode, fusion=fusion)
    assert small.seconds < large.seconds
    assert small.throughput <= large.throughput * (1 + 1e-9)
    for better in (
        replace(EASY, flops={"float32": faster * 1000.0}),
        replace(EASY, bandwidth=faster * 100.0),
    ):
        assert predict(graph, better, batch=batch, mode=mode, fusion=fusion).seconds <= small.seconds * (1 + 1e-9)
    assert small.seconds >= max(small.flops / 1000, small.bytes / 100) * (1 - 1e-9)
    assert sum(small.shares().values()) == pytest.approx(1)
    assert predict(graph, EASY, batch=batch, mode=mode).seconds <= small.seconds * (1 + 1e-9)


_LENET = load("lenet5").graph()


def test_devices_share_the_batch_and_sum_their_gradients() -> None:
    whole = predict(_LENET, EASY, batch=64, devices=4, mode="train")
    one = predict(_LENET, EASY, batch=16, mode="train")
    assert whole.rows == one.rows and whole.update == one.update and whole.needed == one.needed
    assert one.all_reduce == 0 and whole.all_reduce is not None
    # A ring of n devices sends 2(n − 1)/n of the gradients, 4 bytes each.
    assert whole.all_reduce == pytest.approx(2 * 3 / 4 * 4 * 61706 / 50)
    assert whole.seconds == pytest.approx(one.forward + max(one.backward, whole.all_reduce) + one.update)
    assert whole.seconds_apart == pytest.approx(one.seconds + whole.all_reduce)
    assert whole.throughput == pytest.approx(64 / whole.seconds)
    assert whole.largest_batch == 4 * (one.largest_batch or 0)
    uneven = predict(_LENET, EASY, batch=65, devices=4, mode="train")
    assert uneven.share == 17 and uneven.rows == predict(_LENET, EASY, batch=17, mode="train").rows


def test_nothing_is_sent_in_evaluation_and_an_unknown_interconnect_is_said() -> None:
    assert predict(_LENET, EASY, batch=8, devices=8).all_reduce == 0
    alone = replace(EASY, interconnect=None)
    found = predict(_LENET, alone, batch=8, devices=8, mode="train")
    assert found.all_reduce is None and found.seconds == pytest.approx(found.forward + found.backward + found.update)
    assert any("no interconnect" in value for _, value in totals(found))


def test_the_largest_batch_fits_and_the_next_does_not() -> None:
    for mode in ("eval", "train"):
        found = predict(_LENET, replace(EASY, memory=5e6), mode=mode)
        assert found.largest_batch is not None and found.largest_batch > 0
        assert found.memory.at(found.largest_batch) <= 5e6 < found.memory.at(found.largest_batch + 1)


@pytest.mark.parametrize("name", devices())
def test_every_device_has_a_source_and_sane_figures(name: str) -> None:
    device = devices()[name]
    assert len(device.source) > 15 and device.title
    assert device.flops and set(device.flops) <= set(DTYPES)
    assert all(1e12 < rate < 3e15 for rate in device.flops.values())
    assert 1e11 < device.bandwidth < 1e13 and device.memory is not None and 8e9 <= device.memory <= 3e11
    assert device.interconnect is None or device.interconnect < device.bandwidth
    rates = [device.flops[dtype] for dtype in DTYPES if dtype in device.flops]
    assert rates == sorted(rates)  # fewer bits are never slower
    assert find_device(name.upper()) is device


def test_processors_are_described_by_words() -> None:
    device = find_device("cpu:8x3.0,avx2,50GB/s,64GB")
    assert device.flops == {"float32": 8 * 3e9 * 32}
    assert (device.bandwidth, device.memory, device.interconnect) == (50e9, 64e9, None)
    assert find_device("cpu:8x3GHz, 32flops ,50gb/s").flops == device.flops
    assert find_device("cpu:2x2.5,avx512,20.5GB/s").flops["float32"] == 2 * 2.5e9 * 64


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("h20", "did you mean `h200`?"),
        ("cpu", "cpu:8x3.0,avx2,50GB/s"),
        ("cpu:8x3.0", "instructions"),
        ("cpu:8x3.0,avx2", "bandwidth"),
        ("cpu:8x3.0,mmx,50GB/s", "mmx"),
        ("cpu:0x3.0,avx2,50GB/s", "cores"),
        ("cpu:8x3.0,avx2,0GB/s", "bandwidth"),
        ("cpu:8x3.0,0flops,50GB/s", "instructions"),
        ("cpu:8x3.0,avx2,50GB/s,0GB", "no bytes"),
        ("", "h200"),
    ],
)
def test_unknown_devices_are_told_of(text: str, said: str) -> None:
    with pytest.raises(DataError) as error:
        find_device(text)
    assert error.value.code == "E113" and said in " ".join([error.value.message, *error.value.help])


@pytest.mark.parametrize("form", ["table", "csv", "markdown", "latex", "json"])
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_formats_say_the_same(form: str, mode: Literal["eval", "train"], capsys: pytest.CaptureFixture[str]) -> None:
    words = ["roofline", "resnet18", "--device", "h100", "--batch", "32", "--mode", mode, "--format", form]
    assert main([*words, "--depth", "1"]) == 0
    out = capsys.readouterr().out
    spec = load("resnet18")
    optimiser = spec.train.optimiser if spec.train else None
    found = predict(spec.graph(), find_device("h100"), batch=32, mode=mode, optimiser=optimiser)
    if form == "json":
        whole = json.loads(out)
        assert whole["totals"]["seconds"] == pytest.approx(found.seconds)
        assert [layer["name"] for layer in whole["layers"]][3:5] == ["maxpool", "layer1"] and whole["device"]["source"]
        assert sum(layer["flops"] for layer in whole["layers"]) == found.flops
        assert sum(layer["seconds"] for layer in whole["layers"]) == pytest.approx(found.forward + found.backward)
        assert main(words) == 0
        assert len(json.loads(capsys.readouterr().out)["layers"]) == len(found.rows)
    elif form == "csv":
        rows = list(csv.DictReader(io.StringIO(out)))
        assert sum(float(row["seconds"]) for row in rows) == pytest.approx(found.seconds)
        assert sum(float(row["share"]) for row in rows) == pytest.approx(1)
        assert [row["layer"] for row in rows][:4] == ["conv1", "bn1", "relu1", "maxpool"]
    else:
        assert "not measured" in out and "layer4" in out and "Williams" in out


def test_the_command_line_tells_of_what_is_wrong(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["roofline", "lenet5"]) == 1 and "--device is missing" in capsys.readouterr().err
    assert main(["roofline", "lenet5", "--device", "v100", "--dtype", "bfloat16"]) == 1
    assert "no peak for bfloat16" in capsys.readouterr().err
    assert main(["roofline", "lenet5", "--device", "v100", "--plot", str(tmp_path / "x.gif")]) == 1
    assert ".svg, .png, .pdf" in capsys.readouterr().err
    assert main(["roofline", "lenet5", "--device", "v100", "--plot", str(tmp_path / "none" / "x.svg")]) == 1
    assert "E534" in capsys.readouterr().err
    too_much = ["roofline", "vgg16", "--device", "t4", "--mode", "train", "--batch", "4000"]
    assert main(too_much) == 0 and "W401" in capsys.readouterr().err
    assert main([*too_much, "--strict"]) == 1
    capsys.readouterr()
    assert main(["roofline", "--device", "list", "--format", "json"]) == 0
    assert {row["name"] for row in json.loads(capsys.readouterr().out)} == set(devices())


def test_the_diagram_has_the_roof_the_ridge_and_points_below_it(tmp_path: Path) -> None:
    found = predict(load("googlenet").graph(), find_device("a100"), dtype="bfloat16", batch=64)
    made = figure(found)
    axes = made.axes[0]
    assert axes.get_xscale() == axes.get_yscale() == "log"
    offsets = [point for item in axes.collections for point in getattr(item, "get_offsets", list)()]
    drawn = [(float(x), float(y)) for x, y in offsets if x and y]
    assert len(drawn) > 20
    for x, y in drawn:
        assert y <= 1.01 * min(312e12, x * 2039e9)
    assert any("ridge, 153" in text.get_text() for text in axes.texts)
    path = tmp_path / "roof.svg"
    draw(found, path)
    first = path.read_bytes()
    draw(found, path)
    assert path.read_bytes() == first and b"not measured" in first
