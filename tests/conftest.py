"""What the tests share."""

from __future__ import annotations

import os
import re
import signal
import tempfile
from collections.abc import Callable, Generator, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# One thread a worker: the suite runs two workers on two cores.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# What Keras computes with where a test asks it.
os.environ.setdefault("KERAS_BACKEND", "jax")

# How long an example takes says how busy the machine is.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

# A shell that runs the suite in its background has it, and all that it starts, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Programs that several tests compile are compiled once: a cache for the run, which workers and commands share.

    What else archspec keeps in the user's cache folder lies in one of the run's, too.
    """
    if hasattr(config, "workerinput"):
        return
    folder = tempfile.TemporaryDirectory(prefix="archspec-tests-", ignore_cleanup_errors=True)
    config.add_cleanup(folder.cleanup)
    os.environ["XDG_CACHE_HOME"] = folder.name
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        os.environ["JAX_COMPILATION_CACHE_DIR"] = f"{folder.name}/jax"
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.05"
        os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "0"


TOUCHES_JAX = re.compile(
    r"^\s*(from|import) (jax|flax|optax|orbax|grain|numpy"
    r"|archspec\.(data|images|inference|lower|nn|runs|training|weights|xla))\b",
    re.MULTILINE,
)


@cache
def touches_jax(path: Path) -> bool:
    """Whether the tests of a file are for what lies on JAX, NumPy and their kin: by what it imports."""
    return TOUCHES_JAX.search(path.read_text("utf-8")) is not None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if touches_jax(item.path):
            item.add_marker(pytest.mark.jax)
        if item.get_closest_marker("minutes"):
            item.add_marker(pytest.mark.slow)  # so what takes minutes is no part of `make test`


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Where CI is set, what lacks a browser, Node or a device fails: no test vanishes silently.

    What versions of a package are not recorded is still skipped, since they come out on any day, what root may do,
    and what needs a newer Neovim than distributions have.
    """
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple) and os.environ.get("CI") == "true":
        reason = report.longrepr[2]
        if not re.search(r"\bnot recorded\b|\broot\b|\bNeovim\b", reason):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} would be skipped, which CI does not do: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A file that is passed over as a whole, for a package that is not there, fails as a test does."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple) and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} would be skipped, which CI does not do: {report.longrepr[2]}"
    return report


@pytest.fixture
def plugins_forgotten() -> Iterator[None]:
    """Plugins that a test loads in this process are none of the next one's."""
    from archspec import kinds, plugins

    yield
    for item in plugins._loaded.values():
        for family, names in item.kinds.items():
            for name in names:
                kinds.remove_kind(family, name)
    plugins._loaded.clear()


HEAD = "archspec: 1\nname: net\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a spec file: a whole text, or the part after `archspec` and `name`."""

    def written(text: str, name: str = "net.yaml", *, whole: bool = False) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if whole else HEAD + text, encoding="utf-8")
        return path

    return written
