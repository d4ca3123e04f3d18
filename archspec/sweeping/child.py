"""One trial in a process of its own: `python -m archspec.sweeping.child`, which reads what to do from standard input.

The first line is a mapping as JSON. The rest of standard input stays open as long as the process that began this one
lives: where it ends, this one stops as after SIGTERM, with a checkpoint.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from archspec.diagnostics import SpecError

BUSY, AWAY, CHANGED = 3, 4, 5
"""Exit status where another process writes the run's folder, where it cannot be written, and where the trial's spec is
not what it was: nothing that a trial could be blamed for."""
ELSEWHERE = {"E517": BUSY, "E514": AWAY, "E534": AWAY}


def main() -> int:
    """Trains what the first line says; what goes wrong is written to the file `outcome`."""
    order = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_watch, daemon=True).start()
    from contextlib import nullcontext

    from archspec.loading import load
    from archspec.plugins import plugin
    from archspec.programs import unkept
    from archspec.training.interrupt import lose_nothing

    lose_nothing()
    try:
        for file in order["plugins"]:
            plugin(file)
        spec = load(Path(order["spec"]))
        if spec.to_yaml() != Path(order["spec"]).read_text("utf-8"):
            print(f"{order['spec']} is not as the sweep wrote it: kinds or defaults changed since", file=sys.stderr)
            return CHANGED
        from archspec.training.run import train

        with unkept() if order["no_cache"] else nullcontext():
            result = train(
                spec,
                order["workdir"],
                command=order["command"],
                page=order["page"],
                until=order["until"],
                progress=True,
            )
        if order["until"] is None or result.record.get("epoch", 0) >= order["epochs"]:
            print(result.summary())
        return 0
    except SpecError as error:
        print(error, file=sys.stderr)
        first = error.diagnostics[0]
        if first.code in ELSEWHERE:
            return ELSEWHERE[first.code]
        _tell(order, first.code, first.message)
        return 1
    except KeyboardInterrupt as stop:
        print(str(stop) or "interrupted", file=sys.stderr)
        return int(getattr(stop, "status", 130))
    except Exception as error:  # a trial's fault must not end the sweep
        traceback.print_exc()
        memory = isinstance(error, MemoryError)
        words = " ".join(str(error).split())[:300]
        message = "there is not enough memory" if memory else f"{type(error).__name__}: {words}"
        _tell(order, "E902" if memory else "E901", message)
        return 1


def _tell(order: dict[str, Any], code: str, message: str) -> None:
    from archspec.writing import write

    write(order["outcome"], json.dumps({"code": code, "message": message}) + "\n")


def _watch() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # nothing is left to be done, and threads that compile would be waited for
