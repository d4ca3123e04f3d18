"""Trains a network."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.commands._common import open_checked, positive, spec_options
from archspec.diagnostics import DataError
from archspec.output import said_when_slow, say_soon
from archspec.training.interrupt import loading

if TYPE_CHECKING:
    from archspec.loading import Spec
    from archspec.training.hosts import Place


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("spec", metavar="SPEC")
    command.add_argument(
        "--workdir",
        type=Path,
        metavar="DIR",
        help="run folder (default runs/NAME); auto: a new one, runs/NAME-2 and so on",
    )
    command.add_argument("--overwrite", action="store_true", help="train anew where the run folder holds a run")
    command.add_argument(
        "--profile", type=Path, metavar="FOLDER", help="write a trace of steps 2 to 4 for TensorBoard and Perfetto"
    )
    _host_options(command)
    spec_options(command)
    command.epilog = "example: archspec train lenet5 --set train.epochs=2 --workdir runs/quick"


def _host_options(command: argparse.ArgumentParser) -> None:
    """The options of a run over several devices and hosts."""
    command.add_argument(
        "--mesh", metavar="AXES", help="devices that share the work, in place of train.mesh's: data=8, data=4,fsdp=2"
    )
    command.add_argument(
        "--coordinator",
        metavar="HOST:PORT",
        help="where several processes meet, one on each host: the host of process 0, and a free port there; SLURM, "
        "Open MPI, Kubernetes and TPU pods say it themselves",
    )
    command.add_argument("--processes", type=positive, metavar="N", help="how many processes there are")
    command.add_argument("--process-id", type=_counted, metavar="I", help="which of them this is, from 0")
    command.add_argument(
        "--cluster", default="auto", metavar="NAME", help="what tells: auto, slurm, ompi, k8s, tpu, mpi4py, or none"
    )
    command.add_argument(
        "--join-timeout", type=positive, default=300, metavar="S", help="seconds to wait for all to come (default 300)"
    )


def _place_of(options: argparse.Namespace) -> Place | None:
    """Where options put this process among others. Raises `SpecError` where they do not go together."""
    if (options.coordinator, options.processes, options.process_id, options.cluster) == (None, None, None, "auto"):
        return None
    from archspec.training.hosts import place_of

    try:
        return place_of(options.coordinator, options.processes, options.process_id, options.cluster)
    except DataError as error:
        raise error.located(None) from None


def _axes(text: str) -> list[str]:
    """What sets all axes of `train.mesh`, and leaves what else it says, as `per_device`. Raises `SpecError`."""
    from archspec.mesh import AXES, read_mesh

    try:
        axes = read_mesh(text)
    except ValueError as error:
        raise DataError("E113", f"`--mesh {text[:60]}`: {error}").located(None) from None
    return [f"train.mesh.{axis}={axes.get(axis, 1)}" for axis in AXES]


def _counted(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text[:10])


def _check_paths(spec: Spec) -> None:
    """Raises `SpecError` where there are no data, before JAX is loaded, which takes seconds."""
    if spec.train is None:
        return
    try:
        spec.train.dataset.check_path()
    except DataError as error:
        raise spec.data_error(error) from None


def run(options: argparse.Namespace) -> int:
    say_soon()
    if options.mesh is not None:
        options.overrides += _axes(options.mesh)
    place = _place_of(options)
    with said_when_slow(f"reading {options.spec}"):
        spec = open_checked(options.spec, options, but=("W307",))  # the error says the same
        _check_paths(spec)
    if options.profile is not None:
        from archspec.profiling import check_folder

        try:
            check_folder(options.profile)
        except DataError as error:
            raise error.located(None) from None
    with loading():
        from archspec.training.hosts import detected, joined
        from archspec.training.run import train

    try:
        place = place or detected(options.cluster, options.join_timeout)
    except DataError as error:
        raise error.located(None) from None
    with joined(place, options.join_timeout, spec.kept()[0]) as hosts:
        first = hosts is None or hosts.is_first
        result = train(
            spec,
            options.workdir,
            overwrite=options.overwrite,
            progress=first,
            command=" ".join(sys.argv),
            page=True,
            profile=options.profile,
        )
    if first:
        print(result.summary())
    return 0
