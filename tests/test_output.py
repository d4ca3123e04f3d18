"""Output reaches its reader as well as it can, and is never a reason to fail."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from xml.dom import minidom

import pytest
import yaml

from archspec.cli import COMMANDS, main
from archspec.output import REPLACING, as_json, printable, said_when_slow, say

Write = Callable[..., Path]
ENCODINGS = ("ascii", "latin-1", "cp1252", "cp437")
NET = "input: {height: 8, width: 8, channels: 1}\nlayers: [flatten, {dense: {name: fc, units: 3}}]\n"


class Screen:
    """Runs commands whose standard streams have an encoding; the file descriptors are pytest's."""

    def __init__(self, captured: pytest.CaptureFixture[bytes], patch: pytest.MonkeyPatch) -> None:
        self.captured, self.patch = captured, patch

    def __call__(self, encoding: str, *words: str) -> tuple[int, bytes, bytes]:
        with self.patch.context() as patch:
            for number, name in ((1, "stdout"), (2, "stderr")):
                stream = io.TextIOWrapper(io.FileIO(number, "w", closefd=False), encoding, "strict")
                patch.setattr(sys, name, stream)
                patch.setattr(sys, f"__{name}__", stream)
            status = main(words)
        found = self.captured.readouterr()
        return status, found.out, found.err


