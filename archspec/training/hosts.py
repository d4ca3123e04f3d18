"""Joins the processes of a run that was started once for each host, or once for each of a host's devices.

They find each other first (`star.py`), and compare versions and specs, in words of ours and in bounded time; only then
`jax.distributed` joins them: where a process does not come, or its JAX is another one, JAX's own runtime waits long and
ends with a dump of its stack.
"""

from __future__ import annotations

import os
import re
import socket
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NamedTuple

from archspec.diagnostics import DataError
from archspec.output import say
from archspec.training.agreement import SPEC, Agreement, packed, versions
from archspec.training.interrupt import Stopped
from archspec.training.lookout import Lookout, Turn, first_line
from archspec.training.star import SILENT, Star

CLUSTERS = {
    "slurm": ("SlurmCluster",),
    "ompi": ("OmpiCluster",),
    "k8s": ("K8sCluster",),
    "tpu": ("GceTpuCluster", "GkeTpuCluster"),
    "mpi4py": ("Mpi4pyCluster",),
}
"""What detects a cluster: JAX's classes, of whose own names that of Kubernetes is empty and those of TPUs are two."""
CHOICES = ("auto", "none", *CLUSTERS)
"""What `--cluster` may say; `none` trains alone."""
JOIN = 300
"""Seconds that processes wait for one another to come, as in JAX."""
INITIALISE, SHUTDOWN = 60, 30
"""Seconds that JAX has to join processes that are all there, and to part them."""
_STATUS = re.compile(r"[A-Z_]{5,}: ")
"""How words of XLA's begin: `UNKNOWN: Gloo all-reduce failed`."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Place(NamedTuple):
    """Where a process stands among those of its run. `local` is its number on its host, where a launcher says it."""

    host: str
    port: int
    total: int
    number: int
    local: int | None = None


def place_of(coordinator: str | None, total: int | None, index: int | None, cluster: str) -> Place | None:
    """What options say; None where they say nothing. Raises `DataError` where they do not go together."""
    if cluster not in CHOICES:
        raise DataError("E571", f"there is no --cluster {cluster}", help=[f"there are {', '.join(CHOICES)}"])
    given = {"--coordinator": coordinator, "--processes": total, "--process-id": index}
    lacking = [name for name, value in given.items() if value is None]
    if len(lacking) == len(given):
        return None
    if lacking:
        raise DataError(
            "E571",
            f"{' and '.join(name for name in given if name not in lacking)} without {' and '.join(lacking)}",
            help=["all three say where processes meet; without them SLURM, Open MPI, Kubernetes and TPU pods do"],
        )
    assert coordinator is not None and total is not None and index is not None
    if cluster != "auto":
        raise DataError("E571", f"--cluster {cluster} and --coordinator say both where processes meet")
    if not 0 <= index < total:
        raise DataError("E571", f"--process-id {index} is none of the {total} of --processes: they count from 0")
    return Place(*address_of(coordinator), total, index)


def address_of(text: str) -> tuple[str, int]:
    """The host and port of `HOST:PORT`. Raises `DataError`."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 2**16):
        raise DataError("E571", f"{text!r} is no HOST:PORT", help=["for example --coordinator node1:4711"])
    return host, int(port)


def detected(cluster: str, seconds: int) -> Place | None:
    """Where the cluster that started this process puts it; None where it is alone.

    JAX knows SLURM, Open MPI, Kubernetes and TPU pods. Raises `DataError` where one says that there are others, but
    not where they are.
    """
    if cluster == "none":
        return None
    from jax._src import clusters  # `jax.distributed.initialize` detects and joins in one, and has no other name

    kinds: list[Any] = clusters.ClusterEnv._cluster_types
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            named = CLUSTERS.get(cluster, ())
            there = (kind for kind in kinds if kind.__name__ in named or (cluster == "auto" and _may_be(kind)))
            found = next((kind for kind in there if kind.is_env_present()), None)
        if found is None:
            if cluster != "auto":
                raise DataError("E571", f"--cluster {cluster}: nothing of it is found here", help=[_BY_HAND])
            _check_unknown()
            return None
        total = int(found.get_process_count())
        if total == 1 or (cluster == "auto" and _is_alone(found, total)):
            return None
        address = os.environ.get("JAX_COORDINATOR_ADDRESS") or found.get_coordinator_address(
            timeout_secs=seconds, override_coordinator_port=os.environ.get("JAX_COORDINATOR_PORT")
        )
        local = found.get_local_process_id()
        return Place(*address_of(address), total, int(found.get_process_id()), local)
    except DataError:
        raise
    except Exception as error:  # whatever a cluster's own client raises
        said = " ".join(str(error).split()) or type(error).__name__
        raise DataError("E571", f"what JAX detects of the cluster does not do: {said}", help=[_BY_HAND]) from error


