"""The server: what a client may ask, and what it is told without asking."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

import archspec
from archspec.diagnostics import Diagnostic
from archspec.editing.analysis import Analysis, of_all_variants
from archspec.editing.calls import focus_at
from archspec.editing.completing import prepare
from archspec.editing.language import described
from archspec.editing.workspace import Workspace
from archspec.language_server.converting import Converter
from archspec.language_server.protocol import Protocol
from archspec.language_server.service import Service

LANGUAGE = "archspec"
"""The identifier that editors' plugins give specs, by which a text is one before it says `archspec:`."""

SETTLE = 0.01
"""Seconds for which no more edits come before a text is read: what is queued is one edit."""

IDLE = 0.4
"""Seconds without an edit after which a file's other variants are read too."""

Answer = TypeVar("Answer")
Found = dict[str, list[types.Diagnostic]]


class Refusal(JsonRpcException):
    """An answer that says why there is no other. Nothing is wrong with the server, so the log has no word of it."""


def _is_for_the_log(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], Refusal))


class Server(LanguageServer):
    """A language server for specs. `unforeseen` makes a diagnostic of an error that nobody foresaw."""

    def __init__(self, unforeseen: Callable[[Exception], Diagnostic]) -> None:
        # Whole texts: pygls takes more characters for ends of lines than the protocol has, and would edit other lines.
        super().__init__(
            "archspec",
            archspec.__version__,
            text_document_sync_kind=types.TextDocumentSyncKind.Full,
            protocol_cls=Protocol,
        )
        self.service = Service(unforeseen)
        self.converter = Converter()
        self.told: dict[Path, dict[str, list[types.Diagnostic]]] = {}
        """Of each open text the diagnostics that came of it, by the URI of the file that they are in."""
        self.background: set[asyncio.Task[None]] = set()
        self.warm = False
        self.takes_snippets = False

    @property
    def folders(self) -> list[Path]:
        """The folders that the client has open, whose files may use a text; none where it has single files open."""
        paths = (self.converter.path(uri) for uri in self.workspace.folders)
        return [path for path in paths if path is not None]

    def say(self, text: str) -> None:
        """Tells the user why nothing comes of what was asked for."""
        self.window_show_message(types.ShowMessageParams(types.MessageType.Info, text))

    def report_server_error(self, error: Exception, source: Any) -> None:
        """To the log, and not to a window before the user: whoever asked is answered with the error."""
        if isinstance(error, Refusal):
            return
        logging.getLogger(__name__).error("%s: %s", type(error).__name__, error)

    # What comes.

    async def put(self, uri: str, version: int, text: str, language: str = "") -> None:
        """A text is opened or changed. Texts that use it are read again too."""
        path = self.converter.path(uri)
        if path is None:
            return

        def change(workspace: Workspace) -> list[Path]:
            stale = workspace.put(path, text.removeprefix("\ufeff"), ours=language == LANGUAGE)
            self.converter.named.setdefault(workspace.real(path), {})[uri] = version
            return [workspace.real(path), *stale]

        stale = await self.service.change(change)
        self.later(self.check(list(dict.fromkeys(stale)), self.service.now))

    async def close(self, uri: str) -> None:
        """A text is closed: nothing more is said of it, and others that use it go by the disk.

        One that is open by another name too, as through a link, stays.
        """
        path = self.converter.path(uri)
        if path is None:
            return

        def change(workspace: Workspace) -> tuple[Path, list[Path]]:
            real = workspace.real(path)
            known = self.converter.named.get(real, {})
            known.pop(uri, None)
            if known:
                return real, []
            self.converter.named.pop(real, None)
            return real, workspace.close(path)

        real, stale = await self.service.change(change)
        self.publish(uri, [])
        if real not in self.converter.named:
            self.tell(real, {})
        self.later(self.check(stale, self.service.now))

    async def files_changed(self, found: Sequence[str]) -> None:
        """Files on the disk were changed by somebody else."""
        paths = [path for path in map(self.converter.path, found) if path is not None]

        def change(workspace: Workspace) -> list[Path]:
            return [item for path in paths for item in workspace.changed(path)]

        stale = await self.service.change(change)
        self.later(self.check(list(dict.fromkeys(stale)), self.service.now))

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Does something without anybody waiting for it."""
        task = asyncio.ensure_future(work)
        self.background.add(task)
        task.add_done_callback(self.background.discard)

    # What is told.

    async def check(self, paths: Sequence[Path], changes: int) -> None:
        """Tells of what is wrong in texts, once no more edits are queued; of other variants once there is time."""
        await asyncio.sleep(SETTLE)
        for question in (self.first, self.everything):
            for path in paths:
                if self.service.is_changed(changes):
                    return
                found = await self.service.ask(path, question)
                if self.service.is_changed(changes):
                    return
                self.tell(path, found or {})
            if question == self.first:
                self.refresh()
                await self.service.collect(idle=False)
                await asyncio.sleep(IDLE)
        if self.service.is_changed(changes):
            return
        if not self.warm:
            self.warm = True
            await self.service.run(warm_up)
        await self.service.collect(idle=True)

    def first(self, workspace: Workspace, analysis: Analysis) -> Found:
        """What is wrong in the variant that is shown."""
        return self.converter.diagnostics(analysis.now, analysis.diagnostics)

    def everything(self, workspace: Workspace, analysis: Analysis) -> Found:
        """What is wrong in any variant."""
        if analysis.of_all is None:
            changes = self.service.now
            analysis.of_all = of_all_variants(analysis.now, lambda: self.service.is_changed(changes))
        return self.converter.diagnostics(analysis.now, analysis.of_all)

    def tell(self, path: Path, found: Found) -> None:
        """Publishes what came of a text, together with what came of others, and takes back what came before."""
        before = self.told.pop(path, {})
        if found:
            self.told[path] = found
        for uri in dict.fromkeys([*before, *found, self.converter.uri(path)]):
            items: dict[str, types.Diagnostic] = {}
            for others in self.told.values():
                for item in others.get(uri, []):
                    items.setdefault(repr(item), item)
            if items or uri in before or path in self.converter.named:
                self.publish(uri, list(items.values()))

    def publish(self, uri: str, items: list[types.Diagnostic]) -> None:
        """Says what is wrong in a file, by every name by which the client has it open."""
        # Copies, since the thread that puts texts writes there.
        names = next((dict(names) for names in list(self.converter.named.values()) if uri in names), None)
        known: dict[str, int | None] = {**names} if names else {uri: None}
        for name, version in known.items():
            self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(name, items, version=version))

    def refresh(self) -> None:
        """Asks the client to ask for hints and lenses again: they are of another text or another call now."""
        workspace = self.client_capabilities.workspace
        if workspace and workspace.inlay_hint and workspace.inlay_hint.refresh_support:
            self.workspace_inlay_hint_refresh(None)
        if workspace and workspace.code_lens and workspace.code_lens.refresh_support:
            self.workspace_code_lens_refresh(None)

    # What is asked.

    async def about(self, uri: str, question: Callable[[Workspace, Analysis], Answer]) -> Answer | None:
        """What a question about a text gives; None of one that is none of ours."""
        path = self.converter.path(uri)
        return None if path is None else await self.service.ask(path, question)

    async def looked_at(self, uri: str, place: types.Position) -> None:
        """The cursor is somewhere: the call there is the one whose layers are shown."""

        def look(workspace: Workspace, analysis: Analysis) -> bool:
            path = analysis.now.path
            before = workspace.focus.get(path, "")
            focus = focus_at(analysis.now, self.converter.place(analysis.now.lines, place), before)
            workspace.focus[path] = focus
            return focus != before

        if await self.about(uri, look):
            self.refresh()


def watching() -> types.Registration:
    """Asks a client to tell of specs that change on the disk."""
    watchers = [types.FileSystemWatcher(pattern) for pattern in ("**/*.yaml", "**/*.yml")]
    options = types.DidChangeWatchedFilesRegistrationOptions(watchers)
    return types.Registration("specs", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)


def warm_up() -> None:
    """Makes what the first hover and the like would wait for, and keeps what is there from being looked through."""
    described(())
    prepare()
    gc.collect()
    gc.freeze()


def make(unforeseen: Callable[[Exception], Diagnostic]) -> Server:
    """The server with all that it answers."""
    # They are built on this class.
    from archspec.language_server import changing, finding, showing

    logging.getLogger("pygls.protocol.json_rpc").addFilter(_is_for_the_log)
    server = Server(unforeseen)
    convert = server.converter

    @server.feature(types.INITIALIZED)
    async def initialized(_: types.InitializedParams) -> None:
        encoding = server.workspace.position_encoding
        convert.encoding = str(getattr(encoding, "value", encoding) or "utf-16")
        root = server.workspace.root_path
        convert.folder = Path(root) if root else Path.cwd()
        texts = server.client_capabilities.text_document
        item = texts.completion.completion_item if texts and texts.completion else None
        server.takes_snippets = bool(item and item.snippet_support)
        client = server.client_capabilities.workspace
        convert.versioned = bool(client and client.workspace_edit and client.workspace_edit.document_changes)
        if client and client.did_change_watched_files and client.did_change_watched_files.dynamic_registration:
            await server.client_register_capability_async(types.RegistrationParams([watching()]))

    @server.feature(types.SHUTDOWN)
    def shutdown(_: None) -> None:
        server.service.stop()

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    async def opened(params: types.DidOpenTextDocumentParams) -> None:
        item = params.text_document
        await server.put(item.uri, item.version, item.text, item.language_id)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(params: types.DidChangeTextDocumentParams) -> None:
        text = next((change.text for change in reversed(params.content_changes)), None)
        if text is not None:
            await server.put(params.text_document.uri, params.text_document.version, text)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    async def closed(params: types.DidCloseTextDocumentParams) -> None:
        await server.close(params.text_document.uri)

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    async def watched(params: types.DidChangeWatchedFilesParams) -> None:
        await server.files_changed([change.uri for change in params.changes])

    for features in (showing, changing, finding):
        features.register(server)
    return server
