"""Files are replaced as a whole or not at all, whatever interrupts the writing."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from archspec.diagnostics import DataError
from archspec.writing import write, write_by

posix = pytest.mark.skipif(os.name != "posix", reason="links, pipes and locks of POSIX systems")


@contextmanager
def little_space(limit: int) -> Iterator[None]:
    """Files cannot grow beyond so many bytes."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_text_and_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a", "−1\r\n2\n")
    assert (tmp_path / "a").read_bytes() == b"\xe2\x88\x921\r\n2\n"
    write(tmp_path / "a", b"\x00")
    assert (tmp_path / "a").read_bytes() == b"\x00"
    write_by(tmp_path / "b", lambda file: (file.write(b"xx"), file.seek(0), file.write(b"y")))
    assert names(tmp_path) == ["a", "b"]
    assert (tmp_path / "b").read_bytes() == b"yx"


@posix
@pytest.mark.parametrize("old", [b"old", None])
def test_no_space_leaves_what_was_there(tmp_path: Path, old: bytes | None) -> None:
    file = tmp_path / "a"
    if old is not None:
        file.write_bytes(old)
    with little_space(1000):
        for attempt in (
            lambda: write(file, b"x" * 5000),
            lambda: write_by(file, lambda out: [out.write(b"y" * 700) for _ in range(3)]),
        ):
            with pytest.raises(DataError, match="cannot be written: File too large") as caught:
                attempt()
            assert caught.value.code == "E534"
    assert names(tmp_path) == ([] if old is None else ["a"])
    assert old is None or file.read_bytes() == old


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, OSError(errno.ENOSPC, "No space left on device")])
def test_whatever_is_raised_midway(tmp_path: Path, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"old")

    def stop(*arguments: object) -> None:
        raise error

    def half(out: BinaryIO) -> None:
        out.write(b"half")
        out.flush()
        stop()

    expected = DataError if isinstance(error, OSError) else error
    with pytest.raises(expected):  # type: ignore[arg-type]
        write_by(file, half)
    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, stop)
            with pytest.raises(expected):  # type: ignore[arg-type]
                write(file, b"new")
        assert names(tmp_path) == ["a"] and file.read_bytes() == b"old"


def test_what_is_read_meanwhile_is_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"old")
    seen = []

    def make(out: BinaryIO) -> None:
        out.write(b"new")
        out.flush()
        seen.append(file.read_bytes())

    write_by(file, make)
    assert seen == [b"old"] and file.read_bytes() == b"new"


@posix
def test_modes(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        new, kept = tmp_path / "new", tmp_path / "kept"
        kept.write_text("0")
        kept.chmod(0o604)
        write(new, "1")
        write(kept, "1")
        assert stat.S_IMODE(new.stat().st_mode) == 0o640
        assert stat.S_IMODE(kept.stat().st_mode) == 0o604 and kept.read_text() == "1"
    finally:
        os.umask(before)


@posix
def test_links_stay(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target, link, onward = tmp_path / "real" / "a", tmp_path / "link", tmp_path / "onward"
    onward.symlink_to("real/a")
    link.symlink_to("onward")
    for contents in ("made", "replaced"):
        write(link, contents)
        assert target.read_text() == contents and link.is_symlink() and onward.is_symlink()
    assert names(tmp_path / "real") == ["a"]
    link.unlink()
    link.symlink_to("link")
    with pytest.raises(DataError, match="symbolic links"):
        write(link, "x")


@posix
def test_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    write("/dev/null", "x")
    assert not Path("/dev/null").is_file()
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    write_by(pipe, lambda out: out.write(b"by"))
    reader.join()
    assert got == ["by"] and names(tmp_path) == ["pipe"]
    code = (
        "from archspec.writing import write\nprint(1); write('/dev/stdout', '2\\n'); print(3); write('/dev/fd/1', '4')"
    )
    # The shell's own file goes on; it is not replaced beneath it.
    with open(tmp_path / "out", "wb") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
    assert (tmp_path / "out").read_text().split() == ["1", "2", "3", "4"]


@posix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_full_device(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No space left"):
        write("/dev/full", "x")


@posix
def test_leftovers_of_killed_processes_go_and_those_of_others_stay(tmp_path: Path) -> None:
    code = (
        "import os, signal; from archspec.writing import write_by\n"
        "write_by('a', lambda out: (out.write(b'half'), out.flush(), os.kill(os.getpid(), signal.SIGKILL)))"
    )
    (tmp_path / "a").write_text("old")
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path).returncode == -9
    assert len(names(tmp_path)) == 2 and (tmp_path / "a").read_text() == "old"
    for name in ("a.1-x.partial", "a.partial", "b.1-1.partial", "a.1-1"):
        (tmp_path / name).write_text("the user's own")
    inside = []

    def make(out: BinaryIO) -> None:
        write(tmp_path / "a", "second")  # as another process that writes the same file at the same time
        inside.extend(names(tmp_path))

    write_by(tmp_path / "a", make)
    assert len(inside) == 6  # the first's unfinished file is left alone while it is written
    assert names(tmp_path) == ["a", "a.1-1", "a.1-x.partial", "a.partial", "b.1-1.partial"]


@posix
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing/a", "there is no folder"),
        ("", "Is a directory"),
        ("a\0b", "no file has such a name"),
        ("n" * 300, "File name too long"),
        ("file/a", "cannot be written"),
    ],
)
def test_what_cannot_be_written(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=said):
        write(f"{tmp_path}/{name}", "x")
    assert names(tmp_path) == ["file"]


@posix
def test_long_names_and_names_that_are_no_text(tmp_path: Path) -> None:
    for name in ("é" * 127, os.fsdecode(b"\xff\xfe")):
        write(tmp_path / name, "1")
        write(tmp_path / name, "2")
        assert (tmp_path / name).read_text() == "2"


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write everything")
def test_a_file_that_may_not_be_changed_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("kept")
    file.chmod(0o444)
    with pytest.raises(DataError, match="Permission denied"):
        write(file, "x")
    assert file.read_text() == "kept"


@posix
@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["draw", "lenet5", "-o"], "net.svg"),
        (["draw", "lenet5", "-o"], "net.png"),
        (["report", "lenet5", "--html"], "net.html"),
        (["roofline", "lenet5", "--device", "a100", "--plot"], "roof.png"),
    ],
)
def test_commands_leave_an_old_file_as_it_was(
    words: list[str], name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from archspec.cli import main

    file = tmp_path / name
    file.write_text("old")
    with little_space(500):
        assert main([*words, str(file)]) == 1
    assert "error[E534]" in capsys.readouterr().err
    assert names(tmp_path) == [name] and file.read_text() == "old"
    assert main([*words, str(file)]) == 0
    assert file.read_bytes()[:3] != b"old"
