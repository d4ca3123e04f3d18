"""How the processes of a run reach one another beside JAX: each has a connection to process 0, and hears of all so.

It is there before JAX has joined them, and where JAX's own runtime would wait without end, or end the process with a
dump of its stack. Process 0 listens at the coordinator's address and passes on what is JAX's to the coordinator itself,
so there is one port. The others give JAX an address of their own host, from which everything is passed on: when process
0 dies, JAX hears nothing of that for a while, and there is time to say who is gone.

Whoever sends nothing for `SILENT` seconds counts as lost; each sends a beat every `BEAT` seconds. Packets that a cut
link held up come up to as long after its end as it was cut, so a cut of 10 s is survived.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from typing import Any, NamedTuple

from archspec.diagnostics import DataError, SpecError, listed

BEAT, SILENT = 2.0, 25.0
"""Seconds between signs of life, and those without one after which a process counts as lost."""
MAGIC = b"archspec"
"""What a connection begins with that is not JAX's."""
LONGEST = 2**26
"""Bytes of a message at most."""
FLUSH = 3.0
"""Seconds that last words may take."""

GONE = 75
"""Exit status where another process was lost; sysexits.h calls it EX_TEMPFAIL: the same command goes on."""

Message = dict[str, Any]


class Member(NamedTuple):
    """A process: its number, the name of its host, its number in the system there."""

    number: int
    host: str
    process: int

    @property
    def said(self) -> str:
        return f"process {self.number} (host {self.host}, PID {self.process})"


class Lost(NamedTuple):
    """A process that is there no more. `reason` is why, `words` its own last ones where it ended by itself."""

    member: Member
    reason: str
    words: str | None = None


class LostError(SpecError):
    """Another process of the run was lost, or ended with an error. `status` is this one's exit status."""

    def __init__(self, lost: Lost) -> None:
        who = lost.member.said
        error = (
            DataError(
                "E573",
                f"{who} is gone: {lost.reason}",
                help=["the same command on all hosts goes on from the last checkpoint"],
            )
            if lost.words is None
            else DataError("E573", f"{who} ended, and all others with it", notes=[lost.words])
        )
        super().__init__(error.located(None).diagnostics)
        self.status = GONE if lost.words is None else 1


