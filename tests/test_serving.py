"""`archspec serve`: what it answers, what it refuses, and how it follows files."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from archspec.cli import main
from archspec.diagnostics import DataError
from archspec.page.payload import payload as payload_of
from archspec.serving import ADDRESS, MAX_LISTENERS, Served, Server, spec_served
from tests.effort import growth

GOOD = "input: {height: 8, width: 8, channels: 3}\nlayers:\n  - conv: {name: c1, filters: 4, kernel: 3}\n"


def served_of(path: Path, **options: Any) -> Served:
    found = spec_served(str(path), [], **{"mode": "eval", "batch": 1, "strict": False, **options})
    found.refresh()
    return found


@pytest.fixture
def server(write: Callable[..., Path]) -> Iterator[Server]:
    made = Server(served_of(write(GOOD)))
    made.start()
    yield made
    made.stop()


def ask(server: Server, method: str = "GET", path: str = "/", **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(ADDRESS, server.server_port, timeout=60)
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


def test_the_page_is_served_on_the_loopback_address_only(server: Server) -> None:
    status, headers, body = ask(server)
    assert status == 200 and b'id="payload"' in body
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Cache-Control"] == "no-store" and "Access-Control-Allow-Origin" not in headers
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert "Python" not in headers["Server"]
    assert server.server_address[0] == "127.0.0.1" and server.url == f"http://127.0.0.1:{server.server_port}/"


def test_head_has_no_body(server: Server) -> None:
    status, headers, body = ask(server, "HEAD")
    assert (status, body) == (200, b"") and int(headers["Content-Length"]) > 1000
    assert ask(server, "HEAD", "/events")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_only_reading_is_answered(server: Server, method: str) -> None:
    status, headers, _ = ask(server, method)
    assert status == 405 and headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "path",
    ["/net.yaml", "/../net.yaml", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/events/x", "/favicon.ico", "/."],
)
def test_there_are_no_other_paths(server: Server, path: str) -> None:
    status, _, body = ask(server, "GET", path)
    assert status == 404 and b"root" not in body and b"layers" not in body


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost@evil.example", "0.0.0.0", "", "a b"],
)
def test_other_names_for_this_machine_are_refused(server: Server, host: str) -> None:
    for path in ("/", "/events"):
        status, _, body = ask(server, "GET", path, Host=host)
        assert status == 421 and b"payload" not in body


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "localhost:1234", "127.0.0.1:1"])
def test_names_of_the_loopback_address_are_answered(server: Server, host: str) -> None:
    """With any port, since the port may be a forwarded one."""
    assert ask(server, Host=host)[0] == 200


def test_a_request_without_a_host_is_refused(server: Server) -> None:
    with socket.create_connection((ADDRESS, server.server_port), timeout=60) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.0 421")


def test_two_hosts_are_refused(server: Server) -> None:
    with socket.create_connection((ADDRESS, server.server_port), timeout=60) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.0 421")


class Stream:
    """The events of a server, read one by one."""

    def __init__(self, server: Server, since: str, timeout: float = 8) -> None:
        self.connection = http.client.HTTPConnection(ADDRESS, server.server_port, timeout=timeout)
        self.connection.request("GET", f"/events?since={since}")
        self.answer = self.connection.getresponse()

    def next(self) -> dict[str, Any]:
        while True:
            line = self.answer.readline().decode()
            assert line, "the stream has ended"
            if line.startswith("data: "):
                found: dict[str, Any] = json.loads(line[6:])
                return found

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


def test_events_tell_what_becomes_of_the_files(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write(GOOD)
    served = served_of(path)
    server = Server(served)
    server.start()
    stream = Stream(server, served.revision)
    assert stream.answer.status == 200 and stream.answer.headers["Content-Type"] == "text/event-stream"

    def saved(text: str | None) -> dict[str, Any]:
        if text is None:
            path.unlink()
        else:
            # As many editors save: another file takes the name.
            other = write(text, "other.tmp")
            other.rename(path)
        assert served.changed()
        assert served.refresh()
        assert not served.changed()
        return stream.next()

    good = served.payload
    changed = saved(GOOD.replace("filters: 4", "filters: 5"))
    assert changed["model"]["layers"][0]["output"] == [6, 6, 5] and not changed["stale"]

    wrong = saved(GOOD.replace("kernel: 3", "kernel: 33"))
    assert wrong["stale"] and wrong["problems"][0]["code"] == "E301"
    assert wrong["model"] == changed["model"], "the last network that was right stays"
    assert "kernel: 33" in wrong["sources"][0]["text"]
    assert "kernel: 33" not in wrong["madeOf"][0]["text"]

    broken = saved("layers: [")
    assert broken["problems"][0]["code"] == "E104" and broken["model"] == changed["model"]
    assert broken["sources"][0]["text"].endswith("layers: [")
    assert broken["madeOf"] == wrong["madeOf"]

    gone = saved(None)
    assert gone["problems"][0]["code"] == "E101" and gone["model"] == changed["model"]

    back = saved(GOOD)
    assert {**back, "revision": ""} == {**json.loads(json.dumps(good)), "revision": ""} and back["problems"] == []
    stream.close()
    server.stop()


def test_files_that_a_spec_extends_and_imports_are_followed(write: Callable[..., Path]) -> None:
    base = write("input: {height: 8, width: 8, channels: 3}\nlayers:\n  - twice\n", "base.yaml")
    blocks = write("archspec: 1\nblocks: {twice: {layers: [relu, relu]}}\n", "blocks.yaml", whole=True)
    served = served_of(write("extends: base.yaml\nimport: [blocks.yaml]\n"))
    assert len(served.payload["model"]["layers"]) == 2
    assert [path.name for path in served.files] == ["net.yaml", "base.yaml", "blocks.yaml"]

    text = blocks.read_text()
    blocks.unlink()
    assert served.changed() and served.refresh() and served.payload["stale"]
    assert not served.changed()
    blocks.write_text(text.replace("[relu, relu]", "[relu, tanh, relu]"))
    assert served.changed() and served.refresh()
    assert len(served.payload["model"]["layers"]) == 3 and not served.payload["stale"]
    base.write_text(base.read_text().replace("  - twice\n", "  - twice\n  - twice\n"))
    assert served.changed() and served.refresh()
    assert len(served.payload["model"]["layers"]) == 6


def test_a_file_saved_while_it_is_read_is_read_again(write: Callable[..., Path]) -> None:
    path = write(GOOD)
    first = served_of(path)
    make = first.make

    def slow(findings: Any) -> dict[str, Any]:
        made = make(findings)
        path.write_text(path.read_text().replace("filters: 5", "filters: 6"))
        return made

    path.write_text(path.read_text().replace("filters: 4", "filters: 5"))
    first.make = slow
    assert first.refresh()
    first.make = make
    assert first.changed(), "what was read is older than the file"
    assert first.refresh() and first.payload["model"]["layers"][0]["output"] == [6, 6, 6]


def test_a_file_saved_without_a_change_is_no_news(write: Callable[..., Path]) -> None:
    path = write(GOOD)
    served = served_of(path)
    revision = served.revision
    os.utime(path, ns=(1, 1))
    assert served.changed() and not served.refresh()
    assert served.revision == revision and not served.changed()


def test_a_spec_that_was_never_right_is_shown_with_its_diagnostics(write: Callable[..., Path]) -> None:
    served = served_of(write("layers: [relo]\n"))
    assert served.payload["model"] is None and served.payload["stale"]
    assert {problem["code"] for problem in served.payload["problems"]} >= {"E203"}
    assert served.payload["sources"][0]["text"].endswith("layers: [relo]\n")


def test_strict_holds_while_serving(write: Callable[..., Path]) -> None:
    text = "args: {unused: 1}\n" + GOOD
    assert not served_of(write(text)).payload["stale"]
    assert served_of(write(text), strict=True).payload["stale"]


def test_a_new_reader_gets_only_what_it_has_not(server: Server) -> None:
    stream = Stream(server, "of-another-server")
    assert stream.next()["revision"] == server.served.revision
    stream.close()
    stream = Stream(server, server.served.revision, timeout=0.8)
    with pytest.raises(TimeoutError):
        stream.next()
    stream.close()


def test_readers_are_counted(server: Server) -> None:
    for _ in range(2 * MAX_LISTENERS):
        assert ask(server, "HEAD", "/events")[0] == 200
    streams = [Stream(server, server.served.revision) for _ in range(MAX_LISTENERS)]
    assert ask(server, "GET", "/events")[0] == 503
    assert ask(server)[0] == 200
    for stream in streams:
        stream.close()
    # That a reader has gone is found when there is something to say, the second time at the latest.
    served, ended = server.served, time.monotonic() + 60
    make = served.make
    while (status := ask(server, "HEAD", "/events")[0]) == 503 and time.monotonic() < ended:
        served.make = lambda findings: {**make(findings), "news": time.monotonic_ns()}
        assert served.refresh()
        time.sleep(0.05)
    assert status == 200


def test_a_port_in_use_is_said(server: Server, write: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match="in use"):
        Server(server.served, server.server_port)
    assert main(["serve", str(write(GOOD)), "--port", str(server.server_port)]) == 1
    said = capsys.readouterr().err
    assert f"cannot listen on port {server.server_port}" in said and "--port" in said


@pytest.mark.parametrize("port", ["-1", "65536", "x", "1.5", "１"])
def test_a_port_that_is_none_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "lenet5", f"--port={port}"]) == 2
    assert "0 to 65535" in capsys.readouterr().err


def test_a_spec_that_is_not_there_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "no_such_network"]) == 1
    assert "E101" in capsys.readouterr().err


def test_the_command_follows_a_file_and_ends_quietly(write: Callable[..., Path]) -> None:
    path = write(GOOD)
    command = [sys.executable, "-m", "archspec.cli", "serve", str(path), "--set", "input.height=9", "--batch", "2"]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert run.stdout is not None
        line = run.stdout.readline()
        port = int(line.split("127.0.0.1:")[1].split("/")[0])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/events")
        answer = connection.getresponse()

        def event() -> dict[str, Any]:
            while not (text := answer.readline().decode()).startswith("data: "):
                assert text
            found: dict[str, Any] = json.loads(text[6:])
            return found

        first = event()
        assert first["model"]["inputs"] == [{"name": "input", "shape": [9, 8, 3]}] and first["model"]["batch"] == 2
        path.write_text(path.read_text().replace("filters: 4", "filters: 7"))
        assert event()["model"]["layers"][0]["output"] == [7, 6, 7]
        assert run.stderr is not None and run.stderr.readline().strip() == "made anew"
        connection.close()
        time.sleep(0.3)  # an interrupt in the middle of writing may write the line again
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=60)
        assert run.returncode == 0 and not said
    finally:
        run.kill()
        run.communicate()


def test_many_readers_do_not_keep_each_other_waiting(server: Server) -> None:
    streams = [Stream(server, server.served.revision) for _ in range(8)]
    answers: list[int] = []
    threads = [Thread(target=lambda: answers.append(ask(server)[0])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert answers == [200] * 8
    for stream in streams:
        stream.close()


@pytest.mark.parametrize(
    "flat", [pytest.param(True, marks=pytest.mark.minutes), pytest.param(False, marks=pytest.mark.slow)]
)
def test_the_page_of_10_000_layers_takes_work_by_their_number_alone(flat: bool, write: Callable[..., Path]) -> None:
    """Eight times the layers take eight times the calls; quadratic growth would take 64 times."""
    from archspec.loading import open_spec
    from archspec.page.page import render

    def paged(layers: int) -> Callable[[], object]:
        text = "input: {height: 8, width: 8, channels: 3}\nlayers:\n"
        if flat:
            text += "  - relu\n" * layers
        else:
            text += f"  - repeat:\n      times: {layers // 50}\n      as: i\n      layers:\n"
            text += "        - repeat: {times: 50, as: j, layers: [relu]}\n"
        path = write(text, f"{layers}.yaml")

        def run() -> None:
            made = payload_of(open_spec(str(path)))
            page = render(made)
            assert len(made["model"]["layers"]) == layers and len(page) < 200_000 + 1_490 * layers

        return run

    assert growth(paged, 1_250, 10_000) < 10
