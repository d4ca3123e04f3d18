"""What changes a text: quick fixes and formatting."""

from __future__ import annotations

from lsprotocol import types

from archspec.editing.analysis import Analysis
from archspec.editing.formatting import CannotFormat, edits
from archspec.editing.positions import Position
from archspec.editing.workspace import Workspace
from archspec.language_server.server import Server


def register(server: Server) -> None:
    convert = server.converter

    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix])
    )
    async def code_actions(params: types.CodeActionParams) -> list[types.CodeAction] | None:
        def answer(workspace: Workspace, analysis: Analysis) -> list[types.CodeAction]:
            now = analysis.now
            first, last = convert.place(now.lines, params.range.start), convert.place(now.lines, params.range.end)
            found = []
            for item in analysis.diagnostics:
                if item.primary is None or not now.is_here(item.primary.span):
                    continue
                span = item.primary.span
                if Position(span.line, span.column) <= last and first <= Position(span.end_line, span.end_column):
                    actions = [convert.action(now, item, mend, only=len(item.mends) == 1) for mend in item.mends]
                    found += [action for action in actions if action is not None]
            return found

        await server.looked_at(params.text_document.uri, params.range.start)
        only = params.context.only
        if only and not any(types.CodeActionKind.QuickFix.value.startswith(str(getattr(k, "value", k))) for k in only):
            return None
        return await server.about(params.text_document.uri, answer)

    async def format(uri: str, between: types.Range | None) -> list[types.TextEdit] | None:
        def answer(workspace: Workspace, analysis: Analysis) -> list[types.TextEdit]:
            now = analysis.now
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