class Star:
    """This process among `total`, with its connection to process 0; process 0 with those of all others.

    `handlers` are called for messages by their kind, in a thread of this class's own, with who sent it.
    """

    def __init__(self, index: int, total: int) -> None:
        self.index, self.total = index, total
        self.own = Member(index, socket.gethostname(), os.getpid())
        self.members: dict[int, Member] = {index: self.own}
        self.lost: Lost | None = None
        """The first process that was lost, or ended with an error."""
        self.failed: DataError | None = None
        """Why they cannot join."""
        self.handlers: dict[str, Callable[[int, Message], None]] = {}
        self.changed = threading.Condition()
        self.port = 0
        """Where process 0 listens; for others, the port on their own host from which all is passed on."""
        self.behind = 0
        """The port of this host at which JAX's coordinator listens behind process 0."""
        self.address = "127.0.0.1"
        """Where others reach this host."""
        self._host = "127.0.0.1"
        self._complete = False
        self._left: set[int] = set()
        self._heard: dict[int, float] = {}
        self._writers: dict[int, asyncio.StreamWriter] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._servers: list[asyncio.Server] = []
        self._closing = False
        self._until = 0.0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="archspec-star", daemon=True)
        self._thread.start()

    # ---- joining

    def listen(self, host: str | None, port: int) -> None:
        """Has process 0 listen. Raises `DataError` where the port cannot be had."""
        try:
            self._run(self._listen(host, port))
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            why = "another process listens there already" if taken else error.strerror or str(error)
            raise DataError(
                "E571",
                f"process 0 cannot listen at port {port} of {self.own.host}: {why}",
                help=[
                    "another port in --coordinator, the same for all processes; each --process-id is given once"
                    if taken
                    else "--coordinator names the host and a free port of process 0"
                ],
            ) from None

    def join(self, host: str, port: int, seconds: float, told: Callable[[str], None] | None = None) -> None:
        """Waits until all processes have come, which `told` is told of now and then.

        Raises `DataError` where they do not come in time, or are not each other's.
        """
        self._host = host
        self._until = time.monotonic() + seconds
        if self.index:
            self._run(self._relay(host, port))
            self._soon(self._come(host, port, seconds))
        else:
            self._soon(self._beats())
        with self.changed:
            begun = time.monotonic()
            said = begun
            while not self._complete and self.failed is None:
                self.changed.wait(0.5)
                now = time.monotonic()
                if now - said >= 20 and told is not None:
                    said = now
                    told(self._waiting())
                if now - begun > seconds and not self.index and not self._complete:
                    self._fail(self._none_came(seconds))
            if self.failed is not None:
                error = self.failed
                self._soon(self._broadcast({"kind": "fail", "message": error.message, "help": list(error.help)}))
        if self.failed is not None:
            self.close()
            raise self.failed

    def _waiting(self) -> str:
        if self.index:
            return "waiting for process 0 and the others"
        missing = [str(index) for index in range(self.total) if index not in self.members]
        return f"waiting for {'process' if len(missing) == 1 else 'processes'} {listed(missing, 8)} of {self.total}"

    def _none_came(self, seconds: float) -> DataError:
        missing = [str(index) for index in range(self.total) if index not in self.members]
        there = [self.members[index].said for index in sorted(self.members)]
        return DataError(
            "E571",
            f"{'process' if len(missing) == 1 else 'processes'} {listed(missing, 8)} of {self.total} did not come "
            f"within {seconds:g} s",
            notes=[f"there: {listed(there, 8)}"],
            help=["start each; --join-timeout waits longer"],
        )

    # ---- messages

    def send(self, kind: str, **message: Any) -> None:
        """Sends a message to process 0; its own is handled at once."""
        own = {"kind": kind, **message}
        if self.index:
            self._loop.call_soon_threadsafe(self._write, 0, own)
        else:
            self._loop.call_soon_threadsafe(self._handle, 0, own)

    def tell(self, kind: str, **message: Any) -> None:
        """Has process 0 send a message to all others, and to itself."""
        own = {"kind": kind, **message}
        self._loop.call_soon_threadsafe(self._told, own)

    def _told(self, message: Message) -> None:
        for index in list(self._writers):
            self._write(index, message)
        self._handle(0, message)

    def _handle(self, sender: int, message: Message) -> None:
        handler = self.handlers.get(str(message.get("kind")))
        if handler is not None:
            handler(sender, message)

    # ---- the end

    def leave(self, words: str | None = None) -> None:
        """Says that this process ends: well, or with an error in words."""
        if self._closing:
            return
        with suppress(Exception):
            self._run(self._last({"kind": "end", "words": words}), FLUSH)

    def wait_for_end(self) -> None:
        """Has process 0 wait until all others have ended well, and these until it has. Raises `LostError`."""
        awaited = {0} if self.index else set(range(1, self.total))
        with self.changed:
            while not awaited <= self._left and self.lost is None:
                self.changed.wait(0.5)
        self.check()

    def check(self) -> None:
        """Raises `LostError` where a process is lost."""
        if self.lost is not None:
            raise LostError(self.lost)

    def close(self) -> None:
        """Closes all connections."""
        if self._closing:
            return
        self._closing = True
        if self._thread.is_alive():
            with suppress(Exception):
                self._run(self._end(), FLUSH)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(FLUSH)

    # ---- in the thread

    def _run(self, coroutine: Any, seconds: float | None = 60) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(seconds)

    def _soon(self, coroutine: Any) -> None:
        def begin() -> None:
            task = self._loop.create_task(coroutine)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self._loop.call_soon_threadsafe(begin)

    async def _end(self) -> None:
        # What passes on JAX's bytes is left open: JAX would end the process with a dump of its stack, were it closed.
        # That it never comes to its end is not to be said.
        self._loop.set_exception_handler(lambda loop, context: None)
        for server in self._servers:
            server.close()
        for writer in self._writers.values():
            with suppress(OSError):
                await asyncio.wait_for(writer.drain(), 1)
            writer.close()
        for task in list(self._tasks):
            if task is not asyncio.current_task():
                task.cancel()

    async def _listen(self, host: str | None, port: int) -> None:
        try:
            server = await asyncio.start_server(self._accepted, host, port, reuse_address=True)
        except OSError as error:
            if host != "localhost" or error.errno != errno.EADDRNOTAVAIL:
                raise
            # Containers name ::1 so and often do not have it, which Python passes over from 3.13 on.
            server = await asyncio.start_server(self._accepted, "127.0.0.1", port, reuse_address=True)
        self._servers.append(server)
        self.port = server.sockets[0].getsockname()[1]

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection to process 0: of another process, or one of JAX's."""
        with suppress(OSError, EOFError, ValueError, asyncio.TimeoutError):
            first = await asyncio.wait_for(reader.readexactly(len(MAGIC)), SILENT)
            if first != MAGIC:
                await _passed_on(first, reader, writer, "127.0.0.1", self.behind, keep=False)
                return
            member, total = _introduced(await asyncio.wait_for(_read(reader), SILENT))
            refused = self._refused(member, total)
            if refused is None:
                await self._serve(member, reader, writer)
                return
            _send(writer, {"kind": "fail", "message": refused.message, "help": list(refused.help)})
            await writer.drain()
            if not self._complete:
                self._fail(refused)
        writer.close()

    def _refused(self, member: Member, total: int) -> DataError | None:
        if total != self.total:
            return DataError(
                "E571",
                f"{member.said} was started as one of {total}, and process 0 on {self.own.host} as one of {self.total}",
                help=["--processes is the same for all"],
            )
        there = self.members.get(member.number)
        if there is not None:
            return DataError(
                "E571",
                f"there are two processes {member.number}: on {there.host} (PID {there.process}) and on {member.host} "
                f"(PID {member.process})",
                help=[f"each has a --process-id of its own, from 0 to {self.total - 1}"],
            )
        if not 0 <= member.number < self.total:
            return DataError("E571", f"{member.said} is none of 0 to {self.total - 1}")
        return None

    async def _serve(self, member: Member, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Listens to another process until it ends."""
        index = member.number
        with self.changed:
            self.members[index] = member
            self._reached(writer.get_extra_info("sockname")[0])
            self._writers[index] = writer
            self._heard[index] = time.monotonic()
            if len(self.members) == self.total:
                self._complete = True
                all = [list(own) for own in self.members.values()]
                for other in self._writers:
                    self._write(other, {"kind": "all", "members": all, "address": self.address})
            self.changed.notify_all()
        try:
            while True:
                message = await _read(reader)
                self._heard[index] = time.monotonic()
                if message.get("kind") == "end":
                    self._ended(index, message.get("words"))
                else:
                    self._handle(index, message)
        except (OSError, EOFError, ValueError):
            pass
        if index in self._left:
            return
        if self._complete:
            self._lose(index, CLOSED)
        else:
            with self.changed:  # before all are there, another may come in its place
                self.members.pop(index, None)
                self._writers.pop(index, None)

    async def _come(self, host: str, port: int, seconds: float) -> None:
        """Connects to process 0, and listens to it until this process ends."""
        error: Exception | None = None
        reader: asyncio.StreamReader | None = None
        while reader is None:
            try:
                left = max(0.1, min(5.0, self._until - time.monotonic()))
                reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), left)
            except (TimeoutError, OSError) as failure:
                error = failure
                if time.monotonic() > self._until:
                    self._fail(_unreached(host, port, seconds, error))
                    return
                await asyncio.sleep(0.3)
        self._writers[0] = writer
        self.address = writer.get_extra_info("sockname")[0]
        self._heard[0] = time.monotonic()
        writer.write(MAGIC)
        own = self.own
        _send(writer, {"index": own.number, "host": own.host, "process": own.process, "total": self.total})
        self._soon(self._beats())
        try:
            while True:
                message = await _read(reader)
                self._heard[0] = time.monotonic()
                self._took(message)
        except (OSError, EOFError, ValueError):
            pass
        if self._complete:
            if 0 not in self._left:
                self._lose(0, CLOSED)
        elif self.failed is None:
            self._fail(
                DataError(
                    "E571",
                    f"what listens at {host}:{port} ended the connection before all processes had come",
                    help=["process 0 says why, if it is archspec that listens there"],
                )
            )

    def _took(self, message: Message) -> None:
        """Of what process 0 says."""
        kind = message.get("kind")
        if kind == "all":
            self._reached(str(message["address"]))
            with self.changed:
                self.members = {own[0]: Member(*own) for own in message["members"]}
                self._complete = True
                self.changed.notify_all()
        elif kind == "fail":
            self._fail(DataError("E571", str(message["message"]), help=message["help"]))
        elif kind == "lost":
            self._lose(int(message["index"]), str(message["reason"]), message["words"])
        elif kind == "end":
            self._ended(0, message.get("words"))
        else:
            self._handle(0, message)

    def _reached(self, address: str) -> None:
        """Takes an address of this host, unless one is known at which others reach it too.

        A process on process 0's host may connect to it at 127.0.0.1, or at 127.0.1.1 where the host's name is that, so
        what process 0 is reached at by others is told.
        """
        if ip_address(self.address).is_loopback:
            self.address = address

    def _fail(self, error: DataError) -> None:
        with self.changed:
            self.failed = self.failed or error
            self.changed.notify_all()

    def _ended(self, index: int, words: str | None) -> None:
        self._left.add(index)
        if words is not None:
            self._lose(index, "it ended", words)
        with self.changed:
            self.changed.notify_all()

    def _lose(self, index: int, reason: str, words: str | None = None) -> None:
        if self._closing:
            return
        with self.changed:
            if self.lost is None:
                member = self.members.get(index, Member(index, "unknown", 0))
                self.lost = Lost(member, reason, words)
                for other in self._writers if not self.index else ():
                    # One that was only silent may go on, and is told what it is taken for.
                    if other != index or words is None:
                        self._write(other, {"kind": "lost", "index": index, "reason": reason, "words": words})
            self.changed.notify_all()

    def _write(self, index: int, message: Message) -> None:
        writer = self._writers.get(index)
        if writer is not None and not writer.is_closing():
            with suppress(OSError):
                _send(writer, message)

    async def _broadcast(self, message: Message) -> None:
        for index in list(self._writers):
            self._write(index, message)

    async def _last(self, message: Message) -> None:
        await self._broadcast(message)
        for writer in list(self._writers.values()):
            with suppress(OSError, asyncio.TimeoutError):
                await asyncio.wait_for(writer.drain(), 1)

    async def _beats(self) -> None:
        """Sends signs of life, and looks for those of others."""
        while True:
            await self._broadcast({"kind": "beat"})
            before = time.monotonic()
            await asyncio.sleep(BEAT)
            now = time.monotonic()
            if now - before > SILENT / 2:
                # This process itself was held up, or its machine slept: what others sent meanwhile is not read yet.
                self._heard = dict.fromkeys(self._heard, now)
            for index, heard in list(self._heard.items()):
                if now - heard > SILENT and index in self._writers and index not in self._left:
                    silent = f"nothing has been heard of it for {SILENT:g} s"
                    if self._complete:
                        self._lose(index, f"{silent}: the process, its host or the network between is down")
                    elif index:
                        self._writers.pop(index).close()
                        self.members.pop(index, None)
                    else:
                        self._fail(DataError("E571", f"process 0 at {self._host} is silent: {silent}"))

    async def _relay(self, host: str, port: int) -> None:
        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                await _passed_on(b"", reader, writer, host, port, keep=True)

        server = await asyncio.start_server(accepted, "127.0.0.1", 0)
        self._servers.append(server)
        self.port = server.sockets[0].getsockname()[1]


CLOSED = "its connection was closed: it was killed, or its host went down"


def _unreached(host: str, port: int, seconds: float, error: Exception) -> DataError:
    number = getattr(error, "errno", None) or 0
    why = os.strerror(number) if number > 0 else getattr(error, "strerror", None) or "no answer"
    return DataError(
        "E571",
        f"process 0 was not reached at {host}:{port} within {seconds:g} s: {why}",
        help=[
            "--coordinator is the same for all processes: the address of process 0's host, as the others see it, and a "
            "port that a firewall lets through",
            "--join-timeout waits longer",
        ],
    )


async def _passed_on(
    first: bytes,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    host: str,
    port: int,
    *,
    keep: bool,
) -> None:
    """Passes on bytes both ways. With `keep` whoever connected is not told where the other end is gone."""
    there, forth = await asyncio.open_connection(host, port)
    forth.write(first)

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, close: bool) -> None:
        with suppress(OSError):
            while data := await source.read(2**16):
                sink.write(data)
                await sink.drain()
        if close:
            sink.close()

    await asyncio.gather(pump(reader, forth, close=True), pump(there, writer, close=not keep))


def _send(writer: asyncio.StreamWriter, message: Message) -> None:
    data = json.dumps(message).encode()
    writer.write(struct.pack(">I", len(data)) + data)


def _introduced(hello: Message) -> tuple[Member, int]:
    """Who connects, and how many it takes all to be. Raises `ValueError` where that is not said."""
    try:
        return Member(int(hello["index"]), str(hello["host"]), int(hello["process"])), int(hello["total"])
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError("no process") from error


async def _read(reader: asyncio.StreamReader) -> Message:
    """The next message. Raises `EOFError` at the end, `ValueError` where it is none."""
    (size,) = struct.unpack(">I", await reader.readexactly(4))
    if size > LONGEST:
        raise ValueError("a message that is too long")
    try:
        message = json.loads(await reader.readexactly(size))
    except RecursionError:
        raise ValueError("no message") from None
    if not isinstance(message, dict):
        raise ValueError("no message")
    return message
