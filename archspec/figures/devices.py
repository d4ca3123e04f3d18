"""Devices that `archspec roofline` and `plan` know, and processors written as `cpu:8x3.0,avx2,50GB/s`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from archspec.diagnostics import DataError, Findings, count, did_you_mean, listed

DTYPES = ("float32", "tf32", "bfloat16", "float16")

INSTRUCTIONS = {"sse": 8, "neon": 16, "avx": 16, "avx2": 32, "avx512": 64}
"""Float32 operations a core does in a cycle: lanes × 2 for a product and a sum at once × units. SSE and AVX have a
multiplier and an adder, NEON and AVX2 two units for fused multiply–adds, AVX-512 two of 512 bits."""

CPU_FORM = "cpu:CORESxGHZ,INSTRUCTIONS,BANDWIDTH[,MEMORY], as cpu:8x3.0,avx2,50GB/s,64GB"


@dataclass(frozen=True)
class Device:
    """A device's peaks: operations a second by type of number, bytes a second, bytes of memory.

    `interconnect` is bytes a second out of the device to the `linked` others that it reaches so, itself among them.
    Hosts are as their vendors build them: `per_host` devices in each, and `network` bytes a second out of a host to
    others, by `host_source`. `achieved` is what part of the roofline training reaches by type of number, and
    `kernel` the seconds that each kernel takes beyond that, where that was measured. What is not known is None.
    """

    name: str
    title: str
    flops: Mapping[str, float]
    bandwidth: float
    source: str
    memory: float | None = None
    interconnect: float | None = None
    linked: int | None = None
    per_host: int | None = None
    network: float | None = None
    host_source: str | None = None
    achieved: Mapping[str, float] = field(default_factory=dict)
    kernel: float | None = None
    achieved_source: str | None = None

    @property
    def is_cpu(self) -> bool:
        """Whether it was described as a processor."""
        return self.name == "cpu"

    @property
    def default_dtype(self) -> str:
        """float32 where the device has a figure for it."""
        return next(dtype for dtype in DTYPES if dtype in self.flops)

    def ridge(self, dtype: str) -> float:
        """Operations per byte from which on the processor and not the memory is the bound."""
        return self.flops[dtype] / self.bandwidth


@cache
def devices() -> Mapping[str, Device]:
    """The devices of `devices.yaml` by name."""
    from archspec.source import read_text

    findings = Findings()
    path = Path(__file__).with_name("devices.yaml")
    table = read_text(path.read_text("utf-8"), path.name, findings)
    findings.raise_if_failed()
    assert table is not None
    giga = 1e9
    return {
        name: Device(
            name,
            row["title"],
            {dtype: 1e12 * rate for dtype, rate in row["tflops"].items()},
            giga * row["bandwidth"],
            row["source"],
            giga * row["memory"],
            giga * row["interconnect"] if "interconnect" in row else None,
            row.get("linked", row.get("host", {}).get("devices")),
            **_host(row.get("host", {})),
            **_measured(row.get("training", {})),
        )
        for name, row in table.plain.items()
    }


def _host(row: Mapping[str, Any]) -> dict[str, Any]:
    network = row.get("network")
    return {
        "per_host": row.get("devices"),
        "network": None if network is None else 1e9 / 8 * network,
        "host_source": row.get("source"),
    }


def _measured(row: Mapping[str, Any]) -> dict[str, Any]:
    if not row:
        return {}
    return {"achieved": row["achieved"], "kernel": 1e-6 * row["kernel"], "achieved_source": row["source"]}


def find_device(text: str) -> Device:
    """The device of a name, in any case, or the processor that a text `cpu:…` describes.

    Raises `DataError` with the names there are, or the form of the text.
    """
    known = devices()
    name = text.strip().lower()
    if name.startswith("cpu:") or name == "cpu":
        return _cpu(text.strip())
    if name in known:
        return known[name]
    hint = did_you_mean(name, known)
    raise DataError(
        "E113",
        f"there is no device {text[:60]!r}",
        help=[*([hint] if hint else []), f"known are {listed(known, 40)}", f"a processor is {CPU_FORM}"],
    )


def _cpu(text: str) -> Device:
    cores, clock, per_cycle, bandwidth, memory = 0, 0.0, 0, 0.0, None
    how = ""
    for part in text[4:].split(","):
        word = part.strip().lower()
        if match := re.fullmatch(r"(\d{1,4})x(\d{1,3}(?:\.\d{1,4})?)(?:ghz)?", word, re.ASCII):
            cores, clock = int(match[1]), 1e9 * float(match[2])
        elif word in INSTRUCTIONS:
            per_cycle, how = INSTRUCTIONS[word], f"{word}, {INSTRUCTIONS[word]} operations a cycle"
        elif match := re.fullmatch(r"(\d{1,5})flops", word, re.ASCII):
            per_cycle, how = int(match[1]), f"{int(match[1])} operations a cycle"
        elif match := re.fullmatch(r"(\d{1,6}(?:\.\d{1,4})?)gb/s", word, re.ASCII):
            bandwidth = 1e9 * float(match[1])
        elif match := re.fullmatch(r"(\d{1,6}(?:\.\d{1,4})?)gb", word, re.ASCII):
            memory = 1e9 * float(match[1])
        else:
            raise _cpu_error(f"{part.strip()[:40]!r} says nothing of a processor")
    if not cores or not clock:
        raise _cpu_error("cores and clock are missing, as 8x3.0")
    if not per_cycle:
        raise _cpu_error("instructions are missing, as avx2, or operations a cycle and core, as 32flops")
    if not bandwidth:
        raise _cpu_error("the bandwidth of its memory is missing, as 50GB/s")
    if memory == 0:
        raise _cpu_error("the memory has no bytes")
    rate = cores * clock * per_cycle
    source = f"{count(cores, 'core')} × {clock / 1e9:g} GHz × {how}"
    return Device("cpu", text, {"float32": rate}, bandwidth, source, memory)


def _cpu_error(reason: str) -> DataError:
    return DataError(
        "E113",
        f"this processor cannot be understood: {reason}",
        help=[f"the form is {CPU_FORM}", f"instructions are {listed(INSTRUCTIONS)}; or operations a cycle, as 32flops"],
    )
