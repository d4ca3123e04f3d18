"""`archspec serve`: the interactive report on the loopback address, made anew when a file of the spec is saved."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Event, Semaphore, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from archspec.diagnostics import DataError, Diagnostic, Findings, Source, SpecError
from archspec.page.page import in_script, render
from archspec.source import Stamp, stamp, stamps_of
from archspec.spec.overrides import Override

ADDRESS = "127.0.0.1"
"""The loopback address: nobody else on the network can connect."""

HOSTS = (ADDRESS, "localhost")
"""What a browser that was sent here may call this server. Another name in `Host` means that somebody had their own name
point at this machine, so that their page could read what is served here. The port may be a forwarded one."""

EVENTS = "/events"

POLL = 0.25
"""Seconds between looks at the files. Asking for the times of a few files is cheap, and finds what a watcher of the
system's misses: editors that save by renaming, and files on network drives."""

MAX_LISTENERS = 32
"""Streams of events at a time; each has a thread."""

HEARTBEAT = 15.0
"""Seconds after which a silent stream gets a comment, so that one whose reader has gone is found."""


@dataclass
class Served:
    """What is shown of a spec now, and the files that it was made of.

    `make` reads the spec anew: it returns the payload, or raises `SpecError`; either way the files that were looked for
    are among the findings given to it.
    """

    make: Callable[[Findings], dict[str, Any]]
    payload: dict[str, Any] = field(default_factory=dict)
    revision: str = ""
    files: dict[Path, Source | None] = field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()
    _stamps: dict[Path, Stamp] = field(default_factory=dict)
    _changed: Condition = field(default_factory=Condition)

    def refresh(self) -> bool:
        """Reads the spec anew; whether there is something else to show than before.

        Where the spec is wrong, the last network that was right stays, with the text as it is now and the diagnostics.
        """
        findings = Findings()
        # Taken before reading: a file that is saved in between is found to differ at the next look.
        stamps = stamps_of(self.files)
        try:
            made, self.diagnostics = self.make(findings), ()
        except SpecError as error:
            made, self.diagnostics = self._failure(error, findings), error.diagnostics
        except Exception as error:
            # Whatever a spec brings about, the server goes on answering, and the next one is read.
            from archspec.commands._unforeseen import diagnostic_of

            wrong = SpecError([diagnostic_of(error)])
            made, self.diagnostics = self._failure(wrong, findings), wrong.diagnostics
        # A file of the last right network may come back; until then it is watched beside those of now.
        known = {**self.files, **findings.files} if self.diagnostics else dict(findings.files)
        self._stamps = {path: stamps.get(path) or stamp(path) for path in known}
        self.files = known
        if {**self.payload, "revision": ""} == {**made, "revision": ""}:
            return False
        with self._changed:
            self.revision = secrets.token_hex(8)
            self.payload = {**made, "revision": self.revision}
            self._changed.notify_all()
        return True

    def _failure(self, error: SpecError, findings: Findings) -> dict[str, Any]:
        from archspec.page.payload import of_failure

        payload = of_failure(error.diagnostics, [source for source in findings.files.values() if source])
        last = self.payload
        made_of = last.get("madeOf") or last.get("sources", [])
        if not payload["sources"]:
            payload["sources"] = last.get("sources", [])
        return {**payload, "model": last.get("model"), "madeOf": made_of}

    def changed(self) -> bool:
        """Whether a file differs from what was read: saved, gone or come back."""
        return any(stamp(path) != before for path, before in self._stamps.items())

    def later(self, revision: str, seconds: float) -> dict[str, Any] | None:
        """The payload once it has another revision; None when that takes longer."""
        with self._changed:
            if self._changed.wait_for(lambda: self.revision != revision, seconds):
                return self.payload
        return None


def spec_served(target: str, overrides: Sequence[Override], *, mode: str, batch: int, strict: bool) -> Served:
    """A spec for the server; what `--strict` makes of warnings holds here too."""
    from archspec.loading import open_spec
    from archspec.page.payload import payload

    def make(findings: Findings) -> dict[str, Any]:
        spec = open_spec(target, overrides, findings=findings)
        if strict and spec.diagnostics:
            raise SpecError(spec.diagnostics)
        return payload(spec, mode=mode, batch=batch)

    return Served(make)


