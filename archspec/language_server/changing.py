"""What changes a text: completion, quick fixes, renaming and formatting."""

from __future__ import annotations

from lsprotocol import types

from archspec.editing.actions import actions
from archspec.editing.analysis import Analysis
from archspec.editing.completing import Completion, completions
from archspec.editing.formatting import CannotFormat, edits
from archspec.editing.renaming import CannotRename, Renaming, renamable, rename
from archspec.editing.workspace import Workspace
from archspec.language_server.converting import markdown
from archspec.language_server.server import Refusal, Server

KINDS = {
    "kind": types.CompletionItemKind.Class,
    "block": types.CompletionItemKind.Module,
    "structure": types.CompletionItemKind.Struct,
    "field": types.CompletionItemKind.Property,
    "value": types.CompletionItemKind.Value,
    "name": types.CompletionItemKind.Reference,
    "argument": types.CompletionItemKind.Variable,
    "variant": types.CompletionItemKind.EnumMember,
    "section": types.CompletionItemKind.Keyword,
    "file": types.CompletionItemKind.File,
    "function": types.CompletionItemKind.Function,
}

TRIGGERS = [" ", "{", "[", ",", ":", "(", "#", ".", "/"]
"""Characters behind which there is something to be offered, before a letter is typed."""


def refused(reason: Exception) -> Refusal:
    """Why a request is not done, as clients show it to the user."""
    return Refusal(str(reason), types.LSPErrorCodes.RequestFailed.value)


def outdated() -> Refusal:
    """A request whose place is of a text that has been changed since, where something else may stand now."""
    return Refusal("the text was changed meanwhile", types.LSPErrorCodes.ContentModified.value)


def register(server: Server) -> None:
    convert = server.converter

    def item(analysis: Analysis, found: Completion) -> types.CompletionItem:
        snippets = server.takes_snippets and found.snippet is not None
        place = convert.between(analysis.now.lines, found.start, found.end)
        return types.CompletionItem(
            found.label,
            kind=KINDS[found.what],
            detail=found.detail or None,
            documentation=markdown(found.documentation) if found.documentation else None,
            sort_text=found.sort,
            filter_text=found.label,
            text_edit=types.TextEdit(place, str(found.snippet) if snippets else found.text),
            insert_text_format=types.InsertTextFormat.Snippet if snippets else types.InsertTextFormat.PlainText,
            insert_text_mode=types.InsertTextMode.AdjustIndentation if snippets else types.InsertTextMode.AsIs,
        )

    @server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(TRIGGERS))
    async def completion(params: types.CompletionParams) -> types.CompletionList | None:
        def answer(workspace: Workspace, analysis: Analysis) -> types.CompletionList:
            now = analysis.now
            place = convert.place(now.lines, params.position)
            found = completions(analysis, place, workspace.focus.get(now.path, ""))
            # What fits depends on what is written before it, so that it is asked anew with each letter.
            return types.CompletionList(is_incomplete=True, items=[item(analysis, one) for one in found])

        return await server.about(params.text_document.uri, answer)

    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix])
    )
    async def code_actions(params: types.CodeActionParams) -> list[types.CodeAction] | None:
        def answer(workspace: Workspace, analysis: Analysis) -> list[types.CodeAction]:
            now = analysis.now
            first, last = convert.place(now.lines, params.range.start), convert.place(now.lines, params.range.end)
            found = [convert.action(now, action) for action in actions(workspace, analysis, first, last)]
            return [action for action in found if action is not None]

        await server.looked_at(params.text_document.uri, params.range.start)
        only = params.context.only
        if only and not any(types.CodeActionKind.QuickFix.value.startswith(str(getattr(k, "value", k))) for k in only):
            return None
        return await server.about(params.text_document.uri, answer)

    @server.feature(types.TEXT_DOCUMENT_PREPARE_RENAME)
    async def prepare_rename(params: types.PrepareRenameParams) -> types.PrepareRenamePlaceholder | None:
        def answer(workspace: Workspace, analysis: Analysis) -> types.PrepareRenamePlaceholder:
            try:
                place, name = renamable(workspace, analysis, convert.place(analysis.now.lines, params.position))
            except CannotRename as reason:
                raise refused(reason) from None
            return types.PrepareRenamePlaceholder(convert.range(analysis.now.lines, place.span), name)

        return await server.about(params.text_document.uri, answer)

    @server.feature(types.TEXT_DOCUMENT_RENAME, types.RenameOptions(prepare_provider=True))
    async def renaming(params: types.RenameParams) -> types.WorkspaceEdit | None:
        asked = server.service.now

        def answer(workspace: Workspace, analysis: Analysis) -> tuple[types.WorkspaceEdit | None, Renaming]:
            if server.service.is_changed(asked):
                raise outdated()
            place = convert.place(analysis.now.lines, params.position)
            try:
                found = rename(workspace, analysis, place, params.new_name, server.folders)
            except CannotRename as reason:
                raise refused(reason) from None
            # Here, where the versions of the texts are those that the edits are of.
            return convert.workspace_edit(edit for edits in found.edits.values() for edit in edits), found

        made = await server.about(params.text_document.uri, answer)
        if made is None:
            return None
        if made[1].notes:
            server.say("\n".join(made[1].notes))
        return made[0]

    async def format(uri: str, between: types.Range | None) -> list[types.TextEdit] | None:
        asked = server.service.now

        def answer(workspace: Workspace, analysis: Analysis) -> list[types.TextEdit]:
            now = analysis.now
            if server.service.is_changed(asked):
                raise outdated()  # these edits do not say of which version of the text they are
            if now.source is None:
                return []
            first, last = 1, None
            if between is not None:
                start, end = convert.place(now.lines, between.start), convert.place(now.lines, between.end)
                # A selection of whole lines ends at the beginning of the one behind them.
                first, last = start.line, max(start.line, end.line - (end.column == 1))
            try:
                found = edits(now.source, first, last)
            except CannotFormat as reason:
                server.say(f"not formatted: {reason}")
                return []
            return [types.TextEdit(convert.range(now.lines, edit.span), edit.text) for edit in found]

        return await server.about(uri, answer)

    @server.feature(types.TEXT_DOCUMENT_FORMATTING)
    async def formatting(params: types.DocumentFormattingParams) -> list[types.TextEdit] | None:
        return await format(params.text_document.uri, None)

    @server.feature(types.TEXT_DOCUMENT_RANGE_FORMATTING)
    async def range_formatting(params: types.DocumentRangeFormattingParams) -> list[types.TextEdit] | None:
        return await format(params.text_document.uri, params.range)
