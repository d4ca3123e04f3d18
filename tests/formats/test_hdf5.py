"""HDF5 as h5py writes it comes back number for number, and what leads out of a file or has no end is refused."""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import ml_dtypes
import numpy as np
import pytest

from archspec.formats import hdf5
from archspec.formats.hdf5 import Hdf5, read_hdf5
from archspec.formats.mapping import DamagedError
from archspec.formats.region import Region


def made(path: Path, fill: Callable[[Any], object], **options: Any) -> Path:
    with h5py.File(path, "w", **options) as file:
        fill(file)
    return path


def read(path: Path) -> Hdf5:
    return read_hdf5(Region.of(path))


def fill_kinds(file: Any) -> None:
    numbers = np.random.default_rng(0).normal(size=(10, 7))
    for name in ("<f4", ">f8", "<f2", "<i4"):
        file.create_dataset(f"plain/{name}", data=numbers.astype(name))
    file.create_dataset("packed/a", data=numbers, chunks=(4, 3), compression="gzip", shuffle=True)
    file.create_dataset("packed/b", data=numbers, chunks=(4, 3))
    file.create_dataset("packed/c", data=numbers.astype("f4"), chunks=(4, 7), maxshape=(None, 7), shuffle=True)
    file.create_dataset("number", data=3.5)
    file.create_dataset("none", data=np.zeros((0, 3), "f4"))
    group = file.create_group("many", track_order=True)
    for index in range(20):
        group.create_dataset(str(index), data=index)


def test_numbers_come_back(tmp_path: Path) -> None:
    path = made(tmp_path / "a.h5", fill_kinds)
    found = read(path)
    with h5py.File(path) as file:
        names: list[str] = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        assert sorted(found.datasets) == sorted(names)
        for name in names:
            array = found.datasets[name].load()
            assert array.dtype == file[name].dtype
            np.testing.assert_array_equal(array, file[name][()])


def test_texts_of_every_kind_come_back(tmp_path: Path) -> None:
    def fill(file: Any) -> None:
        file.attrs["fixed"] = np.array([b"x", b"yy"])
        file.attrs["any"] = ["p", "ä"]
        file.attrs["long"] = "{" * 100_000
        file.attrs["number"] = 3
        file.attrs["empty"] = h5py.Empty("S10")
        file.attrs["names0"], file.attrs["names1"] = ["a", "b"], ["c"]

    found = read(made(tmp_path / "a.h5", fill))
    assert found.texts("", "fixed") == ["x", "yy"]
    assert found.texts("", "any") == ["p", "ä"]
    assert found.text("", "long") == "{" * 100_000
    assert found.text("", "empty") is None
    assert found.texts("", "names") == ["a", "b", "c"]
    assert found.text("", "number") is None


def test_bfloat16_as_keras_marks_it(tmp_path: Path) -> None:
    numbers = np.arange(4).astype(ml_dtypes.bfloat16)

    def fill(file: Any) -> None:
        file.create_dataset("a", data=numbers.view("<u2")).attrs["dtype"] = "bfloat16"

    np.testing.assert_array_equal(read(made(tmp_path / "a.h5", fill)).datasets["a"].load(), numbers)


def fill_virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "a", (3,))
    file.create_virtual_dataset("a", layout)


def fill_cycle(file: Any) -> None:
    file.create_group("g")["up"] = file["/"]


@pytest.mark.parametrize(
    ("fill", "why"),
    [
        (lambda file: file.__setitem__("a", h5py.ExternalLink("other.h5", "/a")), "a link to another file, a"),
        (lambda file: file.__setitem__("a", h5py.SoftLink("/b")), "a soft link, a"),
        (fill_cycle, "the group g/up in two places"),
        (fill_virtual, "in other files"),
        (lambda file: file.create_dataset("a", shape=(9,), dtype="u1", external=[("/etc/hosts", 0, 9)]), "other files"),
        (lambda file: file.create_dataset("a", data=np.zeros(2**26, "f4"), chunks=(2**20,), compression=1), "unpacks"),
        (lambda file: [file := file.create_group("g") for _ in range(70)], "more than 64 deep"),
    ],
    ids=["external link", "soft link", "cycle", "virtual", "external storage", "bomb", "deep"],
)
def test_what_leads_out_or_has_no_end_is_refused(tmp_path: Path, fill: Callable[[Any], object], why: str) -> None:
    with pytest.raises(DamagedError, match=why):
        read(made(tmp_path / "a.h5", fill))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"compression": "lzf"}, "packed by lzf"),
        ({"fletcher32": True}, "packed by fletcher32"),
        ({"dtype": h5py.string_dtype()}, "no plain numbers"),
        ({"chunks": (4,)}, "without some of its numbers"),
        ({}, "without numbers"),
    ],
)
def test_arrays_that_are_not_read_say_why(tmp_path: Path, options: dict[str, Any], why: str) -> None:
    def fill(file: Any) -> None:
        item = file.create_dataset("a", shape=(9,), **{"dtype": "f4", **options})
        if "packed" in why:
            item[:] = 1

    found = read(made(tmp_path / "a.h5", fill)).datasets["a"]
    assert why in str(found.fault)


