"""How long `archspec lsp` takes to answer a keystroke, and what it holds in memory after many.

    python benchmarks/editor.py [NETWORK] [EDITS]

A client types into the spec of a network of the zoo, over standard input and output: a number, a name, a comment, half
a word, a brace that is not closed yet. An answer is there when the diagnostics of the text as it is have come, and the
hints have been asked for and are there.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from lsprotocol import types

from archspec.zoo import zoo_networks
from tests.language_server.client import Client, started

EVERY = 1000
"""Edits between two looks at the memory."""


def edits(text: str, count: int, seed: int = 0) -> list[str]:
    """Texts as somebody types: each change is made letter by letter and taken back again."""
    draw = random.Random(seed)
    lines = text.split("\n")
    texts: list[str] = []
    while len(texts) < count:
        place = draw.randrange(len(lines))
        line = lines[place]
        at = draw.randrange(len(line) + 1)
        word = draw.choice(["3", "12", " # why", "relu", "- conv: {", "$(", "x", ", pad: same", ": "])
        grown = [line[:at] + word[: n + 1] + line[at:] for n in range(len(word))]
        for new in [*grown, line]:
            texts.append("\n".join([*lines[:place], new, *lines[place + 1 :]]))
    return texts[:count]


def processor(process: int) -> float:
    """Seconds of the processor that a process has taken."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def main(network: str, count: int) -> None:
    path, variant = zoo_networks()[network]
    text = path.read_text("utf-8")
    whole = types.Range(types.Position(0, 0), types.Position(100_000, 0))
    async with started(path.parent) as client:
        uri = client.open(path)
        await client.diagnostics(uri)
        if variant is not None:
            show = types.ExecuteCommandParams("archspec.showVariant", [uri, variant])
            await client.workspace_execute_command_async(show)
        about = types.TextDocumentIdentifier(uri)
        took: list[tuple[float, float]] = []
        for number, new in enumerate(edits(text, count), 1):
            begun = time.perf_counter()
            client.type(uri, new)
            await client.diagnostics(uri)
            told = time.perf_counter() - begun
            await client.text_document_inlay_hint_async(types.InlayHintParams(about, whole))
            took.append((told, time.perf_counter() - begun))
            if number % EVERY == 0 or number == count:
                said(network, number, took[-EVERY:], client)


def said(network: str, number: int, took: list[tuple[float, float]], client: Client) -> None:
    parts = []
    for name, times in zip(("diagnostics", "hints"), zip(*took, strict=True), strict=True):
        cuts = statistics.quantiles(times, n=100)
        parts.append(
            f"{name} {1e3 * cuts[49]:.0f} ms, 95 % within {1e3 * cuts[94]:.0f} ms, {1e3 * max(times):.0f} at most"
        )
    assert client._server is not None
    process = client._server.pid
    spent = processor(process)
    parts.append(f"{1e3 * (spent - client.spent) / len(took):.0f} ms of the processor each")
    client.spent = spent
    print(f"{network}, {number:,} edits: {'; '.join(parts)}; {client.memory():.0f} MiB", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if sys.argv[1:] else "resnet152", int(sys.argv[2]) if sys.argv[2:] else 10_000))
