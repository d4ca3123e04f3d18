"""How long collectives take: what links devices within a host and hosts with one another, and NCCL's latencies."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2, prod
from typing import Literal, NamedTuple

from archspec.figures.devices import Device
from archspec.mesh import Mesh
from archspec.sharding.collectives import Collective

PCI = 31.5e9
"""Bytes a second each way of PCI Express 4.0 with 16 lanes: what cards of a host have where nothing else is printed."""
NETWORK = 100e9 / 8
"""Bytes a second out of a host where its vendor prints nothing: one adapter of 100 Gb/s."""
PER_HOST = 8
"""Devices of a host where its vendor prints nothing."""

Hop = Literal["link", "network"]


class Protocol(NamedTuple):
    """A way to send: seconds to begin, seconds a hop, the part of a link's bandwidth, and bytes a second at most."""

    begin: float
    hops: dict[Hop, float]
    part: float
    most: float = float("inf")


RING = (
    Protocol(6.6e-6, {"link": 0.6e-6, "network": 2.7e-6}, 0.5, 35e9),
    Protocol(14.0e-6, {"link": 1.9e-6, "network": 4.0e-6}, 120 / 128),
    Protocol(8.4e-6, {"link": 3.4e-6, "network": 14.0e-6}, 1.0),
)
TREE = (
    Protocol(6.8e-6, {"link": 0.6e-6, "network": 5.0e-6}, 0.5, 35e9),
    Protocol(14.0e-6, {"link": 1.25e-6, "network": 8.5e-6}, 0.9 * 120 / 128),
    Protocol(8.4e-6, {"link": 4.0e-6, "network": 14.0e-6}, 0.9),
)
"""NCCL's protocols LL, LL128 and Simple, by a ring and by a double binary tree: the constants by which NCCL 2.30 itself
chooses among them (src/graph/tuning.cc). LL sends a flag with each four bytes, LL128 with each 120."""


@dataclass(frozen=True)
class Links:
    """Bytes a second out of a device to the `linked` that an interconnect joins, through the host to others in it, and
    out of a host over the network. `assumed` says what of this no vendor prints."""

    per_host: int
    linked: int
    interconnect: float
    network: float
    assumed: tuple[str, ...] = ()

    def members(self, mesh: Mesh, axes: tuple[str, ...]) -> tuple[int, int, int]:
        """Of a group over axes the devices in it, those that one interconnect joins, and those in one host.

        Devices are numbered along the mesh from its innermost axis; hosts hold consecutive ones.
        """
        group = prod(mesh.size(axis) for axis in axes)
        return group, _within(mesh, axes, self.linked), _within(mesh, axes, self.per_host)

    def rate(self, mesh: Mesh, axes: tuple[str, ...]) -> float:
        """Bytes a second out of a device while all groups over the axes are at it.

        A ring through a group enters and leaves a host once; the m devices of a group in a host are the ends of m rings
        that share its adapters with the host's other groups, so each of them has m times its part of the network.
        """
        group, joined, hosted = self.members(mesh, axes)
        rates = [self.interconnect] if joined > 1 else []
        inside = max(joined, hosted)
        if hosted > joined:
            rates.append(PCI)
        if group > inside:
            rates.append(inside * self.network / self.per_host)
        return min(rates, default=self.interconnect)

    def seconds(self, item: Collective, mesh: Mesh) -> float:
        """Seconds of one time of a collective: the least over NCCL's algorithms and protocols.

        Each is a latency, some hops one after the other, and the bytes that a device sends over its links' rate.
        """
        group, joined, hosted = self.members(mesh, item.axes)
        if group == 1:
            return 0.0
        inside = max(joined, hosted)
        rate, sent = self.rate(mesh, item.axes), item.sent(mesh)
        hosts = ceil(group / inside)
        both = 2 if item.kind == "all-reduce" else 1
        if item.kind == "collective-permute":
            hops = (0, 1) if hosts > 1 else (1, 0)
        else:
            hops = (both * (group - hosts), both * (hosts - 1) if hosts > 1 else 0)
        found = [_time(protocol, hops, sent, rate) for protocol in RING]
        if item.kind == "all-reduce":
            through = (2 * (inside - 1), 2 * ceil(log2(hosts)))
            found += [_time(protocol, through, sent, rate) for protocol in TREE]
        return min(found)


def _time(protocol: Protocol, hops: tuple[int, int], sent: float, rate: float) -> float:
    begin = protocol.begin + hops[0] * protocol.hops["link"] + hops[1] * protocol.hops["network"]
    return begin + sent / min(rate * protocol.part, protocol.most)


def _within(mesh: Mesh, axes: tuple[str, ...], consecutive: int) -> int:
    """How many devices of a group over axes are among so many consecutive ones."""
    strides = {"data": mesh.fsdp * mesh.spatial, "fsdp": mesh.spatial, "spatial": 1}
    return prod(min(mesh.size(axis), max(1, consecutive // strides[axis])) for axis in axes)


def links_of(
    device: Device,
    devices: int,
    per_host: int | None = None,
    interconnect: float | None = None,
    network: float | None = None,
) -> Links:
    """The links of devices: what is given, else what the vendor prints, else what is assumed, which is said."""
    assumed = []
    hosted = per_host or device.per_host
    if hosted is None:
        hosted = 1 if device.is_cpu else PER_HOST
        if not device.is_cpu and devices > 1:
            assumed.append(f"{PER_HOST} devices a host")
    inside = interconnect or device.interconnect
    joined = device.linked or hosted
    if per_host is not None and joined == device.per_host:
        joined = per_host
    if inside is None:
        inside = PCI
        if min(devices, max(joined, hosted)) > 1:
            assumed.append(f"{PCI / 1e9:g} GB/s out of a device within a host (PCI Express 4.0 ×16)")
    outside = network or device.network
    if outside is None:
        outside = NETWORK
        if devices > max(joined, hosted):
            assumed.append(f"{NETWORK * 8 / 1e9:g} Gb/s out of a host")
    return Links(hosted, joined, inside, outside, tuple(assumed))
