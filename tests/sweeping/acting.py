"""A stand-in for a trial's process: it writes what a run leaves behind, epoch by epoch, and trains nothing.

Its figures follow from the spec alone, as those of a run do, and it goes on where it was killed. Like a run it holds
its folder's lock, has a checkpoint for each record, and ends with a result.
"""

from __future__ import annotations

import json
import os
import sys
import time
from hashlib import sha256
from pathlib import Path

from archspec.diagnostics import DataError
from archspec.runs.owner import take
from archspec.writing import write

EPOCHS = 6


def figure(text: str, epoch: int) -> float:
    """The accuracy after an epoch."""
    best = int(sha256(text.encode()).hexdigest()[:6], 16) / 2**24
    return round(best * (1 - 0.5**epoch), 6)


def main() -> int:
    order = json.loads(sys.stdin.buffer.readline())
    text, folder = Path(order["spec"]).read_text(), Path(order["workdir"])
    log = Path(order["spec"]).parent.parent / "log"
    if "seed: 13" in text:
        write(order["outcome"], json.dumps({"code": "E520", "message": "the loss is not finite"}))
        return 1
    if "seed: 14" in text:
        os.kill(os.getpid(), 9)
    try:
        owner = take(folder, "run")
    except DataError:
        return 3
    (folder / "checkpoints").mkdir(exist_ok=True)
    if not (folder / "spec.yaml").exists():
        write(folder / "spec.yaml", text)
    metrics = folder / "metrics.jsonl"
    done = [json.loads(line) for line in metrics.read_text().splitlines()] if metrics.exists() else []
    with log.open("a") as file:
        file.write(f"{folder.name} from {len(done)}\n")
    last = order["until"] or EPOCHS
    for epoch in range(len(done) + 1, last + 1):
        time.sleep(float(os.environ.get("SECONDS", "0")))
        value = figure(text, epoch)
        record = {"epoch": epoch, "step": epoch, "train": {"loss": 1.0}, "validation": {"loss": 1.0, "top1": value}}
        done.append(record)
        write(metrics, "".join(json.dumps(own) + "\n" for own in done))
        (folder / "checkpoints" / str(epoch)).mkdir(exist_ok=True)
    if last == EPOCHS:
        write(folder / "result.json", json.dumps({"part": "validation", "step": EPOCHS, "epochs": EPOCHS}))
        with log.open("a") as file:
            file.write(f"{folder.name} finished\n")
    owner.release()
    return 0


if __name__ == "__main__":
    sys.exit(main())
