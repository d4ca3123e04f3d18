"""The processes of a run: how they find each other, what they compare, who is missed, and what they do together."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from archspec.diagnostics import DataError, SpecError
from archspec.training import hosts
from archspec.training import star as stars
from archspec.training.agreement import SPEC, Agreement, packed
from archspec.training.hosts import CLUSTERS, Place, detected, place_of
from archspec.training.interrupt import Stopped
from archspec.training.lookout import Turn
from archspec.training.star import LostError, Star
from tests.together import free_port

ROOT = Path(__file__).parents[2]


def side_by_side(functions: list[Callable[[], Any]]) -> list[Any]:
    """What functions give that run in threads, or the errors that they raise."""
    made: list[Any] = [None] * len(functions)

    def run(index: int) -> None:
        try:
            made[index] = functions[index]()
        except (DataError, SpecError) as error:
            made[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    return made


@contextmanager
def joined(total: int, prepare: Callable[[Star], Any] = lambda star: None) -> Iterator[tuple[list[Star], list[Any]]]:
    """The stars of so many processes, all in this one, and what `prepare` makes of each before they join."""
    port = free_port()
    made = [Star(index, total) for index in range(total)]
    prepared = [prepare(star) for star in made]
    made[0].listen("127.0.0.1", port)
    try:
        assert side_by_side([lambda star=star: star.join("127.0.0.1", port, 10) for star in made]) == [None] * total
        yield made, prepared
    finally:
        for star in reversed(made):
            star.close()


def stopped(star: Star) -> None:
    """Has a process say and hear nothing more, its connections still open."""
    star._loop.call_soon_threadsafe(star._loop.stop)
    star._thread.join(5)


class TestOptions:
    def test_all_or_none(self) -> None:
        assert place_of(None, None, None, "auto") is None
        assert place_of("node1:4711", 4, 3, "auto") == Place("node1", 4711, 4, 3)
        assert place_of("[fe80::1]:4711", 2, 0, "auto") == Place("fe80::1", 4711, 2, 0)

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            (("node1:4711", None, 0, "auto"), "--coordinator and --process-id without --processes"),
            ((None, 2, None, "auto"), "--processes without --coordinator and --process-id"),
            (("node1", 2, 0, "auto"), "'node1' is no HOST:PORT"),
            (("node1:99999", 2, 0, "auto"), "'node1:99999' is no HOST:PORT"),
            (("node1:4711", 2, 2, "auto"), "--process-id 2 is none of the 2 of --processes: they count from 0"),
            (("node1:4711", 2, 1, "slurm"), "--cluster slurm and --coordinator say both where processes meet"),
            ((None, None, None, "slrm"), "there is no --cluster slrm"),
        ],
    )
    def test_what_does_not_go_together(self, given: Any, said: str) -> None:
        with pytest.raises(DataError) as caught:
            place_of(*given)
        assert (caught.value.code, caught.value.message) == ("E571", said)


SLURM = {
    "SLURM_JOB_ID": "4242",
    "SLURM_STEP_NODELIST": "node[07-08]",
    "SLURM_NTASKS": "2",
    "SLURM_STEP_NUM_TASKS": "2",
    "SLURM_PROCID": "1",
    "SLURM_LOCALID": "0",
}


class TestDetection:
    @pytest.fixture(autouse=True)
    def no_cluster(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in list(os.environ):
            if name.startswith(("SLURM_", "OMPI_", "KUBERNETES_", "JOB_COMPLETION", "JAX_COORDINATOR")):
                monkeypatch.delenv(name)

    def given(self, monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    def test_nothing(self) -> None:
        assert detected("auto", 5) is None

    def test_slurm(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.given(monkeypatch, **SLURM)
        assert detected("auto", 5) == Place("node07", 4242 + 61440 - 4096, 2, 1, 0)
        assert detected("slurm", 5) == detected("auto", 5)
        assert detected("none", 5) is None

    def test_a_step_of_one_task_is_alone(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """As in an interactive job, where SLURM_NTASKS is the allocation's."""
        self.given(monkeypatch, **{**SLURM, "SLURM_STEP_NUM_TASKS": "1"})
        assert detected("auto", 5) is None
        assert "this job of SLURM has 2 tasks, and this step 1" in capsys.readouterr().err
        self.given(monkeypatch, SLURM_NTASKS="1")
        assert detected("auto", 5) is None
        assert not capsys.readouterr().err

    def test_open_mpi(self, monkeypatch: pytest.MonkeyPatch) -> None:
        size = {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_LOCAL_RANK": "1"}
        self.given(monkeypatch, **size, OMPI_MCA_orte_hnp_uri="1531576320.0;tcp://10.96.0.1,10.148.0.1:34911")
        place = detected("auto", 5)
        assert place is not None
        assert (place.host, place.total, place.number, place.local) == ("10.96.0.1", 4, 3, 1)

    def test_open_mpi_that_jax_does_not_know(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.given(monkeypatch, OMPI_COMM_WORLD_SIZE="4", OMPI_COMM_WORLD_RANK="3")
        with pytest.raises(DataError, match="Open MPI started 4 processes, which JAX does not detect here"):
            detected("auto", 5)
        self.given(monkeypatch, OMPI_COMM_WORLD_SIZE="1")
        assert detected("auto", 5) is None

    def test_kubernetes_without_its_package(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.given(monkeypatch, KUBERNETES_SERVICE_HOST="10.0.0.1")
        assert detected("auto", 5) is None
        assert not capsys.readouterr().err
        self.given(monkeypatch, JOB_COMPLETION_INDEX="1")
        monkeypatch.setitem(sys.modules, "kubernetes", None)
        assert detected("auto", 5) is None
        assert "the package kubernetes" in capsys.readouterr().err

    def test_kubernetes_with_its_package_in_what_is_no_indexed_job(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As in a notebook's pod: there is nobody to ask, nor anything to be asked for."""
        self.given(monkeypatch, KUBERNETES_SERVICE_HOST="10.0.0.1")
        monkeypatch.setitem(sys.modules, "kubernetes", types.ModuleType("kubernetes"))
        assert detected("auto", 5) is None
        with pytest.raises(DataError, match="what JAX detects of the cluster does not do"):
            detected("k8s", 5)

    def test_names_are_those_of_jaxs_classes(self) -> None:
        from jax._src import clusters

        there = {kind.__name__ for kind in clusters.ClusterEnv._cluster_types}
        assert {name for names in CLUSTERS.values() for name in names} <= there

    def test_what_was_asked_for_is_not_there(self) -> None:
        with pytest.raises(DataError, match="--cluster slurm: nothing of it is found here"):
            detected("slurm", 5)


class TestJoining:
    def test_all_know_all(self) -> None:
        with joined(3) as (made, _):
            for star in made:
                assert sorted(star.members) == [0, 1, 2]
                assert {member.process for member in star.members.values()} == {os.getpid()}

    def test_addresses_for_this_host_alone_are_told_to_nobody(self) -> None:
        """Where a host's own name is 127.0.1.1 there, what others reach process 0 at holds for all on its host."""

        def reached(star: Star) -> None:
            if not star.index:
                star.address = "192.0.2.7"

        with joined(3, reached) as (made, _):
            assert [star.address for star in made] == ["192.0.2.7"] * 3

    def failing(self, members: list[Star], seconds: float = 10) -> list[str]:
        port = free_port()
        for star in members:
            if not star.index:
                star.listen("127.0.0.1", port)
        found = side_by_side([lambda star=star: star.join("127.0.0.1", port, seconds) for star in members])
        assert all(isinstance(error, DataError) and error.code == "E571" for error in found)
        return [error.message for error in found]

    def test_one_does_not_come(self) -> None:
        begun = time.monotonic()
        said = self.failing([Star(0, 4), Star(2, 4)], 1.5)
        assert time.monotonic() - begun < 60
        assert said == ["processes 1 and 3 of 4 did not come within 1.5 s"] * 2

    def test_no_coordinator(self) -> None:
        (said,) = self.failing([Star(1, 2)], 1)
        assert said.startswith("process 0 was not reached at 127.0.0.1:")
        assert said.endswith("within 1 s: Connection refused")

    def test_one_number_twice(self) -> None:
        for said in self.failing([Star(0, 3), Star(1, 3), Star(1, 3)]):
            assert said.startswith("there are two processes 1: on ")

    def test_other_totals(self) -> None:
        first, second = self.failing([Star(0, 3), Star(1, 2)])
        assert first == second
        assert " was started as one of 2, and process 0 on " in first

    def test_the_port_is_taken(self) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            star = Star(0, 2)
            with pytest.raises(DataError, match="another process listens there already"):
                star.listen("127.0.0.1", other.getsockname()[1])
            star.close()

    def test_localhost_with_an_address_that_is_not_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As ::1 in a container that has no IPv6."""
        real = socket.getaddrinfo

        def both(host: Any, port: Any, *rest: Any, **named: Any) -> list[Any]:
            found = real("127.0.0.1", port, *rest, **named)
            return [*found, *real("192.0.2.1", port, *rest, **named)] if host == "localhost" else found

        monkeypatch.setattr(socket, "getaddrinfo", both)
        star = Star(0, 2)
        star.listen("localhost", free_port())
        socket.create_connection(("127.0.0.1", star.port), 5).close()
        star.close()

    def test_what_listened_is_closed(self) -> None:
        with joined(2) as (made, _):
            ports = [star.port for star in made]
        for port in ports:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), 5)

    def test_nothing_is_said_of_what_passed_on_bytes_until_the_end(self, caplog: pytest.LogCaptureFixture) -> None:
        with socket.socket() as behind:
            behind.bind(("127.0.0.1", 0))
            behind.listen()
            with joined(2) as (made, _):
                made[0].behind = behind.getsockname()[1]
                own = socket.create_connection(("127.0.0.1", made[1].port), 5)
                own.sendall(b"of JAX's")
                there, _ = behind.accept()
                assert there.recv(8) == b"of JAX's"
            made.clear()
            gc.collect()
            own.close()
            there.close()
        assert not caplog.records

    @pytest.mark.parametrize(
        "said",
        [b"{}", b"[]", b'{"index": null}', b'{"index": 1e999}', b"[" * 100_000, b"\xff", None],
        ids=["nothing", "list", "null", "infinite", "deep", "bytes", "too long"],
    )
    def test_bytes_of_anybody(self, said: bytes | None, caplog: pytest.LogCaptureFixture) -> None:
        """They end their connection, and nothing else."""
        star = Star(0, 2)
        star.listen("127.0.0.1", 0)
        with socket.create_connection(("127.0.0.1", star.port), 5) as other:
            size = stars.LONGEST + 1 if said is None else len(said)
            other.sendall(stars.MAGIC + size.to_bytes(4, "big") + (said or b""))
            assert other.recv(1) == b""
        star.close()
        assert star.failed is None
        assert not caplog.records

    def test_what_is_no_coordinator_of_ours(self) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            threading.Thread(target=lambda: other.accept()[0].close()).start()
            star = Star(1, 2)
            with pytest.raises(DataError, match="ended the connection before all processes had come"):
                star.join("127.0.0.1", other.getsockname()[1], 10)


class TestAgreement:
    def facts(self, *each: dict[str, str]) -> list[Any]:
        with joined(len(each), Agreement) as (_, agreements):
            pairs = zip(agreements, each, strict=True)
            return side_by_side([lambda own=own, facts=facts: own.agree("a", facts) for own, facts in pairs])

    def test_alike(self) -> None:
        assert self.facts({"jax": "1", SPEC: packed("a: 1")}, {"jax": "1", SPEC: packed("a: 1")}) == [None, None]

    def test_all_are_told_of_all_that_differs(self) -> None:
        own = {"jax": "0.10.2", "numpy": "2.0", SPEC: packed("train: {seed: 1, epochs: 2}")}
        other = {**own, "jax": "0.12.0", SPEC: packed("train: {seed: 5, epochs: 2}")}
        found = self.facts(own, other, own, other)
        host = socket.gethostname()
        first, they = f"process 0 ({host})", f"process 1 ({host}) and process 3 ({host})"
        for error in found:
            assert error.code == "E572"
            assert list(error.notes) == [
                f"jax: 0.10.2 in {first}, 0.12.0 in {they}",
                f"spec, {first} → {they}: train.seed: 1 → 5",
            ]

    def test_one_is_lost_before_it_says_anything(self) -> None:
        with joined(2, Agreement) as (made, agreements):
            made[1].close()
            (error,) = side_by_side([lambda: agreements[0].agree("a", {})])
        assert isinstance(error, LostError)
        assert "process 1 (host " in error.diagnostics[0].message


class TestLosses:
    def lost(self, star: Star, seconds: float = 10) -> str:
        with star.changed:
            assert star.changed.wait_for(lambda: star.lost is not None, seconds)
        with pytest.raises(LostError) as caught:
            star.check()
        return caught.value.diagnostics[0].message

    def test_a_connection_that_ends(self) -> None:
        """Process 2's is seen by 0, which tells 1."""
        with joined(3) as (made, _):
            made[2].close()
            for star in made[:2]:
                assert self.lost(star).startswith(f"process 2 (host {socket.gethostname()}, PID {os.getpid()}) is gone")

    @pytest.mark.parametrize(("gone", "seen"), [(1, 0), (0, 1)])
    def test_one_that_is_silent(self, monkeypatch: pytest.MonkeyPatch, gone: int, seen: int) -> None:
        monkeypatch.setattr(stars, "BEAT", 0.1)
        monkeypatch.setattr(stars, "SILENT", 1.0)
        with joined(2) as (made, _):
            time.sleep(1.5)
            assert made[seen].lost is None
            stopped(made[gone])
            assert f"process {gone} (host" in (said := self.lost(made[seen]))
            assert "nothing has been heard of it for 1 s" in said

    def test_one_that_was_silent_and_goes_on_does_not_blame_the_others(self) -> None:
        with joined(2) as (made, _):
            made[0]._loop.call_soon_threadsafe(made[0]._lose, 1, "nothing has been heard of it")
            assert self.lost(made[1]).endswith("is gone: nothing has been heard of it")
            assert made[1].lost is not None
            assert made[1].lost.member.number == 1

    def test_one_that_ends_with_an_error_says_why(self) -> None:
        with joined(3) as (made, _):
            made[1].leave("error[E518]: other data")
            for star in (made[0], made[2]):
                assert self.lost(star).endswith("ended, and all others with it")
                error = LostError(star.lost) if star.lost else None
                assert error is not None
                assert error.status == 1
                assert error.diagnostics[0].notes == ("error[E518]: other data",)

    def test_all_end_well(self) -> None:
        with joined(3) as (made, _):
            for star in made[1:]:
                star.leave()
            made[0].wait_for_end()
            made[0].leave()
            for star in made[1:]:
                star.wait_for_end()
            for star in made:
                star.close()
            assert [star.lost for star in made] == [None] * 3


class TestTurns:
    def test_all_take_it_at_the_same_call(self) -> None:
        """However fast each is, whoever wants it, and as often as it is wanted."""
        with joined(3, lambda star: Turn(star, "save")) as (_, turns):
            taken: list[list[int]] = [[], [], []]
            said: list[set[str]] = [set(), set(), set()]

            def calls(index: int) -> None:
                # On a busy machine an answer takes many calls: all go on until three were taken.
                for call in range(100_000):
                    if call >= 400 and len(taken[index]) >= 3:
                        return
                    wanted = (index, call) in {(1, 20), (2, 22), (0, 150), (2, 300)}
                    wanted = wanted or (index == 0 and call >= 200 and len(taken[0]) < 3)
                    if turns[index].due(wanted, index, "says so"):
                        taken[index].append(call)
                        said[index].add(turns[index].said)
                    time.sleep(0.0005 * index)

            side_by_side([lambda index=index: calls(index) for index in range(3)])
            assert taken[0] == taken[1] == taken[2]
            assert 3 <= len(taken[0]) <= 4
            assert taken[0][0] > 20
            assert said[0] == said[1] == said[2]

    def test_alone(self) -> None:
        alone = Turn(None, "stop")
        assert [alone.due(wanted) for wanted in (False, True, False)] == [False, True, False]

    def test_a_loss_ends_the_wait(self) -> None:
        with joined(2, lambda star: Turn(star, "stop")) as (made, turns):
            stopped(made[1])
            turns[0].due(True)
            threading.Timer(0.5, lambda: made[0]._loop.call_soon_threadsafe(made[0]._lose, 1, "gone")).start()
            (error,) = side_by_side([lambda: [turns[0].due(True) for _ in range(10**6)]])
            assert isinstance(error, LostError)


SUMS = """
import os, signal, sys, time
from archspec.diagnostics import SpecError
from archspec.training import hosts
from archspec.training.interrupt import Stopped, held_back
import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec as P

port, total, index = map(int, sys.argv[1:4])
status = 0
try:
    with hosts.joined(hosts.Place("127.0.0.1", port, total, index), 60, "name: sums") as own:
        mesh = jax.make_mesh((jax.device_count(),), ("d",))
        summed = jax.jit(jax.shard_map(lambda x: jax.lax.psum(x, "d"), mesh=mesh, in_specs=P("d"), out_specs=P()))
        own_part = np.ones(1) + index
        x = jax.make_array_from_callback((jax.device_count(),), NamedSharding(mesh, P("d")), lambda at: own_part)
        with own.explaining(), held_back(signal.SIGTERM, turn=hosts.turn("stop")) as check:
            for step in range(10**6):
                check()
                print(step, float(summed(x)[0]), flush=True)
except SpecError as error:
    print(error, file=sys.stderr)
    status = error.status
except Stopped as stop:
    print(stop, file=sys.stderr)
    status = stop.status
if hosts.is_left():
    sys.stdout.flush()
    os._exit(status)
sys.exit(status)
"""


class Running:
    """Processes that sum forever, once each has made a step."""

    def __init__(self, total: int) -> None:
        port = free_port()
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""}
        pipe = subprocess.PIPE
        self.own = [
            subprocess.Popen(
                [sys.executable, "-c", SUMS, str(port), str(total), str(index)],
                stdout=pipe,
                stderr=pipe,
                text=True,
                env=environment,
            )
            for index in range(total)
        ]
        self.last: list[list[str]] = [[] for _ in self.own]
        self.threads = [threading.Thread(target=self.read, args=(index,)) for index in range(total)]
        for thread in self.threads:
            thread.start()
        end = time.monotonic() + 60
        while not all(self.last) and time.monotonic() < end and not any(process.poll() for process in self.own):
            time.sleep(0.05)
        assert all(self.last), self.ended(10)

    def read(self, index: int) -> None:
        stream = self.own[index].stdout
        assert stream is not None
        for line in stream:
            if line[:1].isdigit():
                self.last[index] = line.split()

    def ended(self, seconds: float = 60) -> list[tuple[int, str, list[str]]]:
        """The exit status of each, what it said, and its last step."""
        found = []
        end = time.monotonic() + seconds
        try:
            for process, thread in zip(self.own, self.threads, strict=True):
                assert process.stderr is not None
                process.wait(max(0.1, end - time.monotonic()))
                thread.join(5)
                found.append((process.returncode, process.stderr.read()))
        finally:
            for process in self.own:
                process.kill()
        return [(*own, last) for own, last in zip(found, self.last, strict=True)]


@pytest.mark.parametrize("killed", [pytest.param(0), pytest.param(1, marks=pytest.mark.slow)])
def test_a_process_that_is_killed_ends_the_other(killed: int) -> None:
    running = Running(2)
    running.own[killed].kill()
    status, said, last = running.ended()[1 - killed]
    assert last[1] == "3.0"
    assert status == stars.GONE
    assert f"error[E573]: process {killed} (host {socket.gethostname()}, PID {running.own[killed].pid}) is gone" in said
    assert "*** Check failure" not in said
    assert "Traceback" not in said


def test_jax_waits_for_nobody_after_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """SLURM sends each its own signal, of which the later ones may end processes that have said that they stop."""
    import jax

    waiting: list[int] = []
    monkeypatch.setattr(jax.distributed, "shutdown", lambda: waiting.append(1))
    monkeypatch.setattr(hosts, "_unparted", [])

    def stops(star: Star) -> None:
        own = hosts.Hosts(star)
        own.ours = True
        with pytest.raises(Stopped), hosts._led(own):
            raise Stopped(by_all=True)

    with joined(2) as (made, _):
        assert side_by_side([lambda star=star: stops(star) for star in made]) == [None] * 2
        assert [star.lost for star in made] == [None] * 2
    assert not waiting
    assert hosts.is_left()


@pytest.mark.slow
def test_a_signal_to_one_stops_all_at_one_step() -> None:
    running = Running(2)
    running.own[1].send_signal(signal.SIGTERM)
    (first, said, last), (second, also, same) = running.ended()
    assert (first, second) == (128 + signal.SIGTERM,) * 2
    assert last == same
    assert f"PID {running.own[1].pid}) got SIGTERM" in said
    assert f"PID {running.own[1].pid}) got SIGTERM" in also


LATE = """
import sys, time
import jax
import numpy as np
from jax.sharding import PartitionSpec as P
from archspec.mesh import Mesh
from archspec.peers import peers
from archspec.training.device_mesh import DeviceMesh
from archspec.training.hosts import Place, joined

port, index = map(int, sys.argv[1:])
with joined(Place("127.0.0.1", port, 2, index), 60, "name: late"):
    mesh = DeviceMesh(Mesh(data=2, fsdp=2), {})
    peers().wait("connect")
    mesh.connect()
    time.sleep(40 * index)
    over = lambda x: jax.lax.psum(jax.lax.psum(x, "fsdp"), "data") + jax.lax.psum(x, ("data", "fsdp", "spatial"))
    summed = jax.shard_map(over, mesh=mesh.own, in_specs=P(), out_specs=P(), check_vma=False)
    whole = jax.jit(summed, compiler_options=mesh.options)(mesh.put(np.ones(()), mesh.whole))
    print(float(whole.addressable_data(0)))
"""


@pytest.mark.minutes
@pytest.mark.slow
def test_one_that_compiles_longer_than_gloo_waits_is_waited_for() -> None:
    port = free_port()
    flags = "--xla_force_host_platform_device_count=2"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", LATE, str(port), str(index)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for index in range(2)
    ]
    found = [process.communicate(timeout=120) for process in both]
    # Gloo says on standard output who is connected.
    said = [[line for line in out.splitlines() if not line.startswith("[Gloo]")] for out, _ in found]
    assert [(process.returncode, own) for process, own in zip(both, said, strict=True)] == [(0, ["8.0"])] * 2
