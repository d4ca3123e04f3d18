"""A client that starts `archspec lsp` and speaks with it over standard input and output, as an editor does."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.client import LanguageClient

EVERYTHING = types.ClientCapabilities(
    workspace=types.WorkspaceClientCapabilities(
        workspace_edit=types.WorkspaceEditClientCapabilities(document_changes=True),
        inlay_hint=types.InlayHintWorkspaceClientCapabilities(refresh_support=True),
        code_lens=types.CodeLensWorkspaceClientCapabilities(refresh_support=True),
        semantic_tokens=types.SemanticTokensWorkspaceClientCapabilities(refresh_support=True),
        did_change_watched_files=types.DidChangeWatchedFilesClientCapabilities(dynamic_registration=True),
    ),
    text_document=types.TextDocumentClientCapabilities(
        completion=types.CompletionClientCapabilities(
            completion_item=types.ClientCompletionItemOptions(snippet_support=True)
        )
    ),
)


class Client(LanguageClient):
    """An editor with texts open. `told` has what was published of each, with the version that it is of."""

    def __init__(self) -> None:
        super().__init__("test", "1")
        self.told: dict[str, types.PublishDiagnosticsParams] = {}
        self.versions: dict[str, int] = {}
        self.news = asyncio.Condition()
        self.refreshed = 0
        self.messages: list[str] = []
        self.spent = 0.0
        self.legend: list[str] = []

        @self.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        async def published(params: types.PublishDiagnosticsParams) -> None:
            async with self.news:
                self.told[params.uri] = params
                self.news.notify_all()

        @self.feature(types.WORKSPACE_INLAY_HINT_REFRESH)
        def hints(_: Any) -> None:
            self.refreshed += 1

        @self.feature(types.WORKSPACE_CODE_LENS_REFRESH)
        def lenses(_: Any) -> None:
            pass

        @self.feature(types.WORKSPACE_SEMANTIC_TOKENS_REFRESH)
        def tokens(_: Any) -> None:
            pass

        @self.feature(types.CLIENT_REGISTER_CAPABILITY)
        def register(_: types.RegistrationParams) -> None:
            pass

        @self.feature(types.WINDOW_SHOW_MESSAGE)
        def message(params: types.ShowMessageParams) -> None:
            self.messages.append(params.message)

    def memory(self) -> float:
        """MiB that the server has in memory; 0 where the system does not say so."""
        assert self._server is not None
        try:
            pages = Path(f"/proc/{self._server.pid}/statm").read_text("utf-8").split()[1]
        except OSError:
            return 0
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def open(self, path: Path, text: str | None = None, language: str = "archspec") -> str:
        """Opens a file, with another text than the disk's if one is given; returns its URI."""
        uri = path.as_uri()
        self.versions[uri] = 1
        item = types.TextDocumentItem(uri, language, 1, path.read_text("utf-8") if text is None else text)
        self.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return uri

    def type(self, uri: str, text: str) -> int:
        """Changes the text to another; returns its version."""
        self.versions[uri] += 1
        self.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(self.versions[uri], uri),
                [types.TextDocumentContentChangeWholeDocument(text)],
            )
        )
        return self.versions[uri]

    async def diagnostics(
        self, uri: str, until: Callable[[list[types.Diagnostic]], bool] = lambda _: True
    ) -> list[types.Diagnostic]:
        """What was published of the text as it is, as soon as it is as is waited for."""

        def there() -> bool:
            found = self.told.get(uri)
            return found is not None and found.version == self.versions[uri] and until(list(found.diagnostics))

        async with self.news:
            try:
                await asyncio.wait_for(self.news.wait_for(there), 20)
            except TimeoutError:
                raise AssertionError(f"told {self.told.get(uri)}, version {self.versions[uri]}") from None
        return list(self.told[uri].diagnostics)


@asynccontextmanager
async def started(
    folder: Path, *command: str, capabilities: types.ClientCapabilities = EVERYTHING
) -> AsyncIterator[Client]:
    """A client whose server was started in a folder, and is shut down at the end."""
    client = Client()
    await client.start_io(*(command or (sys.executable, "-m", "archspec.cli", "lsp")))
    said = await client.initialize_async(
        types.InitializeParams(capabilities=capabilities, root_uri=folder.as_uri(), process_id=None)
    )
    colours = said.capabilities.semantic_tokens_provider
    client.legend = list(colours.legend.token_types) if colours is not None else []
    client.initialized(types.InitializedParams())
    try:
        yield client
        await client.shutdown_async(None)
        client.exit(None)
    except BaseException:
        assert client._server is not None
        client._server.kill()
        raise
    finally:
        await client.stop()


def talk(folder: Path, conversation: Callable[[Client], Coroutine[Any, Any, None]], **options: Any) -> None:
    """Runs a conversation with a server."""

    async def run() -> None:
        async with started(folder, **options) as client:
            await conversation(client)

    asyncio.run(asyncio.wait_for(run(), 300))
