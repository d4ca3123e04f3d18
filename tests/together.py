"""Processes that compute together, started by tests: each runs a script that has joined the others."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from archspec.peers import Peers

ROOT = Path(__file__).parents[1]
JOIN = """
import sys
import jax
jax.distributed.initialize("127.0.0.1:{port}", num_processes={count}, process_id={index}, initialization_timeout=60)
"""


class Second(Peers):
    """Process 1 of two, that hears what `told` has of process 0."""

    def __init__(self, **told: Any) -> None:
        super().__init__(1, 2)
        self.told = told

    def chosen(self, what: str, make: Callable[[], Any]) -> Any:
        return self.told[what]

    def exchange(self, what: str, own: bytes) -> list[bytes]:
        return [json.dumps(self.told[what]).encode(), own]


class Ended(NamedTuple):
    status: int
    out: str
    err: str


def free_port() -> int:
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        return int(own.getsockname()[1])


def environment(devices: int) -> dict[str, str]:
    """That of a process with so many CPU devices."""
    flags = f"--xla_force_host_platform_device_count={devices}" if devices > 1 else ""
    return {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}


def came_to(module: str, names: Sequence[str], timeout: float) -> dict[str, str]:
    """What each named case of a module came to in a process of eight devices, which says it in its last line: nothing,
    or its traceback."""
    # Without LLVM's optimisations, programs are compiled in a fifth of the time.
    flags = f"{environment(8)['XLA_FLAGS']} --xla_backend_optimization_level=0"
    done = subprocess.run(
        [sys.executable, "-m", module, *names],
        cwd=ROOT,
        env={**environment(8), "XLA_FLAGS": flags},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def started(
    script: str, count: int, arguments: Sequence[str] = (), devices: int = 1, join: str = JOIN
) -> list[subprocess.Popen[str]]:
    """`count` processes of `devices` CPU devices each that run a script with arguments; one alone joins nobody."""
    port = free_port()
    return [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                (join.format(port=port, count=count, index=index) if count > 1 else "") + script,
                *arguments,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(devices),
        )
        for index in range(count)
    ]


def ended(processes: Sequence[subprocess.Popen[str]], timeout: float = 240) -> list[Ended]:
    """How they ended, and what they said."""
    try:
        said = [process.communicate(timeout=timeout) for process in processes]
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
    return [Ended(process.returncode, *own) for process, own in zip(processes, said, strict=True)]


def together(
    script: str, count: int, arguments: Sequence[str] = (), devices: int = 1, timeout: float = 240
) -> list[str]:
    """What processes print that run a script together; all of them must end well."""
    made = ended(started(script, count, arguments, devices), timeout)
    assert all(not own.status for own in made), "\n".join(
        f"{own.status}\n{own.out[-2000:]}{own.err[-4000:]}" for own in made
    )
    return [own.out for own in made]