@pytest.fixture
def screen(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Screen:
    return Screen(capfdbinary, monkeypatch)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_command_prints_in_every_encoding(
    encoding: str, screen: Screen, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bad = str(write(NET.replace("dense", "dänse → 🙂"), "schön.yaml"))
    good = str(write(NET))
    commands = [
        (0, ["validate", good]),
        (1, ["validate", bad]),
        (0, ["report", "lenet5"]),
        (0, ["report", "lenet5", "--format", "markdown"]),
        (0, ["show", "lenet5", "--graph"]),
        (0, ["compare", "lenet5", "lenet1"]),
        (0, ["roofline", "lenet5", "--device", "a100"]),
        (0, ["layers"]),
        (0, ["layers", "conv"]),
        (0, ["--help"]),
        *((0, [name, "--help"]) for name in COMMANDS),
        (2, ["report", "→", "--näh"]),
        (1, ["report", "nowhere\udcff\x1b[2J.yaml"]),
        (0, ["draw", "lenet5", "-o", "größe.svg"]),
    ]
    for wanted, words in commands:
        status, out, err = screen(encoding, *words)
        assert status == wanted, words
        said = out.decode(encoding) + err.decode(encoding)
        assert said and "\x1b" not in said and "Error" not in said, words
    status, out, err = screen(encoding, "report", "lenet5")
    assert b"32x32x1" in out if encoding in ("ascii", "cp437") else b"32\xd732\xd71" in out


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_formats_for_programs_mean_the_same_in_every_encoding(encoding: str, screen: Screen, write: Write) -> None:
    net = str(write(NET + "notes: '−½ × 🙂 “quoted”'\n"))
    for words in (["show", net, "--format", "json"], ["layers", "conv", "--format", "json"], ["schema"]):
        _, out, _ = screen(encoding, *words)
        _, plain, _ = screen("utf-8", *words)
        assert json.loads(out) == json.loads(plain)
    _, out, _ = screen(encoding, "show", net)
    assert yaml.safe_load(out)["notes"] == "−½ × 🙂 “quoted”"
    _, out, _ = screen(encoding, "draw", "lenet5", "-o", "-")
    _, plain, _ = screen("utf-8", "draw", "lenet5", "-o", "-")
    assert minidom.parseString(out).toxml() == minidom.parseString(plain).toxml()
    _, out, _ = screen(encoding, "report", "lenet5", "--format", "html")
    assert "32×32" in out.decode(encoding) or b"32&#215;32" in out


def test_what_stands_for_what() -> None:
    for text, wanted in (
        ("2×3 − 1 — “x” → ≤ 10⁶ …", '2x3 - 1 - "x" -> <= 10^6 ...'),
        ("(3 − 5 + 2·0)/1", "(3 - 5 + 2*0)/1"),
        ("┌─│└ ━━╸ █▌", "+-|+ --+ ##"),
        ("é ﬁ ½ 中 🙂", "e fi 12 ? ?"),
    ):
        assert text.encode("ascii", REPLACING).decode() == wanted


def test_nothing_drives_the_terminal(screen: Screen, write: Write, tmp_path: Path) -> None:
    assert printable("a\tb\x1b[2J\n\u202ec\udcffé") == "a b�[2J��c�é"
    path = str(write(NET.replace("fc", "f\x85c"), "a\x1b]0;owned\x07\r\n\u202eb.yaml"))
    for words in (["validate", path], ["draw", "lenet5", "-o", f"{tmp_path}/\x1b[2J.svg"], ["report", "x\x9b2J"]):
        for extra in ([], ["--format", "json"]) if words[0] != "draw" else ([],):
            _, out, err = screen("utf-8", *words, *extra)
            text = (out + err).decode()
            assert text and not set(text) & {"\x1b", "\x07", "\r", "\x9b", "\x85"}, words


def test_json_has_no_numbers_that_json_has_not() -> None:
    found = as_json({"a": [float("nan"), 1.5, float("inf")], "b": "\x7f\udcff"})
    assert json.loads(found) == {"a": [None, 1.5, None], "b": "\x7f\udcff"}
    assert found.isascii()


def test_json_shows_no_character_that_turns_or_breaks_lines() -> None:
    given = {"a\u202eb\u2028": "\u200f\U000e0041é→−日"}
    found = as_json(given)
    assert json.loads(found) == given
    assert "\\u202eb\\u2028" in found and "é→−日" in found
    assert all(char.isprintable() or char == "\n" for char in found)


BASH = "A='{python} -m archspec.cli'; cd {folder}; "


def shell(script: str, folder: Path) -> tuple[list[str], str]:
    """Lines of standard output and error of a script in which $A is archspec."""
    done = subprocess.run(
        ["bash", "-c", BASH.format(python=sys.executable, folder=folder) + script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    return done.stdout.split("\n")[:-1], done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_streams_that_are_closed_full_or_without_a_reader(tmp_path: Path) -> None:
    full = "error: there is no space left for the output\n"
    # What a closed standard output would have shown must not end up in a file of that number either.
    out, err = shell("$A draw lenet5 -o a.svg >&- 2>&- <&-; echo $?; head -c 4 a.svg; echo", tmp_path)
    assert out == ["0", "<svg"] and err == ""
    out, err = shell("$A report no.yaml 2>&-; echo $?; $A report no.yaml 2>/dev/full; echo $?", tmp_path)
    assert out == ["1", "1"]
    out, err = shell("$A report lenet5 >/dev/full; echo $?; $A report --help >/dev/full; echo $?", tmp_path)
    assert out == ["1", "1"] and err == 2 * full
    out, err = shell("($A validate no.yaml lenet5; echo $? >&2) | true; ($A zoo; echo $? >&2) | head -1", tmp_path)
    assert out[0].startswith("network ") and "E101" in err and "Traceback" not in err
    assert [line for line in err.split("\n") if line in ("0", "1")] == ["1", "0"]


def test_saying_never_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "full")

    closed = io.StringIO()
    closed.close()
    for stream in (None, closed, Full()):
        monkeypatch.setattr(sys, "stderr", stream)
        say("a")
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(raw, "ascii", "strict"))
    say("2×3\x1b[2J\nb")
    assert raw.getvalue() == b"2x3?[2J\nb\n"


def test_slow_work_is_announced(capsys: pytest.CaptureFixture[str]) -> None:
    import time

    with said_when_slow("loading data", 0.01):
        time.sleep(0.2)
    with said_when_slow("being quick", 30):
        pass
    assert capsys.readouterr().err == "loading data …\n"


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (
            ZeroDivisionError("division\nby zero"),
            70,
            "[E901]: a fault of archspec itself: ZeroDivisionError: division by zero",
        ),
        (RecursionError("maximum recursion depth exceeded"), 70, "nested more deeply than can be followed"),
        (MemoryError(), 1, "error[E902]: there is not enough memory\n"),
        (
            OSError(errno.EMFILE, "Too many open files", "a\x1b.yaml"),
            1,
            "error[E903]: the system refuses something that this needs: Too many open files: a�.yaml",
        ),
        (
            ImportError("No module named 'rich'"),
            1,
            "error[E904]: a package that this needs cannot be imported: No module named 'rich'",
        ),
    ],
)
def test_what_nobody_foresaw(
    error: Exception, status: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import archspec.loading

    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(archspec.loading, "open_spec", fail)
    assert main(["report", "lenet5"]) == status
    found = capsys.readouterr().err
    assert said in found and "Traceback" not in found
    assert ("(commands/_common.py, line " in found) == (status == 70)
    assert main(["report", "lenet5", "--format", "json"]) == status
    assert json.loads(capsys.readouterr().out)[0]["code"].startswith("E90")
    monkeypatch.setenv("ARCHSPEC_DEBUG", "1")
    assert main(["report", "lenet5"]) == status
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import archspec.loading

    for words, said in (("", "interrupted\n"), ("stopped after epoch 3", "stopped after epoch 3\n")):

        def stop(*arguments: object, words: str = words) -> None:
            raise KeyboardInterrupt(words)

        monkeypatch.setattr(archspec.loading, "open_spec", stop)
        assert main(["report", "lenet5"]) == 130
        assert capsys.readouterr() == ("", said)


def test_a_program_that_is_long_in_coming_is_announced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import threading
    import time

    from archspec.training import progress

    monkeypatch.setattr(progress, "Timer", lambda seconds, *rest: threading.Timer(seconds / 50, *rest))
    for steps, shown, said in ((0, True, "compiling the training step …\n"), (1, True, ""), (0, False, "")):
        made = progress.Progress(10, 0, "images", shown)
        if steps:
            assert not made.wants_figures
        time.sleep(0.1)
        made.close()
        assert capsys.readouterr().err == said


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX systems")
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_ends_a_process_at_once(times: int) -> None:
    """Even where leaving would take long: neither waits for it, nor does a second Ctrl-C fall into it."""
    code = """
import atexit, sys, time
import archspec.cli, archspec.loading

def hang(*arguments):
    print("ready", flush=True)
    time.sleep(60)

atexit.register(time.sleep, 60)
archspec.loading.open_spec = hang
sys.argv[1:] = ["report", "lenet5"]
sys.exit(archspec.cli.main())
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        for _ in range(times):
            process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 130 and err in ("interrupted\n", "" if times == 2 else None)


def test_the_first_thing_that_takes_long_is_said_soon(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """However short each of several things takes; the ones after it only where they take long themselves."""
    from archspec import output

    monkeypatch.setattr(output, "SOON", 0.3)
    monkeypatch.setattr(output, "_age", lambda: 0.2)
    output.say_soon()
    for what in ("reading the spec", "loading JAX", "reading the data"):
        with said_when_slow(what, 30):
            time.sleep(0.12)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and said[0] in ("reading the spec …", "loading JAX …")
    assert output._due is None


def test_a_process_knows_since_when_it_is_there() -> None:
    from archspec import output

    began = output._age()
    time.sleep(0.05)
    assert 0.04 < output._age() - began < 5 and began < 3600
