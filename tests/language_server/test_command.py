"""`archspec lsp` as a process: how it begins and ends, and what it does not run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from archspec.cli import main

COMMAND = [sys.executable, "-m", "archspec.cli", "lsp"]


def message(method: str, number: int | None = None, params: object = None) -> bytes:
    said: dict[str, object] = {"jsonrpc": "2.0", "method": method}
    if number is not None:
        said["id"] = number
    if params is not None:
        said["params"] = params
    body = json.dumps(said).encode()
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


BEGIN = message("initialize", 1, {"capabilities": {}, "processId": None, "rootUri": None}) + message(
    "initialized", None, {}
)


@pytest.mark.parametrize("ending", [message("shutdown", 2) + message("exit"), b""])
def test_it_ends_when_it_is_told_and_when_nobody_is_there(ending: bytes) -> None:
    done = subprocess.run(COMMAND, input=BEGIN + ending, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    assert json.loads(body[: int(head.split(b":")[1].split(b"\r")[0])])["result"]["serverInfo"]["name"] == "archspec"


def test_nothing_of_the_folder_that_is_open_is_run(tmp_path: Path) -> None:
    """Editors start servers in the folder that they have open, which `python -m` puts where modules are looked for."""
    (tmp_path / "yaml.py").write_text("raise SystemExit('run')\n")
    (tmp_path / "evil.py").write_text("open('run', 'w')\n")
    points = tmp_path / "evil-1.dist-info"
    points.mkdir()
    (points / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1\n")
    (points / "entry_points.txt").write_text("[archspec.layers]\nevil = evil:Evil\n")
    text = "archspec: 1\nname: a\ninput: {features: 3}\nlayers: [evill]\n"
    item = {"uri": (tmp_path / "net.yaml").as_uri(), "languageId": "archspec", "version": 1, "text": text}
    hint = {
        "textDocument": {"uri": item["uri"]},
        "range": {"start": {"line": 0, "character": 0}, "end": {"line": 9, "character": 0}},
    }
    spoken = BEGIN + message("textDocument/didOpen", None, {"textDocument": item})
    spoken += message("textDocument/inlayHint", 3, hint)
    package = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        COMMAND,
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": package},
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(spoken)
    process.stdin.flush()
    said = b""
    while b'"id":3' not in said.replace(b" ", b""):
        more = process.stdout.read1(65536)  # type: ignore[attr-defined]
        assert more
        said += more
    process.stdin.close()
    process.wait(60)
    process.stdout.close()
    assert not (tmp_path / "run").exists()


def test_a_request_that_is_refused_is_no_fault_in_the_log(tmp_path: Path) -> None:
    text = "archspec: 1\nname: a\ninput: {features: 3}\nlayers: [dense: 3]\n"
    item = {"uri": (tmp_path / "net.yaml").as_uri(), "languageId": "archspec", "version": 1, "text": text}
    place = {"textDocument": {"uri": item["uri"]}, "position": {"line": 0, "character": 3}, "newName": "b"}
    process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    process.stdin.write(BEGIN + message("textDocument/didOpen", None, {"textDocument": item}))
    process.stdin.write(message("textDocument/rename", 3, place))
    process.stdin.flush()
    said = b""
    while b"no name here" not in said:
        more = process.stdout.read1(65536)  # type: ignore[attr-defined]
        assert more
        said += more
    _, log = process.communicate(message("shutdown", 4) + message("exit"), 60)
    assert log == b"" and process.returncode == 0


def test_without_its_library_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("sys.path", list(sys.path))
    assert main(["lsp"]) == 1
    assert "pip install 'archspec-jax[lsp]'" in capsys.readouterr().err