_BY_HAND = "--coordinator HOST:PORT --processes N --process-id I say it; --cluster none trains alone"


def _may_be(kind: Any) -> bool:
    """Whether a cluster is looked for unasked: of Kubernetes only an indexed job has processes with numbers."""
    known = kind.__name__ not in CLUSTERS["k8s"] or "JOB_COMPLETION_INDEX" in os.environ
    return known and not kind.opt_in_only_method


def _is_alone(kind: Any, total: int) -> bool:
    """Whether SLURM started this process alone, in an allocation of several tasks."""
    own = os.environ.get("SLURM_STEP_NUM_TASKS")
    if kind.__name__ not in CLUSTERS["slurm"] or own is None or int(own) == total:
        return False
    say(f"note: this job of SLURM has {total} tasks, and this step {own}: it trains alone; `srun archspec train` joins")
    return True


def _check_unknown() -> None:
    """Raises `DataError` where a launcher started several processes that JAX does not detect."""
    size = os.environ.get("OMPI_COMM_WORLD_SIZE", "1")
    if size.isdigit() and int(size) > 1:
        raise DataError(
            "E571",
            f"Open MPI started {size} processes, which JAX does not detect here",
            help=["--cluster mpi4py does, with the package mpi4py", _BY_HAND],
        )
    if "JOB_COMPLETION_INDEX" in os.environ and "KUBERNETES_SERVICE_HOST" in os.environ:
        say("note: of a Kubernetes job JAX detects the pods with the package kubernetes alone: this one trains alone")