def test_a_piece_that_unpacks_to_more_than_it_should_is_refused(tmp_path: Path) -> None:
    def fill(file: Any) -> None:
        item = file.create_dataset("a", shape=(16,), dtype="f4", chunks=(16,), compression="gzip")
        item.id.write_direct_chunk((0,), zlib.compress(bytes(2**26), 9))

    found = read(made(tmp_path / "a.h5", fill))
    with pytest.raises(DamagedError, match="another size than 64 bytes"):
        found.datasets["a"].load()


def test_a_block_before_the_file_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "a.h5", lambda file: file.create_dataset("a", data=1.0), userblock_size=512)
    with pytest.raises(DamagedError, match="other content before"):
        read(path)


def test_no_plugin_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter that HDF5 lacks is told by its number, and the folder of plug-ins that the system names stays unread."""
    monkeypatch.setenv("HDF5_PLUGIN_PATH", str(tmp_path))

    def fill(file: Any) -> None:
        settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        settings.set_chunk((16,))
        settings.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
        space = h5py.h5s.create_simple((16,))
        item = h5py.h5d.create(file.id, b"a", h5py.h5t.IEEE_F32LE, space, settings)
        item.write_direct_chunk((0,), bytes(64))

    assert "zstd" in str(read(made(tmp_path / "a.h5", fill)).datasets["a"].fault)


def test_damaged_files_are_answered(tmp_path: Path) -> None:
    """Cut short at some places, and with bytes that are others: numbers or an answer, never anything else."""
    content = made(tmp_path / "a.h5", fill_kinds).read_bytes()
    generator = np.random.default_rng(0)
    refused = 0
    for trial in range(12):
        damaged = bytearray(content)
        if trial % 3 == 0:
            damaged = damaged[: int(generator.integers(1, len(content)))]
        else:
            for place in generator.integers(0, 2048, 4):
                damaged[place] = int(generator.integers(0, 256))
        (tmp_path / "b.h5").write_bytes(damaged)
        try:
            for item in read(tmp_path / "b.h5").datasets.values():
                if item.fault is None:
                    item.load()
        except DamagedError:
            refused += 1
    assert refused > 4


def test_an_index_that_has_no_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HDF5's library goes round for ever on a heap whose object has no size; the process that asks it is ended."""

    def fill(file: Any) -> None:
        file.attrs["names"] = ["a" * 20, "b"]

    content = bytearray(made(tmp_path / "a.h5", fill).read_bytes())
    at = content.index(b"GCOL")
    content[at + 24 : at + 32] = (2**64 - 16).to_bytes(8, "little")  # the first object's size, which wraps around
    (tmp_path / "a.h5").write_bytes(content)
    monkeypatch.setattr(hdf5, "MAX_SECONDS", 2)
    with pytest.raises(DamagedError, match="its index has no end"):
        read(tmp_path / "a.h5")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded, and measured, by what Linux has")
def test_bombs_stay_below_a_gigabyte(tmp_path: Path) -> None:
    """Texts that are the same long one many times over would take 16 GiB."""

    def fill(file: Any) -> None:
        file.attrs["names"] = ["a" * 2**22, *("b" for _ in range(4000))]

    path = made(tmp_path / "a.h5", fill)
    content = bytearray(path.read_bytes())
    reference = (2**22).to_bytes(4, "little")
    at = content.index(reference + content[content.index(reference) + 4 : content.index(reference) + 12])
    first = bytes(content[at : at + 16])
    for number in range(4001):
        content[at + 16 * number : at + 16 * number + 16] = first
    path.write_bytes(content)
    program = (
        "import resource, sys; from pathlib import Path; from archspec.formats.hdf5 import read_hdf5\n"
        "from archspec.formats.region import Region; from archspec.formats.mapping import DamagedError\n"
        "try: read_hdf5(Region.of(Path(sys.argv[1]))); print('read')\n"
        "except DamagedError as error: print(error)\n"
        "own = [line.split()[1] for line in Path('/proc/self/status').read_text().splitlines() if 'VmHWM' in line]\n"
        "print(max(int(own[0]), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))"
    )
    out = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True).stdout
    said, peak = out.splitlines()
    assert said != "read"
    assert int(peak) * 1024 < 2**30
