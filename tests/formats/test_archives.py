"""Archives that would harm are refused before anything of them is unpacked."""

from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path

import pytest

from archspec.formats import archives
from archspec.formats.archives import content_of, entries, region_of
from archspec.formats.mapping import DamagedError


def archive(path: Path, *named: tuple[str | zipfile.ZipInfo, bytes], kind: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as file:
        for name, content in named:
            file.writestr(name, content)
    return path


def test_entries_are_where_they_lie(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", ("a/b.txt", b"abc" * 9), ("c", b"\0" * 70_000))
    found = entries(path)
    assert list(found) == ["a/b.txt", "c"]
    region = region_of(path, found["a/b.txt"])
    assert region.content is None
    assert region.read(3, 3) == b"abc"
    with pytest.raises(DamagedError, match="lies outside"):
        region.read(20, 8)
    packed = archive(tmp_path / "b.zip", ("c", b"\0" * 70_000), kind=zipfile.ZIP_DEFLATED)
    assert content_of(packed, entries(packed)["c"], 70_000) == b"\0" * 70_000
    with pytest.raises(DamagedError, match="up to 69,999 are read"):
        content_of(packed, entries(packed)["c"], 69_999)


@pytest.mark.parametrize("name", ["../a", "a/../../b", "/etc/a", "C:/a", "a\\..\\b"])
def test_names_that_climb_out_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DamagedError, match="leads out of the archive"):
        entries(archive(tmp_path / "a.zip", (name, b"")))


def test_links_and_names_that_stand_twice_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("a")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(DamagedError, match="is a link: a"):
        entries(archive(tmp_path / "a.zip", (link, b"/etc/hosts")))
    with pytest.warns(UserWarning, match="Duplicate"):
        path = archive(tmp_path / "b.zip", ("a", b"1"), ("a", b"2"))
    with pytest.raises(DamagedError, match="two entries of one name: a"):
        entries(path)


def test_encrypted_and_rarely_packed_entries_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", ("a", b"1" * 99))
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(DamagedError, match="encrypted"):
        entries(path)
    with pytest.raises(DamagedError, match="a compression that is not read"):
        entries(archive(tmp_path / "b.zip", ("a", b"1" * 99), kind=zipfile.ZIP_LZMA))


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive(tmp_path / "a.zip", ("a", bytes(2**21)), kind=zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(archives, "MAX_UNPACKED", 2**20)
    with pytest.raises(DamagedError, match="unpacks a to 2 MiB"):
        region_of(path, entries(path)["a"], archives.MAX_UNPACKED)
    content = bytearray(path.read_bytes())
    for at in (content.index(b"PK\x01\x02") + 24, 22):
        content[at : at + 4] = struct.pack("<I", 1000)  # it says that it has 1,000 bytes
    path.write_bytes(content)
    with pytest.raises(DamagedError, match="damaged archive"):
        region_of(path, entries(path)["a"])
    monkeypatch.setattr(archives, "MAX_ENTRIES", 3)
    with pytest.raises(DamagedError, match="a list of 4 entries"):
        entries(archive(tmp_path / "b.zip", *((str(number), b"") for number in range(4))))


def test_damaged_archives_are_told(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", ("a", b"abc" * 99))
    content = path.read_bytes()
    path.write_bytes(content.replace(b"abcabc", b"abcabd", 1))
    with pytest.raises(DamagedError, match="damaged archive: a: Bad CRC"):
        region_of(path, entries(path)["a"])
    for end in (0, 10, 200, len(content) - 30):
        path.write_bytes(content[:end])
        with pytest.raises(DamagedError, match="damaged archive"):
            entries(path)


def test_a_locator_that_reaches_over_the_beginning_is_no_locator(tmp_path: Path) -> None:
    content = bytearray(b"\0" * 4 + b"PK\x05\x06" + bytes(18))
    content[-16:-12] = b"PK\x06\x07"  # where 20 bytes before the list's end would be, counted from the other end
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    assert entries(path) == {}