class Server(ThreadingHTTPServer):
    """Answers GET and HEAD for the page and its events, on the loopback address only.

    Raises `DataError` when the port cannot be had.
    """

    daemon_threads = True
    block_on_close = False
    # Another server that listens on the port must be noticed, which sharing the address would prevent on some systems.
    allow_reuse_address = os.name == "posix"

    def __init__(self, served: Served, port: int = 0) -> None:
        self.served = served
        self.places = Semaphore(MAX_LISTENERS)
        self.ending = False
        try:
            super().__init__((ADDRESS, port), _Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise DataError(
                "E114",
                f"cannot listen on port {port}: {reason[:1].lower()}{reason[1:]}",
                help=["give another one with --port, or leave it out to get one that is free"],
            ) from error

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self.server_port}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that closes a connection early is no news."""

    def start(self) -> None:
        """Answers from now on, in threads of its own."""
        Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def stop(self) -> None:
        """Ends answering and gives the port back."""
        self.ending = True
        self.shutdown()
        self.server_close()


def watch(served: Served, say: Callable[[], None], ended: Event, *, poll: float = POLL) -> None:
    """Looks at the files until it is ended; when one has changed and holds still, reads the spec anew, calls `say`."""
    while not ended.wait(poll):
        if not served.changed():
            continue
        # An editor may be in the middle of writing.
        before = stamps_of(served.files)
        time.sleep(min(poll, 0.05))
        if stamps_of(served.files) == before and served.refresh():
            say()


class _Handler(BaseHTTPRequestHandler):
    server: Server
    server_version = "archspec"
    sys_version = ""
    timeout = 30

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def _refused(self) -> None:
        self._plain(HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET, HEAD"})

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_CONNECT = _refused  # noqa: N815

    def _answer(self) -> None:
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname if self._host_is_plain() else None
        if host not in HOSTS:
            self._plain(HTTPStatus.MISDIRECTED_REQUEST)
            return
        place = urlsplit(self.path)
        if place.path == "/":
            self._page()
        elif place.path == EVENTS:
            self._events(self.headers.get("Last-Event-ID") or parse_qs(place.query).get("since", [""])[0])
        else:
            self._plain(HTTPStatus.NOT_FOUND)

    def _host_is_plain(self) -> bool:
        """Whether `Host` was given once and is a name with a port at most."""
        given = self.headers.get_all("Host") or []
        return len(given) == 1 and not set(given[0]) & set("/@?#[]\\ ")

    def _page(self) -> None:
        body = render(self.server.served.payload, live=EVENTS).encode()
        self._head(HTTPStatus.OK, {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(body))})
        if self.command == "GET":
            self.wfile.write(body)

    def _events(self, since: str) -> None:
        """Server-sent events: a payload at once where the reader's is old, and whenever there is another."""
        if not self.server.places.acquire(blocking=False):
            self._plain(HTTPStatus.SERVICE_UNAVAILABLE)
            return
        try:
            self._head(HTTPStatus.OK, {"Content-Type": "text/event-stream"})
            if self.command != "GET":
                return
            self._send("retry: 1000\n\n")
            quiet = time.monotonic()
            while not self.server.ending:
                payload = self.server.served.later(since, 0.5)
                if payload is not None:
                    since = payload["revision"]
                    self._send(f"id: {since}\nevent: spec\ndata: {in_script(payload)}\n\n")
                elif time.monotonic() - quiet < HEARTBEAT:
                    continue
                else:
                    self._send(": still here\n\n")
                quiet = time.monotonic()
        except OSError:
            pass  # the reader has gone
        finally:
            self.server.places.release()

    def _send(self, text: str) -> None:
        self.wfile.write(text.encode("utf-8", "replace"))
        self.wfile.flush()

    def _plain(self, status: HTTPStatus, headers: dict[str, str] | None = None) -> None:
        body = f"{status.value} {status.phrase}\n".encode()
        self._head(status, {"Content-Type": "text/plain", "Content-Length": str(len(body)), **(headers or {})})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _head(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        self.send_response(status)
        common = {
            "Cache-Control": "no-store",
            "Content-Security-Policy": "frame-ancestors 'none'",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        for name, value in {**common, **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not listed: the terminal has what becomes of the spec."""
