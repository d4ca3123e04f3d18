"""Plans against figures worked out by hand, and what the command says of odd requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archspec import load
from archspec.cli import main
from archspec.figures.devices import Device, find_device
from archspec.figures.roofline import predict
from archspec.loading import Spec
from archspec.mesh import Mesh
from archspec.sharding.collectives import Collective, Purpose, Step, collectives
from archspec.sharding.links import NETWORK, PCI, RING, TREE, Links, links_of
from archspec.sharding.memory import GATHERED, memory
from archspec.sharding.plan import Pace, Plan, pace_of

Write = Callable[..., Path]

RESNET = load("resnet50")
DEVICE = replace(find_device("h200"), achieved={})


def plan(spec: Spec = RESNET, devices: int = 64, batch: int = 8192, device: Device = DEVICE, **changed: Any) -> Plan:
    step = Step("float32", None if spec.train is None else spec.train.optimiser, heads=spec.heads())
    pace = Pace(0.5, 0.0, "half")
    made = Plan(spec.graph(), device, "tf32", batch, devices, links_of(device, devices), pace, step)
    return replace(made, **changed)


def bytes_of(items: tuple[Collective, ...], purpose: Purpose, kind: str) -> int:
    return sum(item.bytes for item in items if item.purpose == purpose and item.kind == kind)


def test_gradients_of_resnet50_over_a_ring_by_hand() -> None:
    """torchvision's 25,557,032 parameters, 4 bytes each; 2(n − 1)/n of them are sent."""
    mesh = Mesh(data=64)
    items = collectives(RESNET.graph(), mesh, Step())
    assert bytes_of(items, "gradients", "all-reduce") == 4 * 25_557_032
    sent = sum(item.sent(mesh) for item in items if item.purpose == "gradients")
    assert sent == pytest.approx(2 * 63 / 64 * 4 * 25_557_032)
    assert not [item for item in items if item.kind != "all-reduce"]


def test_a_divided_network_by_hand(write: Write) -> None:
    """One convolution of 3·3·64·64 numbers that fsdp divides, biases of 64 and a batch norm of 64 that it does not."""
    spec = load(
        write(
            "input: {height: 8, width: 8, channels: 64}\nlayers:\n- conv: {name: c, filters: 64, kernel: 3, pad: 1}\n"
            "- batch_norm: {name: n}\n- flatten: {name: f}\n- dense: {name: d, units: 2}\n"
        )
    )
    kernel, dense, small = 3 * 3 * 64 * 64, 64 * 64 * 2, 64 + 2 * 64 + 2
    mesh = Mesh(data=2, fsdp=4)
    items = collectives(spec.graph(), mesh, Step(heads=spec.heads()))
    assert bytes_of(items, "parameters", "all-gather") == 4 * (kernel + dense)
    assert bytes_of(items, "gradients", "reduce-scatter") == kernel + dense
    assert bytes_of(items, "gradients", "all-reduce") == kernel + dense + 4 * small
    # Mean and variance forward, two sums backward.
    assert bytes_of(items, "batch norm", "all-reduce") == 4 * 4 * 64
    # The weights, then the loss, losses and weights; right and counted labels.
    assert bytes_of(items, "loss", "all-reduce") == 4 * 4 + 2 * 4
    assert {item.axes for item in items if item.kind == "reduce-scatter"} == {("fsdp",)}
    # On CPUs gradients are summed whole, and in 16 bits half as much is gathered.
    whole = collectives(spec.graph(), mesh, Step("bfloat16", scatters=False))
    assert bytes_of(whole, "gradients", "all-reduce") == 4 * (kernel + dense + small)
    assert bytes_of(whole, "parameters", "all-gather") == 2 * (kernel + dense)
    # What is frozen has no gradient, and its statistics stay.
    frozen = collectives(spec.graph(), mesh, Step(frozen_arrays={"c.kernel", "c.bias"}, frozen_layers={"n"}))
    assert bytes_of(frozen, "gradients", "reduce-scatter") == dense
    assert not bytes_of(frozen, "batch norm", "all-reduce")
    assert not collectives(spec.graph(), Mesh(), Step())
    each = collectives(spec.graph(), mesh._replace(per_device=True), Step())
    assert [item.numbers for item in each if item.purpose == "batch norm"] == [2 * 64]


