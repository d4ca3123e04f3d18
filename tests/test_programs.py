"""Compiled programs in the user's cache folder: kept, found, bounded, and never in the way."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec import programs
from archspec.cli import main
from archspec.programs import DIGEST, Kept

KEY = "jit_train_step-" + 64 * "a"


def kept(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


@given(value=st.binary(max_size=40), place=st.integers(0, 10**6), bit=st.integers(0, 7), end=st.integers(0, 10**6))
def test_damaged_files_are_not_there(
    tmp_path_factory: pytest.TempPathFactory, value: bytes, place: int, bit: int, end: int
) -> None:
    cache = Kept(tmp_path_factory.mktemp("cache"), 10**6)
    cache.put(KEY, value)
    assert cache.get(KEY) == value
    file = cache.file(KEY)
    whole = file.read_bytes()
    changed = bytearray(whole)
    changed[place % len(whole)] ^= 1 << bit
    for damaged in (bytes(changed), whole[: end % len(whole)]):
        file.write_bytes(damaged)
        assert cache.get(KEY) is None
        cache.put(KEY, value)
        assert cache.get(KEY) == value


def test_those_used_last_are_kept(tmp_path: Path) -> None:
    cache = Kept(tmp_path / "cache", 5 * (DIGEST + 100))
    for number in range(4):
        cache.put(f"jit_f-{number}", bytes(100))
        os.utime(cache.file(f"jit_f-{number}"), (number, number))
    assert cache.get("jit_f-0") == bytes(100)  # used now
    other = Kept(tmp_path / "cache", 5 * (DIGEST + 100))  # of another process
    other.put("jit_f-4", bytes(100))
    assert len(kept(tmp_path)) == 5
    other.put("jit_f-5", bytes(100))
    assert [name for name in "012345" if other.get(f"jit_f-{name}")] == ["0", "3", "4", "5"]
    other.put("jit_f-6", bytes(10**4))  # more than all may take
    assert other.get("jit_f-6") is None and len(kept(tmp_path)) == 4


def test_several_write_at_once(tmp_path: Path) -> None:
    caches = [Kept(tmp_path / "cache", 50_000) for _ in range(4)]
    values = [bytes([number]) * (1000 * number + 7) for number in range(8)]

    def work(cache: Kept) -> None:
        for turn in range(40):
            number = turn % 8
            cache.put(f"jit_f-{number}", values[number])
            assert cache.get(f"jit_f-{number}") in (None, values[number])  # another may have made room

    threads = [threading.Thread(target=work, args=(cache,)) for cache in caches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(cache.usable for cache in caches)
    assert not [file for file in kept(tmp_path) if not file.name.endswith(programs.SUFFIX)]


def test_another_processor_has_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Kept(tmp_path, 10**6).file(KEY)
    monkeypatch.setattr(programs, "machine", lambda: "another")
    assert Kept(tmp_path, 10**6).file(KEY) != here


@pytest.mark.parametrize("why", ["a file", "no space", "another user's"])
def test_a_folder_that_cannot_be_written_is_told_of_once(
    why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "cache"
    if why == "a file":
        folder.write_text("in the way")
    elif why == "no space":

        def full(source: str, target: Path) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "replace", full)
    else:
        monkeypatch.setattr(os, "getuid", lambda: -1)
    cache = Kept(folder, 10**6)
    for number in range(3):
        cache.put(f"jit_f-{number}", b"program")
        assert cache.get(f"jit_f-{number}") is None
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and f"compiled programs are not kept in {folder}" in said
    assert kept(tmp_path) == ([folder] if why == "a file" else [])


def ran(code: str, **environment: str) -> str:
    """What a fresh process prints, without any word of the tests' own on JAX's cache."""
    own = {name: value for name, value in os.environ.items() if "CACHE" not in name}
    made = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code],
        env={**own, **environment},
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0 and not made.stderr, made.stderr
    return made.stdout.strip()


CODE = """
import jax
from archspec.programs import keep, unkept
counts = dict.fromkeys(("cache_hits", "cache_misses"), 0)
def count(event, **_):
    name = event.rpartition("/")[2]
    if name in counts:
        counts[name] += 1
