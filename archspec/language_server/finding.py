"""What a text has, and where: outlines, folds, selections."""

from __future__ import annotations

from lsprotocol import types

from archspec.editing.analysis import Analysis
from archspec.editing.outline import Item, outline, symbols
from archspec.editing.ranges import folds, selections
from archspec.editing.workspace import Workspace
from archspec.language_server.server import Server

KINDS = {
    "section": types.SymbolKind.Namespace,
    "argument": types.SymbolKind.Variable,
    "input": types.SymbolKind.Interface,
    "output": types.SymbolKind.Interface,
    "variant": types.SymbolKind.EnumMember,
    "block": types.SymbolKind.Class,
    "layer": types.SymbolKind.Function,
    "call": types.SymbolKind.Object,
    "structure": types.SymbolKind.Struct,
    "field": types.SymbolKind.Field,
}


def register(server: Server) -> None:
    convert = server.converter

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    async def document_symbols(params: types.DocumentSymbolParams) -> list[types.DocumentSymbol] | None:
        def answer(workspace: Workspace, analysis: Analysis) -> list[types.DocumentSymbol]:
            def symbol(item: Item) -> types.DocumentSymbol:
                return types.DocumentSymbol(
                    item.name,
                    KINDS[item.kind],
                    convert.range(analysis.now.lines, item.span),
                    convert.range(analysis.now.lines, item.name_span),
                    detail=item.detail or None,
                    children=[symbol(inner) for inner in item.items],
                )

            return [symbol(item) for item in outline(analysis)]

        return await server.about(params.text_document.uri, answer)

    @server.feature(types.WORKSPACE_SYMBOL)
    async def workspace_symbols(params: types.WorkspaceSymbolParams) -> list[types.WorkspaceSymbol]:
        def answer(workspace: Workspace) -> list[types.WorkspaceSymbol]:
            found = []
            for item in symbols(workspace, params.query):
                location = convert.location(item.name_span)
                if location is not None:
                    found.append(types.WorkspaceSymbol(location, item.name, KINDS[item.kind]))
            return found

        return await server.service.see(answer)

    @server.feature(types.TEXT_DOCUMENT_FOLDING_RANGE)
    async def folding_ranges(params: types.FoldingRangeParams) -> list[types.FoldingRange] | None:
        def answer(workspace: Workspace, analysis: Analysis) -> list[types.FoldingRange]:
            return [
                types.FoldingRange(
                    convert.line(analysis.now.lines, fold.first),
                    convert.line(analysis.now.lines, fold.last),
                    kind=types.FoldingRangeKind(fold.kind),
                )
                for fold in folds(analysis.now.text)
            ]

        return await server.about(params.text_document.uri, answer)

    @server.feature(types.TEXT_DOCUMENT_SELECTION_RANGE)
    async def selection_ranges(params: types.SelectionRangeParams) -> list[types.SelectionRange] | None:
        def answer(workspace: Workspace, analysis: Analysis) -> list[types.SelectionRange]:
            now = analysis.now
            found = []
            for at in params.positions:
                place = convert.place(now.lines, at)
                around = selections(now.root, now.lines, place) if now.root is not None else []
                whole: types.SelectionRange | None = None
                for span in reversed(around):
                    whole = types.SelectionRange(convert.range(now.lines, span), whole)
                found.append(whole or types.SelectionRange(types.Range(at, at)))
            return found

        return await server.about(params.text_document.uri, answer)
