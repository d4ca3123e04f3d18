"""What a worker process runs first, in place of the script that was run, before anything of its work is unpickled."""

from __future__ import annotations

import signal
import sys


def begin() -> None:
    """Makes the process one that reads files and nothing else."""
    # Ctrl-C reaches all processes of a terminal, and SIGTERM those of a batch job; both are for the parent to act on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # grain imports these where they are installed. To read files they are not needed; JAX takes seconds, some hundred
    # megabytes, and, once anything uses it, memory of the device.
    for name in ("jax", "orbax", "tensorflow", "torch"):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    from absl import logging

    logging.set_verbosity(logging.ERROR)  # grain warns that it has no profiler


if __name__ == "__mp_main__":
    begin()
