"""Compiled programs, kept in the user's cache folder from one process to the next.

JAX looks a program up by a digest of all that it is compiled from, and compiles it where it is not found. Where the
user has said nothing of JAX's own compilation cache, JAX is given `Kept` in place of its own class: that writes files
in place, so that a killed process or a full disk leaves half of one there, which is never replaced; its files have no
digest where zstandard packs them; it reads the times of all files for each that it writes; and it does not know one CPU
from another, for which a program may have instructions that this one lacks.
"""

from __future__ import annotations

import errno
import os
import platform
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from archspec.cache import cache_folder
from archspec.output import say

MOST = 2**30
"""Bytes that programs may take, unless `jax_compilation_cache_max_size` says another number."""
SUFFIX = "-cache"
"""What the names of programs' files end with."""
DIGEST = sha256().digest_size

_NONE = -1
"""JAX's word for no limit, which is its default too."""
_USUAL = {
    "jax_persistent_cache_min_compile_time_secs": (1.0, 0.0),
    # XLA's own caches of kernels have led to illegal instructions on GPUs.
    "jax_persistent_cache_enable_xla_caches": ("xla_gpu_per_fusion_autotune_cache_dir", "none"),
}
"""Settings of JAX's: the default, and what is set in its place. A start has hundreds of small programs, each of which
takes longer to compile than to read."""


def _settings() -> Any:
    """JAX's settings, of whose attributes its types know few."""
    import jax

    return jax.config


_UNWRITABLE = b"__onednn$"
"""In a program's text where it calls oneDNN on a CPU: convolutions and matrix products alike. jaxlib (as of 0.12) takes
such a call for another kind of call when it writes a program down, and reads memory that is none of its own, which ends
in std::bad_alloc at best. Each process compiles such a program anew."""

_EXCHANGES = (b"all-reduce", b"all-gather", b"collective-permute", b"reduce-scatter", b"all-to-all")
"""In a program's text where devices exchange arrays. On CPUs a program that was written down comes back without its
compiler options, among them how long devices wait for one another (`device_mesh.py`): XLA ends it after 40 s."""

_asked = threading.Lock()
_settled = False
"""Whether JAX's settings have been looked at already."""
_unwanted = False


@contextmanager
def unkept() -> Iterator[None]:
    """Has no program read or kept meanwhile, whatever JAX's settings are: `--no-cache`."""
    global _unwanted
    before = _unwanted
    _unwanted = True
    try:
        yield
    finally:
        _unwanted = before


def keep() -> None:
    """From now on, has JAX keep compiled programs in the user's cache folder, and read those that are there.

    Nothing changes where the user has named a folder of JAX's own (JAX_COMPILATION_CACHE_DIR, or `jax.config`) or has
    turned it off (JAX_ENABLE_COMPILATION_CACHE). A folder that cannot be written is told of once, and is no error.
    """
    global _settled
    if _settled and not _unwanted:
        return
    with _asked:
        settings = _settings()
        if _unwanted:
            if settings.jax_enable_compilation_cache:
                settings.update("jax_enable_compilation_cache", False)
        elif not _settled:
            _settled = True
            _spare_unwritable()
            if settings.jax_compilation_cache_dir is None and settings.jax_enable_compilation_cache:
                _begin(cache_folder("programs"))


def _begin(folder: Path) -> None:
    """Has JAX keep programs in a folder by `Kept`; where its insides are other than known, nothing is kept."""
    settings = _settings()
    try:
        from jax._src import compilation_cache as theirs
        from jax._src.compilation_cache_interface import CacheInterface

        get_file_cache: Any = theirs.get_file_cache
    except (ImportError, AttributeError):
        return

    class Ours(Kept, CacheInterface):  # type: ignore[misc, unused-ignore]
        """JAX asks for a cache once, but its user may name a folder later, who knows of none before."""

        def named_since(self) -> Any:
            path = settings.jax_compilation_cache_dir
            return None if path in (None, str(folder)) else _once(get_file_cache, path)

        def get(self, key: str) -> bytes | None:
            other = self.named_since()
            return super().get(key) if other is None else other.get(key)

        def put(self, key: str, value: bytes) -> None:
            other = self.named_since()
            super().put(key, value) if other is None else other.put(key, value)

    theirs.get_file_cache = lambda path: (Ours(folder, _most()), path) if path == str(folder) else get_file_cache(path)
    settings.update("jax_compilation_cache_dir", str(folder))
    for name, (usual, ours) in _USUAL.items():
        if getattr(settings, name) == usual and name.upper() not in os.environ:
            settings.update(name, ours)


