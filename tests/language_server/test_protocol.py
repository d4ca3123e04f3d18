"""What the server keeps of what it was told."""

from __future__ import annotations

import asyncio

from lsprotocol import types

from archspec.commands._unforeseen import diagnostic_of
from archspec.language_server.protocol import Protocol
from archspec.language_server.server import Server


def test_nothing_is_kept_of_what_was_done_for_a_message() -> None:
    async def talk() -> None:
        server = Server(diagnostic_of)
        protocol = server.protocol
        assert isinstance(protocol, Protocol)
        heard: list[str] = []

        @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
        async def saved(params: types.DidSaveTextDocumentParams) -> None:
            await asyncio.sleep(0)
            heard.append(params.text_document.uri)

        saving = types.DidSaveTextDocumentParams(types.TextDocumentIdentifier("file:///net.yaml"))
        for _ in range(3):
            protocol._handle_notification(types.TEXT_DOCUMENT_DID_SAVE, saving)
        assert protocol._request_futures  # what is going on can still be cancelled
        while len(heard) < 3:
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        assert not protocol._request_futures
        server.service.stop()

    asyncio.run(talk())