def test_what_fsdp_saves_by_hand() -> None:
    """Of divided arrays a device keeps an eighth of weights and state, and one whole copy while it computes."""
    assert RESNET.train is not None
    step = Step("float32", RESNET.train.optimiser)
    whole, parted = (memory(RESNET.graph(), mesh, step) for mesh in (Mesh(data=8), Mesh(fsdp=8)))
    divided = collectives(RESNET.graph(), Mesh(fsdp=8), step)
    numbers = sum(item.numbers for item in divided if item.purpose == "parameters")
    assert numbers > 0.99 * 25_557_032
    # Weights and the momentum of SGD.
    assert whole.fixed - parted.fixed == 2 * 4 * (numbers - numbers // 8) - 4 * numbers
    assert parted.parts[GATHERED].fixed == 4 * numbers
    assert whole.per_sample == parted.per_sample


def test_rates_by_hand() -> None:
    links = Links(per_host=8, linked=8, interconnect=400e9, network=80e9)
    # Of a group of 16 over two hosts each of eight rings has an eighth of the host's network.
    assert links.rate(Mesh(data=16), ("data",)) == 80e9
    # Of a group with one device in each host the ring has an eighth of it.
    assert links.rate(Mesh(data=2, fsdp=8), ("data",)) == 10e9
    assert links.rate(Mesh(data=2, fsdp=8), ("fsdp",)) == 400e9
    # Two of a host's devices in a group: twice that.
    assert links.rate(Mesh(data=4, fsdp=2, spatial=2), ("data",)) == 20e9
    pairs = Links(per_host=8, linked=2, interconnect=300e9, network=800e9)
    assert pairs.rate(Mesh(data=2), ("data",)) == 300e9
    assert pairs.rate(Mesh(data=8), ("data",)) == PCI
    pod = Links(per_host=4, linked=256, interconnect=200e9, network=25e9)
    assert pod.rate(Mesh(data=256), ("data",)) == 200e9
    assert pod.rate(Mesh(data=512), ("data",)) == min(200e9, 256 * 25e9 / 4)


def test_times_of_collectives_by_hand() -> None:
    links = Links(per_host=8, linked=8, interconnect=400e9, network=400e9)
    # A gigabyte over 8: Simple's ring has the least, 2·7 hops.
    large = Collective("all-reduce", "gradients", ("data",), "", 250_000_000)
    begin, hop = RING[2].begin, RING[2].hops["link"]
    assert links.seconds(large, Mesh(data=8)) == pytest.approx(begin + 14 * hop + 1.75e9 / 400e9)
    # A few bytes over 4,096: a tree of 512 hosts has 2·9 hops over the network, a ring would have 1,022.
    small = Collective("all-reduce", "batch norm", ("data",), "", 64)
    tree = TREE[0].begin + 14 * TREE[0].hops["link"] + 18 * TREE[0].hops["network"]
    assert links.seconds(small, Mesh(data=4096)) == pytest.approx(tree, rel=1e-3)
    near = Collective("collective-permute", "rows", ("spatial",), "", 64)
    assert links.seconds(near, Mesh(spatial=8)) == pytest.approx(RING[0].begin + RING[0].hops["link"], rel=1e-2)
    assert links.seconds(near, Mesh()) == 0


def test_a_step_by_hand() -> None:
    """Computing is the roofline's time over half of it; efficiency is measured by one device alone."""
    own = plan()
    placed = own.placed(Mesh(data=64))
    alone = predict(RESNET.graph(), DEVICE, dtype="tf32", mode="train", batch=128, optimiser=own.step.optimiser)
    assert placed.samples == 128
    assert placed.passes.seconds == pytest.approx(2 * (alone.forward + alone.backward + alone.update))
    assert placed.seconds == pytest.approx(placed.passes.seconds + sum(placed.communication.values()))
    assert own.alone.samples == own.memory(Mesh()).largest_batch(int(141e9))
    assert own.efficiency(placed) == pytest.approx(8192 / placed.seconds / 64 / own.alone.throughput)
    assert own.efficiency(own.alone) == 1
    # Behind the whole backward pass all sums of gradients hide, and nothing else does.
    hiding = plan(pace=Pace(0.5, 0.0, "half", overlap=1.0)).placed(Mesh(data=64))
    assert placed.seconds - hiding.seconds == pytest.approx(placed.communication["gradients"])
    # Each kernel takes a second more.
    floored = plan(pace=Pace(0.5, 1.0, "a second")).placed(Mesh(data=64))
    assert floored.passes.forward > 100


def test_meshes_are_those_that_the_batch_and_the_network_allow() -> None:
    own = plan()
    found = own.meshes(64)
    assert {mesh.sizes for mesh in found} >= {(64, 1, 1), (8, 8, 1), (1, 64, 1)}
    assert all(mesh.devices == 64 and 8192 % mesh.batches == 0 for mesh in found)
    assert all(mesh.spatial <= 8 for mesh in found)
    assert not plan(batch=7).meshes(64)
    assert own.why_not(Mesh(data=3)) == "8,192 samples cannot be 3 equal parts"
    parts = plan(step=Step(parts=4), batch=128)
    assert "micro-batches" in str(parts.why_not(Mesh(data=64)))
    best = own.best(own.all(64))
    assert best is not None and best.fits
    assert min(item.seconds for item in own.all(64)) >= 0.99 * best.seconds


def test_a_network_too_large_for_one_device_is_divided(write: Write) -> None:
    """3.2 GB of weights with Adam are 16 bytes a number: 12.9 GB fit into no 10 GB, but eighths do."""
    layers = "- flatten: {name: f}\n- dense: {name: a, units: 28368}\n- dense: {name: b, units: 8}\n"
    spec = load(write(f"input: {{height: 1, width: 1, channels: 28368}}\nlayers:\n{layers}"))
    small = replace(DEVICE, memory=10e9)
    own = plan(spec, 8, 64, small)
    found = own.all(8)
    best = own.best(found)
    assert best is not None and best.mesh.fsdp > 1
    assert not next(item for item in found if item.mesh == Mesh(data=8)).fits


def test_where_pace_is_from_is_said() -> None:
    measured = find_device("h200")
    cpu = pace_of(find_device("cpu:8x3.0,avx2,50GB/s"), "float32")
    assert 0 < cpu.achieved < 1 and "one core" in cpu.source
    if measured.achieved:
        assert pace_of(measured, "bfloat16").achieved == measured.achieved["bfloat16"]
        assert "not measured here" in pace_of(find_device("tpu-v4"), "bfloat16").source


def test_what_no_vendor_prints_is_said() -> None:
    assert not links_of(find_device("h200"), 64).assumed
    assert links_of(find_device("h200"), 64).network == 8 * 50e9
    l4 = links_of(find_device("l4"), 64)
    assert l4.network == NETWORK and len(l4.assumed) == 3
    assert links_of(find_device("l4"), 64, per_host=4, interconnect=32e9, network=1e9).assumed == ()
    assert links_of(find_device("tpu-v5e"), 64).assumed == ()


def say(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    assert main(["plan", *words]) == status
    shown = capsys.readouterr()
    return shown.out + shown.err


def test_the_command_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    said = say(capsys, "resnet50", "--device", "h200", "--devices", "64", "--batch", "8192", "--host-rate", "5000")
    assert "recommended: data=64" in said
    assert "batch norm   all-reduce  data" in said
    assert "the recipe's learning rate is for 256 samples; for 8,192 the linear rule takes 32 times" in said
    assert "and reads 5,000: it bounds the step" in said
    found = json.loads(
        say(capsys, "resnet50", "--device", "h200", "--devices", "64", "--batch", "8192", "--format", "json")
    )
    assert found["recommended"] == "data=64" and len(found["meshes"]) >= 7
    gradients = [row for row in found["meshes"][0]["collectives"] if row["purpose"] == "gradients"]
    assert gradients and found["scaling"][-1]["devices"] == 64
    csv = say(capsys, "resnet50", "--device", "h200", "--mesh", "fsdp=8", "--batch", "64", "--format", "csv")
    assert csv.startswith("mesh,samples_per_device,memory_bytes") and "\nfsdp=8," in csv


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["alexnet", "--devices", "3000", "--batch", "7"], "7 samples cannot be divided over 3,000 devices"),
        (["lenet5", "--mesh", "data=4,fsdp=2", "--devices", "9"], "data=4,fsdp=2 is of 8 devices, and --devices says"),
        (["lenet5", "--mesh", "spatial=3", "--batch", "6"], "spatial=3"),
        (["lenet5", "--mesh", "tensor=3"], "is no axis with its devices"),
        (["lenet5", "--devices", "3", "--set", "train.mesh=data=3,data=3"], "is no mesh: data is there twice\n"),
        (["lenet5"], "needs devices"),
        (["lenet5", "--mesh", "data=auto"], "of --devices"),
    ],
)
def test_what_cannot_be_is_said(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert said in say(capsys, *words, "--device", "h200", status=1)


def test_samples_of_a_device_are_exact(capsys: pytest.CaptureFixture[str]) -> None:
    csv = ["--format", "csv"]
    for more in ([], csv):
        said = say(capsys, "lenet5", "--device", "h200", "--mesh", "data=8", "--batch", "8192", *more)
        (line,) = (line for line in said.splitlines() if line.startswith(("data=8 ", "data=8,")))
        assert "1,024" in line or "1024" in line


def test_what_does_not_fit_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["vgg16", "--device", "l4", "--devices", "2", "--batch", "4096"]
    said = say(capsys, *words)
    assert "W401" in said and "does not fit" in said
    assert "W401" in say(capsys, *words, "--strict", status=1)