def _spare_unwritable() -> None:
    """Has JAX not write down what jaxlib cannot, in whichever folder."""
    try:
        from jax._src import compilation_cache

        theirs: Any = compilation_cache
        write = theirs.put_executable_and_time
    except (ImportError, AttributeError):
        return

    def put(key: str, name: str, executable: Any, *rest: Any) -> None:
        if not calls_onednn(executable) and not exchanges_on_cpus(executable):
            write(key, name, executable, *rest)

    theirs.put_executable_and_time = put


def calls_onednn(executable: Any) -> bool:
    """Whether a compiled program calls oneDNN; False where its text cannot be had."""
    return _has(executable, _UNWRITABLE)


def exchanges_on_cpus(executable: Any) -> bool:
    """Whether in a compiled program CPU devices exchange arrays; False where its text cannot be had."""
    import jax

    return jax.default_backend() == "cpu" and _has(executable, *_EXCHANGES)


def _has(executable: Any, *words: bytes) -> bool:
    try:
        texts = [module.as_serialized_hlo_module_proto() for module in executable.hlo_modules()]
    except Exception:  # of whichever type a device's own runtime raises
        return False
    return any(word in text for text in texts for word in words)


@cache
def _once(get_file_cache: Callable[[str], Any], path: str) -> Any:
    return get_file_cache(path)[0]


def _most() -> int:
    said: int = _settings().jax_compilation_cache_max_size
    return MOST if said == _NONE else said


class Kept:
    """Programs in files of a folder, together no more than `most` bytes: those used last.

    Files are written as a whole or not at all and begin with a digest, so whatever is found is what was kept, and
    processes need no lock. Nothing here raises: what cannot be read is not there, and what cannot be written is told of
    once.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._path = folder
        self.most = most
        self.size: int | None = None
        """Bytes of all files when they were last looked at, with what was written since; None before that."""
        self.usable = True

    def file(self, key: str) -> Path:
        """A program's file: JAX's key, and this machine's processor."""
        name, _, digest = key.rpartition("-")
        return self._path / f"{name[:100]}-{sha256(f'{machine()} {digest}'.encode()).hexdigest()[:40]}{SUFFIX}"

    def get(self, key: str) -> bytes | None:
        """The program with a key, which is then the one used last."""
        file = self.file(key)
        try:
            held = file.read_bytes()
        except OSError:
            return None
        if sha256(held[DIGEST:]).digest() != held[:DIGEST]:
            with suppress(OSError):
                file.unlink()
            return None
        with suppress(OSError):
            os.utime(file)
        return held[DIGEST:]

    def put(self, key: str, value: bytes) -> None:
        """Keeps a program, in place of one that has the same key."""
        held = sha256(value).digest() + value
        if not self.usable or len(held) > self.most:
            return
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if hasattr(os, "getuid") and self._path.stat().st_uid != os.getuid():
                raise PermissionError(errno.EPERM, "the folder is another user's")  # whose programs would be run
            self._make_room(len(held))
            number, partial = tempfile.mkstemp(prefix=".", dir=self._path)
            try:
                with os.fdopen(number, "wb") as opened:
                    opened.write(held)
                os.replace(partial, self.file(key))
            except BaseException:
                with suppress(OSError):
                    os.unlink(partial)
                raise
        except OSError as error:
            self.usable = False
            say(f"note: compiled programs are not kept in {self._path}: {error.strerror or error}")

    def _make_room(self, more: int) -> None:
        """Deletes the programs that were used longest ago, where with so many bytes more they would be too large."""
        if self.size is not None and self.size + more <= self.most:
            self.size += more
            return
        there = []
        with os.scandir(self._path) as entries:
            for entry in entries:
                with suppress(OSError):  # another process deletes, too
                    about = entry.stat(follow_symlinks=False)
                    there.append((about.st_mtime_ns, about.st_size, entry.path))
        size = sum(own for _, own, _ in there) + more
        if size > self.most:
            # Somewhat more than is needed, since all files are looked at for it.
            for _, own, path in sorted(there):
                if size <= max(more, self.most - self.most // 10):
                    break
                with suppress(OSError):
                    os.unlink(path)
                    size -= own
        self.size = size


@cache
def machine() -> str:
    """The processor's kind and what it can do; where the system does not say it, the machine's name."""
    kinds = ("model name", "flags", "Features", "CPU implementer", "CPU part")
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            first = file.read(16384).split("\n\n")[0]  # of the first core
    except OSError:
        return f"{platform.machine()} {platform.node()}"
    return " ".join([platform.machine(), *(line for line in first.splitlines() if line.startswith(kinds))])