class Hosts:
    """The processes of a run, of which this is one: joined, watched, and left."""

    def __init__(self, star: Star) -> None:
        self.star = star
        self.agreement = Agreement(star)
        self.turns: dict[str, Turn] = {name: Turn(star, name) for name in TURNS}
        self.lookout: Lookout | None = None
        self.ours = False
        """Whether JAX was joined here, and is to be parted here."""

    @property
    def is_first(self) -> bool:
        return self.star.index == 0

    def join(self, place: Place, seconds: float, spec_text: str) -> None:
        """Waits until all are there, compares what can be compared without devices, and has JAX join them.

        Nothing may have used JAX's devices before. Raises `DataError`, or `LostError`.
        """
        star = self.star
        if self.is_first:
            bind = os.environ.get("JAX_COORDINATOR_BIND_ADDRESS")
            host, port = address_of(bind) if bind else (None, place.port)
            star.listen(host or (place.host if place.host in _LOOPBACK else None), port)
            star.behind = _free_port()
        star.join(place.host, place.port, seconds, say)
        self.lookout = Lookout(star)
        self.agreement.agree("environment", {**versions(), SPEC: packed(spec_text)})
        self._join_jax(place)

    def _join_jax(self, place: Place) -> None:
        import jax

        # It would take SIGTERM from us; what it is for, `Turn` does for every signal.
        jax.config.update("jax_enable_preemption_service", False)  # type: ignore[no-untyped-call]
        address = f"127.0.0.1:{self.star.behind if self.is_first else self.star.port}"
        try:
            jax.distributed.initialize(
                address,
                place.total,
                place.number,
                local_device_ids=self._devices(place),
                cluster_detection_method="deactivate",
                initialization_timeout=INITIALISE,
                shutdown_timeout_seconds=SHUTDOWN,
                coordinator_bind_address=address,
            )
        except (RuntimeError, ValueError) as error:
            said = " ".join(str(error).split())
            raise DataError("E571", f"JAX cannot join the processes: {said[:300]}") from error
        self.ours = True
        _reached_at(self.star.address)

    def _devices(self, place: Place) -> list[int] | None:
        """As in JAX, each of several processes on a host has the device of its number there, and one alone has all."""
        here = Counter(member.host for member in self.star.members.values())[self.star.own.host]
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        chosen = os.environ.get("JAX_LOCAL_DEVICE_IDS") or (visible and "," not in visible)
        return None if place.local is None or here == 1 or chosen else [place.local]

    def agree(self, stage: str, facts: dict[str, str]) -> None:
        """Raises `DataError` (E572) in all processes where facts differ. All call this with the same stages."""
        self.agreement.agree(stage, facts)

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Raises `LostError` in place of JAX's errors inside where they come of a lost process.

        A collective operation of CPUs fails at once where a connection is closed, and does not say whose; that the
        process is lost may be known later.
        """
        try:
            yield
        except (RuntimeError, ValueError) as error:
            # Where JAX brings an array to the host, an error of its computation is a ValueError.
            if self.lookout is None or not (type(error).__name__ == "JaxRuntimeError" or _STATUS.match(str(error))):
                raise
            lost = self.lookout.verdict(SILENT + 5)
            if lost is not None:
                raise lost from error
            raise

    def leave(self, error: BaseException | None) -> None:
        """Ends the run: with an error, which others are told of and end too, or once all have come to its end.

        Raises `LostError` where one is lost until then.
        """
        try:
            if error is not None:
                self.star.leave(first_line(error))
                return
            if self.is_first:
                self.star.wait_for_end()
                self.star.leave()
            else:
                self.star.leave()
                self.star.wait_for_end()
            if self.ours:
                import jax

                with suppress(RuntimeError):
                    jax.distributed.shutdown()  # type: ignore[no-untyped-call]
        finally:
            if self.lookout is not None:
                self.lookout.close()
            self.star.close()


TURNS = ("stop", "save", "fail")
"""What all processes of a run do at the same step."""
_current: list[Hosts] = []
_unparted: list[Hosts] = []


def current() -> Hosts | None:
    """The processes of the run that is under way here; None of one process alone."""
    return _current[-1] if _current else None


def turn(name: str) -> Turn:
    """What all processes of the run that is under way do together, by its name."""
    hosts = current()
    return Turn(None, name) if hosts is None else hosts.turns[name]


@contextmanager
def _led(hosts: Hosts) -> Iterator[Hosts]:
    _current.append(hosts)
    try:
        yield hosts
        hosts.leave(None)
    except BaseException as error:
        if hosts.ours:
            # Nor does JAX part them after a stop: where a second signal ends one of them first, it would wait for that
            # one, and end this process with a dump of its stack.
            _unparted.append(hosts)
            hosts.ours = False
        hosts.leave(None if isinstance(error, Stopped) and error.by_all else error)
        raise
    finally:
        _current.remove(hosts)


@contextmanager
def joined(place: Place | None, seconds: float, spec_text: str) -> Iterator[Hosts | None]:
    """Joins the processes of a run for a while; of one alone there is nothing to join. Raises `SpecError`."""
    if place is None:
        yield None
        return
    hosts = Hosts(Star(place.number, place.total))
    with _led(hosts):
        try:
            hosts.join(place, seconds, spec_text)
        except DataError as error:
            raise error.located(None) from None
        with hosts.explaining():
            yield hosts


@contextmanager
def gathered(spec_text: str) -> Iterator[Hosts | None]:
    """The processes of a run: those that were joined here, or by whoever called `jax.distributed.initialize`."""
    if _current:
        with _current[-1].explaining():
            yield _current[-1]
        return
    import jax

    if not jax.distributed.is_initialized() or jax.process_count() == 1:
        yield None
        return
    from archspec.peers import peers

    others = peers()
    hosts = Hosts(Star(others.index, others.count))
    if hosts.is_first:
        hosts.star.listen(None, _free_port())  # one for IPv4 and IPv6 alike, which 0 would not be
    port = others.chosen("star", lambda: hosts.star.port)
    with _led(hosts):
        try:
            hosts.star.join(_coordinator(), port, INITIALISE)
            hosts.lookout = Lookout(hosts.star)
            hosts.agree("environment", {**versions(), SPEC: packed(spec_text)})
        except DataError as error:
            raise error.located(None) from None
        with hosts.explaining():
            yield hosts


def is_left() -> bool:
    """Whether a run that was joined here was stopped, or ended with an error: at its end JAX would wait for others."""
    return bool(_unparted)


def _coordinator() -> str:
    """The host of the coordinator that JAX was joined with."""
    from jax._src import distributed  # it has no public name

    return address_of(str(distributed.global_state.coordinator_address))[0]


def _reached_at(address: str) -> None:
    """Has gloo, which computes collectives of CPUs, tell others this address of this host.

    By itself it takes the one that the host's own name has here, often 127.0.1.1; JAX has no setting for it.
    """
    from jax._src.lib import _jax  # type: ignore[attr-defined]

    _jax.make_gloo_tcp_collectives = partial(_jax.make_gloo_tcp_collectives, hostname=address)


def _free_port() -> int:
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        return int(own.getsockname()[1])