jax.monitoring.register_event_listener(count)
{before}
{main}
{after}
print(*counts.values())
"""


def code(main: str = "keep(); jax.jit(abs).lower(1.0).compile()", before: str = "", after: str = "") -> str:
    return CODE.format(main=main, before=before, after=after)


def test_a_second_process_compiles_nothing(tmp_path: Path, write: Callable[..., Path]) -> None:
    spec = write("input: {features: 3}\nlayers: [dense: 2]")
    draw = code(f"import archspec; archspec.build(archspec.load({str(spec)!r}).graph())")
    here = {"XDG_CACHE_HOME": str(tmp_path)}
    found, missed = map(int, ran(draw, **here).split())
    assert found == 0 and missed > 3
    # A damaged one is compiled anew, without a word.
    first = kept(tmp_path / "archspec" / "programs")[0]
    first.write_bytes(first.read_bytes()[:-1])
    assert ran(draw, **here).split() == [str(missed - 1), "1"]


def test_the_users_word_on_the_cache_stands(tmp_path: Path) -> None:
    here, ours, theirs, later = {"XDG_CACHE_HOME": str(tmp_path / "ours")}, *map(tmp_path.joinpath, NAMES)
    named = "jax.config.update('jax_compilation_cache_dir', {!r})"
    everything = "; jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)"
    ran(code(before=named.format(str(theirs)) + everything), **here)
    assert kept(theirs) and not kept(ours)
    # A folder that is named later is used from then on.
    ran(code(after=f"{named.format(str(later))}; jax.jit(lambda x: -x).lower(1.0).compile()"), **here)
    assert len(kept(ours)) == len(kept(later)) == 1


NAMES = ("ours", "theirs", "later")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "environment"),
    [("off = unkept(); off.__enter__()", {}), ("", {"JAX_ENABLE_COMPILATION_CACHE": "false"})],
)
def test_the_cache_can_be_turned_off(before: str, environment: dict[str, str], tmp_path: Path) -> None:
    assert ran(code(before=before), XDG_CACHE_HOME=str(tmp_path), **environment) == "0 0"
    assert not kept(tmp_path)


def test_no_cache_is_an_option_of_what_compiles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[bool] = []

    def run(options: object) -> int:
        seen.append(programs._unwanted)
        return 0

    monkeypatch.setattr("archspec.commands.predict.run", run)
    for more in ((), ("--no-cache",)):
        assert main(["predict", str(tmp_path), "image.png", *more]) == 0
    assert seen == [False, True] and not programs._unwanted
    assert main(["validate", "lenet5", "--no-cache"]) == 2


class _Compiled:
    """A program with a text, as JAX gives it to its cache."""

    def __init__(self, text: bytes) -> None:
        self.text = text

    def hlo_modules(self) -> list[_Compiled]:
        return [self]

    def as_serialized_hlo_module_proto(self) -> bytes:
        return self.text


def test_a_program_that_jaxlib_cannot_write_down_is_not_given_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from jax._src import compilation_cache

    written: list[str] = []
    monkeypatch.setattr(compilation_cache, "put_executable_and_time", lambda key, *rest: written.append(key))
    programs._spare_unwritable()
    for key, text in (("plain", b"%dot"), ("onednn", b"custom_call_target __onednn$matmul"), ("other", b"onednn")):
        compilation_cache.put_executable_and_time(key, "jit_f", _Compiled(text), None, 1)
    assert written == ["plain", "other"]


EXCHANGES = """
import jax
from jax.sharding import Mesh, PartitionSpec
import numpy as np
from archspec import programs
mesh = Mesh(np.array(jax.devices()), ("data",))
part = PartitionSpec("data")
total = jax.shard_map(lambda x: jax.lax.psum(x, "data"), mesh=mesh, in_specs=part, out_specs=PartitionSpec())
for function in (total, lambda x: x + 1):
    executable = jax.jit(function).lower(np.ones(2, np.float32)).compile().runtime_executable()
    print(programs.exchanges_on_cpus(executable))
"""


def test_exchanges_of_cpus_are_seen_in_compiled_programs() -> None:
    """They are not kept: read back, they would wait no longer than XLA's own 40 s."""
    from tests.together import together

    assert together(EXCHANGES, 1, devices=2)[0].split() == ["True", "False"]


def test_calls_of_onednn_are_seen_in_compiled_programs() -> None:
    import jax
    import jax.numpy as jnp

    from archspec.lowerings.device import ONEDNN, has_onednn

    def executable(options: dict[str, object] | None = None) -> object:
        compiled = jax.jit(lambda a: a @ a, compiler_options=options).lower(jnp.ones((512, 512))).compile()
        return compiled.runtime_executable()

    assert not programs.calls_onednn(executable())
    if has_onednn(jax.default_backend()):
        assert programs.calls_onednn(executable(ONEDNN))
