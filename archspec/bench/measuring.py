"""A network's programs, measured: what `archspec bench` has to say."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax

from archspec.bench.clock import Times, ratio, timed
from archspec.bench.programs import MOMENTUM, RATE, Program, by_hand, program
from archspec.by_hand import NETWORKS
from archspec.diagnostics import DataError, listed
from archspec.figures.cost import training_flops
from archspec.figures.devices import Device
from archspec.lowerings.choosing import Lowerings, of_mode
from archspec.passes import PassName, used
from archspec.passes import said as what_passes_do
from archspec.profiling import PROFILED, Profile
from archspec.programs import unkept
from archspec.xla import Mode, memory_kept_by, memory_parts, total

if TYPE_CHECKING:
    from archspec.loading import Spec


class Against(NamedTuple):
    """The network beside the one written by hand, both with a plain recipe, in turns."""

    ours: Times
    theirs: Times

    @property
    def ratio(self) -> tuple[float, float, float]:
        """Ours over theirs by the clock: the median of the blocks, and the quartiles."""
        return ratio(self.ours.wall, self.theirs.wall)


class Measured(NamedTuple):
    """A program of a network, measured."""

    mode: Mode
    batch: int
    precision: str
    times: Times
    compile_seconds: float
    flops: int
    """Of a step, as `archspec report` counts them."""
    device: Device
    xla_bytes: int | None
    process_bytes: int | None
    lowerings: Lowerings
    """What chose how its operations are computed, and what was chosen."""
    passes: str
    """What passes do, in words."""
    kept_by: str = ""
    """What the recipe does for less memory, in words."""
    against: Against | None = None

    @property
    def rate(self) -> float:
        """Samples a second."""
        return self.batch / self.times.median

    @property
    def achieved(self) -> float:
        """Operations a second."""
        return self.flops / self.times.median

    @property
    def share(self) -> float:
        """What is reached of the device's peak, from 0 to 1."""
        return self.achieved / self.device.flops[self.precision]


def check_by_hand(spec: Spec) -> None:
    """Raises `DataError` (E113) where no module of the network is written by hand."""
    name = spec.graph().variant or spec.name
    if name not in NETWORKS:
        raise DataError(
            "E113", f"no module of {name} is written by hand in Flax", help=[f"there is one of {listed(NETWORKS, 20)}"]
        )


def measure(
    spec: Spec,
    batch: int,
    mode: Mode,
    device: Device,
    *,
    precision: Any,
    lowerings: Any,
    passes: Sequence[PassName] | None = None,
    steps: int | None = None,
    against: bool = False,
    profile: Path | None = None,
) -> Measured:
    """Compiles a program of a spec anew, and times it. Where a folder is given, a profile of some steps lies there.

    What is None is as the recipe has it.
    """
    chosen = None if lowerings is None else of_mode(lowerings)
    with unkept():
        _forget_peak()
        before = _resident()
        made = program(spec, batch, mode, precision=precision, lowerings=chosen, passes=passes)
        times = timed({"": made.step}, steps)[""]
        after = _resident()
    if profile is not None:
        write_profile(made, profile / mode)
    graph = spec.graph()
    flops = batch * (graph.pruned("eval").flops if mode == "eval" else training_flops(graph))
    parts = memory_parts(made.compiled)
    # No more than was there already, and so nothing that is known of it.
    grown = None if before is None or after is None or after <= before else after - before
    beside = None
    if against:
        beside = _beside(spec, batch, mode, chosen, passes, steps)
    return Measured(
        mode,
        batch,
        precision,
        times,
        made.seconds,
        flops,
        device,
        total(parts),
        grown,
        made.lowerings or of_mode("library"),
        what_passes_do(graph.pruned(mode), used(spec.train, passes)),
        memory_kept_by(spec) if mode == "train" else "",
        beside,
    )


def _beside(
    spec: Spec,
    batch: int,
    mode: Mode,
    lowerings: Lowerings | None,
    passes: Sequence[PassName] | None,
    steps: int | None,
) -> Against:
    from archspec.optimisers.sgd import Sgd

    graph = spec.graph()
    height, width, channels = graph.inputs[0].type.shape
    plain = Sgd.plain_default(learning_rate=RATE, momentum=MOMENTUM)
    ours = program(graph, batch, mode, optimiser=plain, lowerings=lowerings, passes=passes)
    name = graph.variant or spec.name
    try:
        theirs = by_hand(name, (height, width), channels, batch, mode)
    except ValueError as error:
        raise DataError("E113", str(error), help=["leave `--input` or `--against` out"]) from None
    found = timed({"ours": ours.step, "theirs": theirs.step}, steps)
    return Against(found["ours"], found["theirs"])


def write_profile(made: Program, folder: Path) -> None:
    """A trace of some steps."""
    profile = Profile(folder)
    profile.begin(made.step(), lambda: made.compiled.as_text() or "")
    for _ in range(PROFILED - 1):
        made.step()
    profile.end(made.step())


def _forget_peak() -> None:
    """Has Linux count the most memory of this process from now on."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _resident() -> int | None:
    """Bytes at most: of the device where it says so, else of this process since `_forget_peak`, as Linux has it."""
    stats = jax.local_devices()[0].memory_stats() or {}
    if "peak_bytes_in_use" in stats:
        return int(stats["peak_bytes_in_use"])
    with suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
    return None
